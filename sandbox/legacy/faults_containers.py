"""Dev containers of other kinds than the pair's own, and start scripts that are harder to take apart."""

from __future__ import annotations

from dataclasses import replace

from sandbox.legacy.archive import EXECUTABLE, Entry
from sandbox.legacy.model import Draft, Fault

_CONTAINER = ".devcontainer/devcontainer.json"
_SCRIPT = ".devcontainer/postCreate.sh"
_BUILD = """  "build": {
    "dockerfile": "Dockerfile",
    "context": "..",
    "args": {
      "NODE_MAJOR": "22", // keep in step with .nvmrc of the services
      "GO_VERSION": "1.24.4"
    }
  },
"""
_USER = '  "remoteUser": "vscode",\n'
_HOOK = '  "postCreateCommand": "bash .devcontainer/postCreate.sh",\n'
_COMPOSE = """services:
  workspace:
    build: {context: .., dockerfile: .devcontainer/Dockerfile}
    volumes: ["..:/workspace"]
"""


def _edit(draft: Draft, path: str, old: str, new: str) -> None:
    entry = draft.core[path]
    if old not in entry.text:
        raise ValueError(f"{path} does not hold {old!r}")
    draft.core[path] = replace(entry, data=entry.text.replace(old, new, 1).encode())


def _none(draft: Draft) -> None:
    del draft.core[_CONTAINER]


def _named(draft: Draft) -> None:
    entry = draft.core.pop(_CONTAINER)
    for name in ("jobs", "web"):
        text = entry.text.replace('"Dockerfile"', '"../Dockerfile"').replace('"context": ".."', '"context": "../.."')
        draft.core[f".devcontainer/{name}/devcontainer.json"] = Entry(text.encode())


def _image(draft: Draft) -> None:
    _edit(draft, _CONTAINER, _BUILD, '  "image": "mcr.microsoft.com/devcontainers/typescript-node:22", // with node\n')
    _edit(draft, _CONTAINER, _USER, "")


def _compose(draft: Draft) -> None:
    keys = '  "dockerComposeFile": "workspace.yml",\n  "service": "workspace",\n  "workspaceFolder": "/workspace",\n'
    _edit(draft, _CONTAINER, _BUILD, keys)
    draft.core[".devcontainer/workspace.yml"] = Entry(_COMPOSE.encode())


def _root(draft: Draft) -> None:
    _edit(draft, _CONTAINER, _USER, '  "remoteUser": "root",\n')


def _hooks(draft: Draft) -> None:
    hooks = (
        '  "postCreateCommand": {\n    "cluster": "k3d cluster create", // local\n    "packages": ["npm", "ci"]\n  },\n'
    )
    _edit(draft, _CONTAINER, _HOOK, hooks)
    _edit(draft, _CONTAINER, '"bash .devcontainer/postStartCommand.sh"', '{"run": "./dev/start.sh"}')
    draft.core["dev/start.sh"] = Entry(b"#!/bin/sh -e\nk3d cluster start\nmake hooks\n", EXECUTABLE)
    del draft.core[_SCRIPT]


def _plain_script(draft: Draft) -> None:
    draft.core[_SCRIPT] = Entry(b"#!/bin/bash\nset -e\npnpm install # all of it\n", EXECUTABLE)


def _gone_script(draft: Draft) -> None:
    _edit(draft, _CONTAINER, "bash .devcontainer/postStartCommand.sh", "bash .devcontainer/gone.sh")


def _sourced_function(draft: Draft) -> None:
    entry = draft.core[".devcontainer/lib/helm.sh"]
    function = b"\nhelm_require_v3() {\n  helm_major\n}\nhelm_major() { helm version --short | cut -c2; }\n"
    draft.core[".devcontainer/lib/helm.sh"] = replace(entry, data=entry.data + function)
    _edit(draft, _SCRIPT, "\nsummary\n", "\nhelm_require_v3\nsummary\n")


def _here_document(draft: Draft) -> None:
    lines = 'up_team() {\n  k3d cluster list\n  cd "$REPO_ROOT"\n  cat >.team <<EOF; true\nit\'s ours\nEOF\n  make team-thing\n}\nup_team\n'
    _edit(draft, _SCRIPT, "\nsummary\n", f"\n{lines}summary\n")


_OTHER_KINDS = ("no-dev-container", "named-containers", "image-container", "compose-container", "crlf", "bom")
_OTHER_SCRIPTS = ("other-hooks", "plain-script", "team-lines", "sourced-function", "here-document")

CONTAINERS = (
    Fault("no-dev-container", "core has no devcontainer.json", write=_none, excludes=(*_OTHER_KINDS[1:], "root-container", "other-hooks", "gone-script")),
    Fault("named-containers", "core has two dev containers and no main one", write=_named, excludes=("image-container", "compose-container", "root-container", "other-hooks", "gone-script", "crlf", "bom")),
    Fault("image-container", "the dev container is an image with another user", write=_image, excludes=("compose-container", "root-container", "crlf", "bom")),
    Fault("compose-container", "the dev container is a service of Compose", write=_compose, excludes=("crlf", "bom")),
    Fault("root-container", "the dev container's user is root", write=_root, excludes=("crlf", "bom")),
    Fault("other-hooks", "the dev container starts by an object of commands and another script", write=_hooks, excludes=(*_OTHER_SCRIPTS[1:], "gone-script", "crlf", "bom")),
    Fault("plain-script", "postCreate.sh has nothing to do with a local cluster", write=_plain_script, excludes=_OTHER_SCRIPTS[2:]),
    Fault("gone-script", "a command of the dev container names a script that does not exist", write=_gone_script, excludes=("crlf", "bom")),
    Fault("sourced-function", "a line of the team calls a function of a file that the migration deletes", write=_sourced_function),
    Fault("here-document", "a function of postCreate.sh has a here-document after cd, and a line of the team", write=_here_document),
)  # fmt: skip
