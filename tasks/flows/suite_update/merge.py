"""What becomes of one file when a newer suite comes in: three-way, from what was recorded, what is here and what is new."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from tasks.core import origin
from tasks.core.config.settings import Settings
from tasks.core.errors import REFUSED, Problem
from tasks.core.origin import Origin
from tasks.flows.suite.copies import File, Suite
from tasks.tools import git_update as git


class Action(StrEnum):
    """What an update does with a file."""

    NEW = "new"
    REPLACE = "replace"
    MERGE = "merge"
    DELETE = "delete"
    KEEP = "keep"
    """Your edit or your deletion stays."""

    BLOCK = "block"


@dataclass(frozen=True)
class Fate:
    """What becomes of a file."""

    path: str
    """In the suite."""

    action: Action
    text: str
    result: File | None = None
    """The new content, when it is written."""

    problem: Problem | None = None
    """Why it is blocked."""


class Merge:
    """The update of one suite by another. keep: paths here whose own version stays and counts as merged."""

    def __init__(self, s: Settings, ours: Suite, recorded: Origin, theirs: Suite, keep: Collection[str]) -> None:
        self._s, self._ours, self._recorded, self._theirs, self._keep = s, ours, recorded, theirs, keep
        here = [path for path in recorded.files if (ours.root / ours.place(path)).exists()]
        self._folders = {folder for path in here for folder in _folders(path)}
        self._once = {folder for path in recorded.files for folder in _folders(path)}

    def fate(self, path: str) -> Fate | None:
        """Return what becomes of the file; None when nothing does."""
        ours, theirs = self._ours.file(path), self._theirs.file(path) if path in self._theirs.files else None
        if ours and theirs and ours.entry == theirs.entry:
            return None
        if ours is None:
            return self._absent(path, theirs)
        if origin.is_value(path):
            return None  # the team's; its keys are compared instead
        base = self._recorded.files.get(path)
        if ours.entry == base or path.startswith(f"{origin.SCHEMAS}/"):
            return self._taken(path, theirs)
        if self._ours.place(path) in self._keep:
            return Fate(path, Action.KEEP, "your version, as --keep says")
        return self._edited(path, ours, base, theirs)

    def _absent(self, path: str, theirs: File | None) -> Fate | None:
        """A file that is not here: deleted by the team, with its folder or alone, or new."""
        if theirs is None:
            return None
        if path in self._recorded.files or (_folders(path) & self._once) - self._folders:
            return Fate(path, Action.KEEP, "deleted here")
        return Fate(path, Action.NEW, "new", theirs)

    def _taken(self, path: str, theirs: File | None) -> Fate:
        if theirs is None:
            return Fate(path, Action.DELETE, "not edited here, and no longer part of the suite")
        return Fate(path, Action.REPLACE, "not edited here", theirs)

    def _edited(self, path: str, ours: File, base: str | None, theirs: File | None) -> Fate | None:
        if theirs is None:
            return self._blocked(path, "edited here, and no longer part of the suite") if base else None
        if base is None:
            return self._blocked(path, "yours, where the suite has a new file")
        if theirs.entry == base:
            return Fate(path, Action.KEEP, "edited here, and not changed in the suite")
        old = git.blob(self._s, self._theirs.root, base.split()[1])
        if old is None:
            return self._blocked(path, "edited here, and its origin is not in the history of the newer suite")
        data = git.merged(self._s, ours.data, old, theirs.data)
        if data is None or not _is_whole(path, data):
            return self._blocked(path, "edited here and changed in the suite at the same lines")
        mode = theirs.mode if ours.mode == base.split()[0] else ours.mode
        return Fate(path, Action.MERGE, "your edit and the newer suite", File(data, mode))

    def _blocked(self, path: str, why: str) -> Fate:
        place = shlex.quote(self._ours.place(path))
        theirs = shlex.quote(str(self._theirs.root / self._theirs.place(path)))
        is_there = path in self._theirs.files
        both = f"compare: git diff --no-index {place} {theirs}; " if is_there else ""
        take = f"cp {theirs} {place}" if is_there else f"git rm {place}"
        fix = f"{both}yours, edited by hand where needed: --keep {place}; theirs: {take}, and commit"
        return Fate(path, Action.BLOCK, why, problem=Problem(self._ours.place(path), why, fix, REFUSED))


def _folders(path: str) -> set[str]:
    """The folders above a path."""
    parts = path.split("/")[:-1]
    return {"/".join(parts[: n + 1]) for n in range(len(parts))}


def _is_whole(path: str, data: bytes) -> bool:
    """Whether a merged file can still be read: two edits that do not touch can contradict each other."""
    if not path.endswith(".py"):
        return True
    try:
        ast.parse(data)
    except (SyntaxError, ValueError):
        return False
    return True
