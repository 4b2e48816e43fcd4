"""Brings a newer suite in: planned as a whole, written only when nothing blocks, staged and not committed."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import origin
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused
from tasks.core.origin import Origin
from tasks.core.plan.change import Change
from tasks.core.state import store
from tasks.core.yaml import strict
from tasks.core.yaml.bounded import loader
from tasks.flows.suite.copies import Suite, suite_in
from tasks.flows.suite_update.merge import Action, Fate, Merge
from tasks.tools import git_update as git

_WRITTEN = {Action.NEW, Action.REPLACE, Action.MERGE, Action.DELETE}


@dataclass(frozen=True)
class Update:
    """What an update would do."""

    ours: Suite
    old: Origin
    new: Origin
    fates: tuple[Fate, ...]
    new_keys: tuple[str, ...] = ()
    """Keys that the newer suite's values have: `settings.yaml: tilt.port`."""

    old_keys: tuple[str, ...] = ()
    """Keys of the values here that the newer suite does not have any more."""

    @property
    def blocks(self) -> tuple[Fate, ...]:
        """What must be decided first."""
        return tuple(fate for fate in self.fates if fate.problem)

    @property
    def written(self) -> tuple[Fate, ...]:
        """The files that change."""
        return tuple(fate for fate in self.fates if fate.action in _WRITTEN)

    @property
    def pending(self) -> bool:
        """Whether anything is written: a file, or the record alone."""
        return bool(self.written) or self.old.files != self.new.files


def plan(s: Settings, root: Path, source: Path, keep: Collection[str]) -> Update:
    """Compare three sides: what was recorded, what is here, and the checkout at `source`. Nothing is written."""
    if root == source:
        raise Refused(f"{source} is this checkout", fix="--from another checkout of the suite")
    ours, theirs = suite_in(s, root), suite_in(s, source)
    manifest = root / origin.MANIFEST
    if not manifest.exists() and "tasks/development.py" in ours.tracked:
        raise Refused(f"{root} is the suite's own checkout", fix="git pull")
    _must_be_as_committed(s, theirs)
    old = origin.read(manifest.read_bytes()) if manifest.exists() else Origin()
    new = origin_of(s, theirs)
    merge = Merge(s, ours, old, theirs, keep)
    fates = [fate for path in sorted({*old.files, *new.files}) if (fate := merge.fate(path))]
    found = list(_keys(s, ours, theirs, old))
    return Update(
        ours,
        old,
        new,
        tuple(fates),
        tuple(key for is_new, key in found if is_new),
        tuple(key for is_new, key in found if not is_new),
    )


def _must_be_as_committed(s: Settings, suite: Suite) -> None:
    """Raise Refused when files of the newer suite are not those of its commit, which is what is recorded."""
    missing = [place for place in suite.files.values() if not (suite.root / place).exists()]
    if wrong := [*git.changed(s, suite.root), *missing]:
        raise Refused(
            f"{len(wrong)} files of {suite.root} are changed or missing, such as {wrong[0]}",
            why="the next update would look for them in its history, and a missing one would be deleted here",
            fix=f"git -C {shlex.quote(str(suite.root))} status; with a sparse checkout: git sparse-checkout disable",
        )


def origin_of(s: Settings, suite: Suite) -> Origin:
    """Return what is recorded when this suite is carried elsewhere."""
    files = {path: found.entry for path in suite.files if (found := suite.file(path))}
    return Origin(*git.come_from(s, suite.root), files)


def change(s: Settings, update: Update) -> Change[None]:
    """Return the one change: all files are written, the record last, and staged."""
    written = {update.ours.place(fate.path) for fate in update.written}
    code = [update.ours.place(path) for path in update.new.files if not origin.is_value(path)]
    here = {place for place in code if (update.ours.root / place).exists()}

    def run() -> None:
        for fate in update.written:
            _write(update.ours, fate)
        store.write(update.ours.root / origin.MANIFEST, update.new.text(), mode=0o644)
        git.stage(s, update.ours.root, sorted({*written, *here, origin.MANIFEST})).run()

    return Change(f"write {len(written) + 1} files and stage them", run=run)


def must_be_clean(s: Settings, root: Path) -> None:
    """Raise Refused when a tracked file differs from HEAD: `git reset --hard` would not undo the update alone."""
    if changed := git.changed(s, root):
        raise Refused(
            f"{len(changed)} tracked files differ from the last commit, such as {changed[0]}",
            why="the update could not be undone without them",
            fix=f"git -C {shlex.quote(str(root))} commit, or git stash; then again",
        )


def _write(ours: Suite, fate: Fate) -> None:
    place = ours.root / ours.place(fate.path)
    if fate.result is None:
        place.unlink(missing_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    data = origin.adapted(fate.path, fate.result.data, ours.folder)
    store.write(place, data, mode=int(fate.result.mode[-3:], 8))


def _keys(s: Settings, ours: Suite, theirs: Suite, old: Origin) -> Iterator[tuple[bool, str]]:
    """(is it new?, `file: key`) of each key that only one side has, and that the team did not remove itself."""
    for path in filter(origin.is_value, theirs.files):
        here, there = ours.root / ours.place(path), theirs.root / theirs.files[path]
        if not here.exists():
            continue
        have, want = _key_paths(strict.read(here).data), _key_paths(strict.read(there).data)
        had = _recorded_keys(s, theirs, old.files.get(path, ""))
        name = ours.place(path)
        yield from ((True, f"{name}: {key}") for key in sorted(want - have - had))
        yield from ((False, f"{name}: {key}") for key in sorted((had - want) & have))


def _recorded_keys(s: Settings, theirs: Suite, entry: str) -> set[str]:
    data = git.blob(s, theirs.root, entry.split()[1]) if entry else None
    if data is None:
        return set()
    import yaml

    return _key_paths(yaml.load(data, Loader=loader()))


def _key_paths(data: Any, at: str = "") -> set[str]:
    """The dotted paths of all keys; lists have none."""
    if not isinstance(data, dict):
        return set()
    return {f"{at}{key}" for key in data} | {p for key, below in data.items() for p in _key_paths(below, f"{at}{key}.")}
