"""For each kind of reference, one more reference to a path that the migration deletes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sandbox.legacy.archive import members
from sandbox.legacy.model import Draft, Fault

_CODEOWNERS = ".github/CODEOWNERS"
_SUBMODULE = "infra/kubernetes/policies/shared"

_TEXTS = {
    "text": "a plain text file names a script that the migration deletes",
    "helm-yaml": "YAML with Helm templates names such a script",
    "starlark": "a .tilt file calls such a script",
    "workflow": "a workflow has paths: and working-directory: in a folder that the migration deletes",
    "codeowners": "CODEOWNERS has a line for a folder that the migration deletes",
    "dockerfile": "a Dockerfile copies a file that the migration deletes",
    "package-json": "a package.json script runs such a script",
    "makefile": "a Makefile runs such a script",
    "symlink": "a symbolic link points to such a script",
    "submodule": ".gitmodules has a submodule in a folder that the migration deletes",
    "bash-dirname": 'a script sources "$(dirname "$0")/../../..."',
    "composed-path": "a path is composed from several strings",
}


def refers(kind: str) -> str:
    """The file of core that the fault `extra-reference-KIND` adds or changes, and its text."""
    if kind == "codeowners":
        return _CODEOWNERS
    if kind == "submodule":
        return ".gitmodules"
    return next(member.path for member in members("references") if member.path.startswith(f"{kind}/")).partition("/")[2]


def _writer(kind: str) -> Callable[[Draft], None]:
    def write(draft: Draft) -> None:
        member = next(member for member in members("references") if member.path.startswith(f"{kind}/"))
        draft.core[refers(kind)] = member.fill({})[1]

    return write


def _codeowners(draft: Draft) -> None:
    entry = draft.core[_CODEOWNERS]
    draft.core[_CODEOWNERS] = replace(entry, data=entry.data + b"/infra/argocd/install/       @ameideio/team-argo\n")


def _submodule(draft: Draft) -> None:
    entry = draft.core[".gitmodules"]
    backlog = entry.text.rpartition("url = ")[2].partition("\n")[0]
    more = f'[submodule "{_SUBMODULE}"]\n\tpath = {_SUBMODULE}\n\turl = {backlog}\n'
    draft.core[".gitmodules"] = replace(entry, data=entry.data + more.encode())
    draft.links.append(_SUBMODULE)


_SPECIAL = {"codeowners": _codeowners, "submodule": _submodule}

REFERENCES = tuple(
    Fault(f"extra-reference-{kind}", text, write=_SPECIAL.get(kind) or _writer(kind)) for kind, text in _TEXTS.items()
)
