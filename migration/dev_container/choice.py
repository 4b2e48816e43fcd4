"""Which devcontainer.json is migrated. The places are those of the specification, in its order of precedence.

https://containers.dev/implementors/spec/#devcontainerjson
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from migration.git.objects import GITLINK, SYMLINK
from migration.mapping import DevContainer
from migration.model import Reason
from migration.simulation import Draft

_FILE = "devcontainer.json"
_ROOT = ".devcontainer.json"
_MAIN = f".devcontainer/{_FILE}"
_NAMED = re.compile(r"\.devcontainer/[^/]+/devcontainer\.json")


@dataclass(frozen=True)
class Choice:
    """path: the file that is migrated, empty when there is none or it is not clear; others: those that stay as they are"""

    path: str
    others: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Where the suite's files of the dev container belong."""
        return posixpath.dirname(self.path) or ".devcontainer"


def dev_containers(draft: Draft) -> list[str]:
    """All devcontainer.json of core, the first in precedence first."""
    tree = draft.simulation.core.tree
    named = sorted(path for path in tree.under(".devcontainer/") if _NAMED.fullmatch(path))
    return [*(path for path in (_MAIN, _ROOT) if path in tree), *named]


def choose(draft: Draft) -> Choice:
    """Choose the dev container that is migrated. Blocks when that is a decision of the team."""
    found = dev_containers(draft)
    folder = draft.simulation.mapping.dev_container.folder
    wanted = folder if folder.endswith(".json") else f"{folder}/{_FILE}"
    if wanted in draft.simulation.core.tree and wanted not in found:
        found.insert(0, wanted)  # a place of the team's own
    path = wanted if wanted in found else _only(found, folder)
    if not path and found:
        _block_unclear(draft, found, wanted)
    if path and draft.simulation.core.tree.files[path].mode in {SYMLINK, GITLINK}:
        fix = "it is a symbolic link: set dev_container.folder to the folder of the file that it leads to"
        draft.block(path, Reason.CUSTOM, f"core:{path}", fix)
        return Choice("")
    return Choice(path, tuple(other for other in found if path and other != path))


def note_none(draft: Draft) -> None:
    """Say that a step has nothing to do because core has no dev container."""
    draft.unused = "core has no dev container"


def _only(found: list[str], folder: str) -> str:
    """The file to take when the mapping names none: the main one, or the only one."""
    if folder != DevContainer().folder:
        return ""  # the mapping names another, which does not exist
    return found[0] if len(found) == 1 or _ROOT in found else ""


def _block_unclear(draft: Draft, found: list[str], wanted: str) -> None:
    for path in found:
        folder = posixpath.dirname(path) or path
        fix = f"{wanted} does not exist; to migrate this one, set dev_container.folder to {folder}"
        draft.block(path, Reason.CUSTOM, "config/migration.yaml", fix)
