"""Who in core still names a path that is about to go."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from migration.git.objects import GITLINK, SYMLINK, Entry, Tree, decode
from migration.mapping import any_glob, glob
from migration.model import Reference
from migration.references.path_scan import Mention, Words, mentions
from migration.simulation import Simulation

_MANY = 1000  # from here on git looks which files are worth reading
_BIG = 5_000_000  # bytes; a larger file is data


class References:
    """The mentions in core's files, each file read once for each content."""

    def __init__(self, simulation: Simulation, areas: Iterable[str]) -> None:
        """areas: the files, folders and globs that any step may take away."""
        self._simulation = simulation
        self._areas = [a for a in areas if a]
        self._folders = tuple(a for a in self._areas if a.endswith("/") and "*" not in a and "?" not in a)
        self._listed = any_glob(simulation.mapping.references.listed)
        self._ignored = any_glob(simulation.mapping.references.ignored)
        self._known: dict[tuple[str, str], list[Mention]] = {}
        self._matches: dict[str, list[str]] = {}
        self._links = [p for p, e in simulation.core.facts.tree.files.items() if e.mode == GITLINK]
        self.words = _words(simulation.core.tree, self._areas, self._links)

    def read(self, paths: Iterable[str]) -> None:
        """Read these files' mentions, as far as they are not known."""
        tree, wanted = self._simulation.core.tree, {}
        for path in paths:
            entry = tree.files[path]
            if entry.mode != GITLINK and (path, entry.oid) not in self._known:
                if self._ignored.match(path) or path in self._simulation.own:
                    self._known[path, entry.oid] = []
                else:
                    wanted[path] = entry
        if len(wanted) > _MANY and self.words.needles:
            inside = [p for p in wanted if p.startswith(self._folders)] if self._folders else []
            for path in (wanted.keys() - set(inside)) - self._holding(self._outside):
                self._drop(path, wanted)
            if len(inside) > _MANY:
                for path in set(inside) - self._holding(self._folders):
                    self._drop(path, wanted)
        by_oid: dict[str, list[tuple[str, Entry]]] = {}
        for path, entry in wanted.items():
            by_oid.setdefault(entry.oid, []).append((path, entry))
        for oid, data in self._simulation.core.blobs.many(by_oid):
            for path, entry in by_oid[oid]:
                self._known[path, oid] = self._of(path, entry, data)

    def look_ahead(self) -> None:
        """Let git begin to search what lies outside of the folders that may go: most of it stays."""
        if len(self._simulation.core.tree.files) > _MANY and self.words.needles:
            self._simulation.core.facts.search(self.words.sought, self._outside)

    @property
    def _outside(self) -> tuple[str, ...]:
        return (".", *(f":(exclude,literal){f}" for f in self._folders))

    def _holding(self, where: tuple[str, ...]) -> set[str]:
        return self._simulation.core.facts.holding(self.words.sought, where)

    def _drop(self, path: str, wanted: dict[str, Entry]) -> None:
        """Git found nothing in this file: it need not be read, if it is still what git searched."""
        entry = wanted[path]
        if entry.mode != SYMLINK and self._simulation.core.facts.tree.get(path) == entry:
            self._known[path, entry.oid] = []
            del wanted[path]

    def _of(self, path: str, entry: Entry, data: bytes) -> list[Mention]:
        if entry.mode == SYMLINK:
            target = decode(data)
            if checkout := re.match(r"/workspaces/[^/]+/", target):
                return [Mention(0, posixpath.normpath(target[checkout.end() :]), "symlink", True, False, target)]
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            inside = not place.startswith("..") and not target.startswith("/")
            return [Mention(0, place, "symlink", True, False, target)] if inside else []
        return mentions(path, data, self.words) if len(data) < _BIG else []

    def to(self, doomed: set[str], survivors: Iterable[str]) -> Iterator[Reference]:
        """The references from these files to what is doomed and would dangle."""
        paths = list(survivors)
        self.read(paths)
        tree = self._simulation.core.tree
        self._matches = {}
        for path in paths:
            entry = tree.files[path]
            for mention in self._known.get((path, entry.oid), ()):
                if any(mention.pattern == link or mention.pattern.startswith(link + "/") for link in self._links):
                    continue  # the submodule's own content
                target, sure = self._dangles(mention, doomed)
                blocking = not mention.comment and not self._listed.match(path)
                if target:
                    yield Reference(path, mention.line, target, mention.kind, mention.text, sure, blocking)
                elif mention.sure and self._was_never(mention.pattern, doomed):
                    yield Reference(path, mention.line, mention.pattern, mention.kind, mention.text, False, False)

    def naming(self, area: str, survivors: Iterable[str]) -> Iterator[Reference]:
        """The references from these files to a file or folder that is not there, or to something below it."""
        paths, name = list(survivors), area.rstrip("/")
        self.read(paths)
        for path in paths:
            for mention in self._known.get((path, self._simulation.core.tree.files[path].oid), ()):
                if mention.pattern == name or mention.pattern.startswith(name + "/"):
                    blocking = not mention.comment and not self._listed.match(path)
                    yield Reference(
                        path, mention.line, mention.pattern, mention.kind, mention.text, mention.sure, blocking
                    )

    def _dangles(self, mention: Mention, doomed: set[str]) -> tuple[str, bool]:
        pattern = mention.pattern.rstrip("/")
        if pattern in doomed:
            return pattern, True
        if "*" not in pattern and "?" not in pattern:
            if pattern in self._simulation.core.tree:
                return "", True
            alive = dead = 0
            for path in self._simulation.core.tree.under(pattern + "/"):
                if path in doomed:
                    dead += 1
                else:
                    alive += 1
                    break
            return (pattern + "/", mention.sure) if dead and not alive else ("", True)
        found = self._globbed(pattern)
        dead = sum(path in doomed for path in found)
        if not dead:
            return "", True
        target = pattern if not pattern.endswith("/**") else pattern[:-2]
        if dead < len(found):
            return (target, False) if not mention.sure or mention.kind == "composed path" else ("", True)
        return target, mention.sure

    def _was_never(self, pattern: str, doomed: set[str]) -> bool:
        """Is this a path that git does not know, below a folder that goes: something made or expected there?"""
        area = next((f for f in self._folders if pattern.startswith(f)), "")
        tree = self._simulation.core.tree
        if not area or "*" in pattern or "?" in pattern or pattern in tree or tree.has_folder(pattern):
            return False
        return next((p in doomed for p in tree.under(area)), False)

    def _globbed(self, pattern: str) -> list[str]:
        if pattern not in self._matches:
            head = re.split(r"[*?]", pattern)[0]
            rule = re.compile(f"(?:{glob(pattern).pattern[:-2]})(?:/.*)?\\Z", re.DOTALL)
            known = self._simulation.core.tree.under(head) if head.strip("/") else iter(())
            self._matches[pattern] = [p for p in known if rule.match(p)]
        return self._matches[pattern]


