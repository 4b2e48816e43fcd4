"""Find the files of core that refer to paths which are about to be deleted."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from migration.git.objects import GITLINK, SYMLINK, Entry, decode
from migration.mapping import LISTED, any_glob
from migration.model import Reference, ReferenceKind
from migration.references.kinds import kind_of
from migration.references.neighbours import Neighbours
from migration.references.path_scan import ScannedPath, scan
from migration.references.removal import Removal, is_glob
from migration.references.search_terms import terms_for
from migration.references.units import parts
from migration.simulation import Simulation

_MANY_FILES = 1000  # for more files than this, `git grep` selects those worth reading
_MAX_BYTES = 5_000_000  # a larger file is data


class References:
    """The references in core's files. Each file is scanned once for each content."""

    def __init__(self, simulation: Simulation, areas: Iterable[str]) -> None:
        """areas: the files, folders and globs that any step may delete."""
        self._simulation = simulation
        self._areas = [area for area in areas if area]
        self._folders = tuple(area for area in self._areas if area.endswith("/") and not is_glob(area))
        self._listed = any_glob([*LISTED, *simulation.mapping.references.listed])
        self._ignored = any_glob(simulation.mapping.references.ignored)
        self._scanned: dict[tuple[str, str], list[ScannedPath]] = {}
        self._submodules = [path for path, entry in simulation.core.facts.tree.files.items() if entry.mode == GITLINK]
        self.terms = terms_for(simulation.core.tree, self._areas, self._submodules)

    def start_search(self) -> None:
        """Let git start to search outside the folders that may be deleted, where most files are."""
        if len(self._simulation.core.tree.files) > _MANY_FILES and self.terms.line_texts:
            self._simulation.core.facts.search(self.terms.all_texts, self._outside)

    @property
    def _outside(self) -> tuple[str, ...]:
        return (".", *(f":(exclude,literal){folder}" for folder in self._folders))

    @cached_property
    def _neighbours(self) -> Neighbours:
        """Of everything that any step may delete."""
        tree = self._simulation.core.tree
        covered = any_glob(self._areas)
        return Neighbours(Removal(tree, (path for path in tree.files if covered.match(path))), self.terms)

    def to(self, removal: Removal, remaining: Iterable[str]) -> Iterator[Reference]:
        """The references in the remaining files to what may be deleted."""
        paths = list(remaining)
        self._scan(paths)
        for path in paths:
            yield from self._parts(path, removal)
            for scanned in self._scanned_in(path):
                if not self._is_in_submodule(scanned.pattern):
                    yield from self._references(path, scanned, removal)

    def _parts(self, path: str, removal: Removal) -> Iterator[Reference]:
        """What the file needs because both belong to one unit, such as a chart."""
        if posixpath.dirname(path) in removal.touched or path in removal.files:
            for pattern, unit in parts(path, self._simulation.core.tree):
                if any(target != path for target in removal.targets(pattern)):
                    yield Reference(path, 0, pattern, kind_of(path), f"both are of {unit}")

    def _references(self, path: str, scanned: ScannedPath, removal: Removal) -> Iterator[Reference]:
        targets = self._targets_of(path, scanned, removal)
        yield from (self._reference(path, scanned, target, sure=sure) for target, sure in targets)
        if not targets and scanned.sure and self._was_never_tracked(scanned.pattern, removal):
            yield self._reference(path, scanned, scanned.pattern, sure=False, may_block=False)

    def naming(self, area: str, remaining: Iterable[str]) -> Iterator[Reference]:
        """The references in these files to a file or folder that does not exist, or to a path below it."""
        paths, name = list(remaining), area.rstrip("/")
        self._scan(paths)
        for path in paths:
            for scanned in self._scanned_in(path):
                if scanned.pattern == name or scanned.pattern.startswith(name + "/"):
                    yield self._reference(path, scanned, scanned.pattern, sure=scanned.sure)

    def _scanned_in(self, path: str) -> list[ScannedPath]:
        return self._scanned.get((path, self._simulation.core.tree.files[path].oid), [])

    def _reference(
        self, path: str, scanned: ScannedPath, target: str, *, sure: bool, may_block: bool = True
    ) -> Reference:
        blocking = may_block and not scanned.comment and not self._listed.match(path)
        return Reference(path, scanned.line, target, scanned.kind, scanned.text, sure, blocking)

    def _is_in_submodule(self, pattern: str) -> bool:
        return any(pattern == submodule or pattern.startswith(submodule + "/") for submodule in self._submodules)

    def _scan(self, paths: Iterable[str]) -> None:
        """Scan those of the files that were not scanned with their present content."""
        unread = self._unread(paths)
        if len(unread) > _MANY_FILES and self.terms.line_texts:
            self._skip_without_terms(unread)
        paths_by_blob: dict[str, list[tuple[str, Entry]]] = {}
        for path, entry in unread.items():
            paths_by_blob.setdefault(entry.oid, []).append((path, entry))
        for oid, data in self._simulation.core.blobs.many(paths_by_blob):
            for path, entry in paths_by_blob[oid]:
                self._scanned[path, oid] = self._scan_file(path, entry, data)

    def _unread(self, paths: Iterable[str]) -> dict[str, Entry]:
        tree, unread = self._simulation.core.tree, {}
        for path in paths:
            entry = tree.files[path]
            if entry.mode == GITLINK or (path, entry.oid) in self._scanned:
                continue
            if self._ignored.match(path) or path in self._simulation.own:
                self._scanned[path, entry.oid] = []
            else:
                unread[path] = entry
        return unread

    def _skip_without_terms(self, unread: dict[str, Entry]) -> None:
        """Skip the files in which git does not find any of the terms."""
        inside = {path for path in unread if path.startswith(self._folders)} if self._folders else set()
        facts, texts = self._simulation.core.facts, self.terms.all_texts
        near = {path for path in unread if self._neighbours.cover(path)}
        without_terms = (unread.keys() - inside - near) - facts.holding(texts, self._outside)
        inside -= near
        if len(inside) > _MANY_FILES:
            without_terms |= inside - facts.holding(texts, self._folders)
        for path in without_terms:
            entry = unread[path]
            # git searched the commit, and the target of a symlink is not text to it: others must be read.
            if entry.mode != SYMLINK and facts.tree.get(path) == entry:
                self._scanned[path, entry.oid] = []
                del unread[path]

    def _scan_file(self, path: str, entry: Entry, data: bytes) -> list[ScannedPath]:
        if entry.mode == SYMLINK:
            return _scan_symlink(path, decode(data))
        if len(data) >= _MAX_BYTES:
            return []
        terms = self._neighbours.terms_for(path, data) if self._neighbours.cover(path) else self.terms
        return scan(path, data, terms)

    def _targets_of(self, path: str, scanned: ScannedPath, removal: Removal) -> list[tuple[str, bool]]:
        """What the path leads to that may be deleted, and whether that is sure; empty if it leads elsewhere."""
        pattern = scanned.pattern.rstrip("/")
        if pattern in removal.files:
            return [(pattern, True)]
        if is_glob(pattern):
            return self._targets_of_glob(pattern, scanned, removal)
        if pattern in self._simulation.core.tree or pattern not in removal.touched:
            return []
        contains_the_file = path.startswith(f"{pattern}/")
        is_whole = pattern in removal.folders or scanned.kind is ReferenceKind.SYMLINK
        if is_whole and not contains_the_file:
            return [(f"{pattern}/", scanned.sure)]
        # Of a folder that remains, what a tool reads first there counts; its own references lead to the rest.
        return [(entry, scanned.sure) for entry in removal.entries(pattern) if entry != path]

    def _targets_of_glob(self, pattern: str, scanned: ScannedPath, removal: Removal) -> list[tuple[str, bool]]:
        doomed, matched = removal.share(pattern)
        if not doomed:
            return []
        target = pattern[:-2] if pattern.endswith("/**") else pattern
        if doomed == matched:
            return [(target, scanned.sure)]
        # Some matches remain: a pattern of the team's stays valid, but one with unknown parts may mean the deleted ones.
        has_unknown_parts = not scanned.sure or scanned.kind is ReferenceKind.COMPOSED
        return [(target, False)] if has_unknown_parts else []

    def _was_never_tracked(self, pattern: str, removal: Removal) -> bool:
        """Is this a path below a deleted folder that git does not have, such as a file that is made there?"""
        tree = self._simulation.core.tree
        folder = next((folder for folder in self._folders if pattern.startswith(folder)), "")
        if not folder or is_glob(pattern) or pattern in tree or tree.has_folder(pattern):
            return False
        return next((path in removal.files for path in tree.under(folder)), False)


def _scan_symlink(path: str, target: str) -> list[ScannedPath]:
    checkout = re.match(r"/workspaces/[^/]+/", target)  # where a dev container has the repository
    if checkout:
        place = target[checkout.end() :]
    elif target.startswith("/"):
        return []
    else:
        place = posixpath.join(posixpath.dirname(path), target)
    place = posixpath.normpath(place)
    if place.startswith("..") and not checkout:
        return []
    return [ScannedPath(0, place, ReferenceKind.SYMLINK, True, False, target)]
