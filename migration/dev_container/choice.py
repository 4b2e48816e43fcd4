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
from migration.simulation import Draft, Simulation
from tasks.core.repository import MAPPING

_FILE = "devcontainer.json"
_ROOT = ".devcontainer.json"
_MAIN = f".devcontainer/{_FILE}"
_NAMED = re.compile(r"\.devcontainer/[^/]+/devcontainer\.json")


@dataclass(frozen=True)
class Choice:
    """path: the file that is migrated, empty without a clear one; others: those that stay as they are"""

    path: str
    others: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Where the suite's files of the dev container belong."""
        return posixpath.dirname(self.path) or ".devcontainer"


def dev_containers(simulation: Simulation) -> list[str]:
    """All devcontainer.json of core, the first in precedence first."""
    tree = simulation.core.tree
    named = sorted(path for path in tree.under(".devcontainer/") if _NAMED.fullmatch(path))
    found = [*(path for path in (_MAIN, _ROOT) if path in tree), *named]
    wanted = _wanted(simulation)
    return [wanted, *found] if wanted in tree and wanted not in found else found  # a place of the team's own


def chosen(simulation: Simulation) -> Choice:
    """The dev container that is migrated: the one that the mapping names, the main one, or the only one."""
    found, wanted = dev_containers(simulation), _wanted(simulation)
    is_default = simulation.mapping.dev_container.folder == DevContainer().folder
    only = found[0] if is_default and found and (len(found) == 1 or _ROOT in found) else ""
    path = wanted if wanted in found else only
    return Choice(path, tuple(other for other in found if path and other != path))


def choose(draft: Draft) -> Choice:
    """Choose the dev container that is migrated. Blocks when that is a decision of the team."""
    choice = chosen(draft.simulation)
    if not choice.path:
        for path in dev_containers(draft.simulation):
            folder = posixpath.dirname(path) or path
            fix = (
                f"{_wanted(draft.simulation)} does not exist; to migrate this one, set dev_container.folder to {folder}"
            )
            draft.block(path, Reason.CUSTOM, MAPPING, fix)
        return choice
    if draft.simulation.core.tree.files[choice.path].mode in {SYMLINK, GITLINK}:
        fix = "it is a symbolic link: set dev_container.folder to the folder of the file that it leads to"
        draft.block(choice.path, Reason.CUSTOM, f"core:{choice.path}", fix)
        return Choice("")
    return choice


def note_none(draft: Draft) -> None:
    """Say that a step has nothing to do because core has no dev container."""
    draft.unused = "core has no dev container"


def _wanted(simulation: Simulation) -> str:
    folder = simulation.mapping.dev_container.folder
    return folder if folder.endswith(".json") else f"{folder}/{_FILE}"