def targets(pattern: str, doomed: Iterable[str]) -> list[str]:
    """The doomed files that a reference's target means."""
    if "*" in pattern or "?" in pattern:
        rule = re.compile(f"(?:{glob(pattern.rstrip('/')).pattern[:-2]})(?:/.*)?\\Z", re.DOTALL)
        return [p for p in doomed if rule.match(p)]
    if pattern.endswith("/"):
        return [p for p in doomed if p.startswith(pattern)]
    return [p for p in doomed if p == pattern]


def _words(tree: Tree, areas: list[str], links: list[str]) -> Words:
    """What a line must hold: the last part of each area behind a slash or quote, files by name, and whole parents."""
    needles: set[str] = set()
    parents: set[str] = set()
    wholes: set[str] = set()
    for area in areas:
        folder, _, name = area.rstrip("/").rpartition("/")
        if "*" in name or "?" in name:
            names = [p.rpartition("/")[2] for p in tree.under(folder + "/") if glob(area).match(p)]
            needles.update(names)
            continue
        if not area.endswith("/"):
            needles.add(name)
        elif folder:
            needles.update((f"/{name}", f"'{name}", f'"{name}', f"`{name}", f"\\{name}", area[:-1].replace("/", ".")))
        else:
            needles.update((f"{name}/", f"'{name}'", f'"{name}"'))
        if folder:
            parents.add(folder)
    rules = [glob(a) for a in areas]
    for parent in sorted(parents):
        below = list(tree.under(parent + "/"))
        going = sum(any(r.match(p) for r in rules) for p in below)
        if below and going * 2 > len(below):
            name = parent.rpartition("/")[2]
            needles.update((f"{name}/", f"'{name}'", f'"{name}"', f"/{name}"))
            if going == len(below) and "/" not in parent:
                wholes.add(parent)
    loose = [f"{before}{p}" for p in parents for before in ("cd ", "pushd ", "directory: ")]
    loose += [f"{before}{w}" for w in wholes for before in (" ", "=")]
    return Words(*(tuple(sorted(found)) for found in (needles, parents, wholes, areas, loose, links)))
