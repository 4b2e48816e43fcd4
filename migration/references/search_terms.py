"""The texts that a file and a line must contain to be worth scanning for references to what is deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from migration.git.objects import Tree
from migration.mapping import any_glob, glob
from migration.references.path_idioms import TOKEN
from migration.references.removal import is_glob

WILDCARD = "*"  # among the names: a pattern that matches what is near the file
_STARTS = ("cd ", "pushd ", "directory: ")  # a file that enters a parent may name what is below it by a bare name


@dataclass(frozen=True)
class SearchTerms:
    """What to search for.

    line_texts: a line must contain one of these
    parents:    the folders directly above what is deleted
    emptied:    the top-level parents of which every file is deleted
    tops:       the top-level folders that are an area themselves
    areas:      what is deleted: files, folders ending in `/`, globs
    file_texts: a file may contain one of these instead of a line text, and then name a path by its variables
    submodules: folders whose content is not core's
    is_near:    the file is beside or inside what is deleted; see neighbours.py
    names:      of files and folders near it, which a relative path in it ends in
    has_unusual_names: a path that may be deleted contains a mark that ends a word in most texts, such as a blank
    """

    line_texts: tuple[str, ...]
    parents: tuple[str, ...]
    emptied: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    file_texts: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    is_near: bool = False
    names: tuple[str, ...] = ()
    has_unusual_names: bool = False
    _line: re.Pattern[str] = field(init=False, repr=False)
    _words: re.Pattern[str] = field(init=False, repr=False)
    _bytes: tuple[bytes, ...] = field(init=False, repr=False)
    _cores: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        folders = [rf"(?<![\w./-]){re.escape(folder)}(?![\w./-])" for folder in self.single_words]
        names = [r"\*\.\w|/\*" if name == WILDCARD else rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in self.names]
        words = [*folders, *names]
        line = "|".join([*map(re.escape, self.line_texts), *folders])
        object.__setattr__(self, "_line", re.compile(line or r"(?!)"))
        object.__setattr__(self, "_words", re.compile("|".join(words) or r"(?!)"))
        object.__setattr__(self, "_bytes", tuple(text.encode("utf-8", "surrogateescape") for text in self.all_texts))
        object.__setattr__(self, "_cores", tuple({text.strip(b"/'\"`\\ =") for text in self._bytes}))

    @property
    def single_words(self) -> tuple[str, ...]:
        """The folders whose path is a single word, which means something else in most places."""
        return (*self.emptied, *self.tops)

    @property
    def all_texts(self) -> tuple[str, ...]:
        """A file must contain one of these."""
        return (*self.line_texts, *self.file_texts)

    def in_data(self, data: bytes) -> bool:
        """Could the file refer to what is deleted?"""
        if self.is_near:
            return True
        # Many texts differ only in the mark before the same name: look for the names first.
        return any(core in data for core in self._cores) and any(text in data for text in self._bytes)

    def in_line(self, line: str) -> bool:
        """Could the line?"""
        return self._line.search(line) is not None or self._words.search(line) is not None

    def in_token(self, token: str) -> bool:
        """Could this part of a line be such a path? A name alone is one only with an extension."""
        if self._line.search(token):
            return True
        return ("/" in token or "." in token) and self._words.search(token) is not None

    def places(self, text: str) -> Iterator[int]:
        """Where the lines are that could refer to it: at least one place in each of them."""
        for part in self.line_texts:
            yield from places_of(part, text)
        if self.names or any(folder in text for folder in self.single_words):
            yield from (match.start() for match in self._words.finditer(text))

    def with_names(self, names: Iterable[str]) -> SearchTerms:
        """These terms, and the names of what is near the file."""
        return replace(self, is_near=True, names=tuple(sorted(names)))

    def below(self, folder: str) -> dict[str, bool]:
        """The names directly in this folder through which a path leads to what is deleted, and whether each is a folder."""
        rests = [area.removeprefix(f"{folder}/") for area in self.areas if area.startswith(f"{folder}/")]
        return {rest.partition("/")[0]: "/" in rest for rest in rests if not is_glob(rest)}


def places_of(part: str, text: str) -> Iterator[int]:
    """Where the text contains the part: the first place of each line."""
    place = text.find(part)
    while place >= 0:
        yield place
        end = text.find("\n", place)
        place = text.find(part, end) if end >= 0 else -1


def terms_for(tree: Tree, areas: list[str], submodules: Iterable[str]) -> SearchTerms:
    """The search terms for these areas of the tree."""
    line_texts = {text for area in areas for text in _texts_of(tree, area)}
    shares = {parent: _deleted_share(tree, parent, areas) for parent in _parents_of(areas)}
    for parent, share in shares.items():
        if share > 0.5:  # most of it is deleted: a reference to the parent itself matters too
            name = parent.rpartition("/")[2]
            line_texts |= {f"{name}/", f"'{name}'", f'"{name}"', f"/{name}"}
    emptied = {parent for parent, share in shares.items() if share == 1 and "/" not in parent}
    tops = _tops(areas)
    return SearchTerms(
        line_texts=tuple(sorted(line_texts)),
        parents=tuple(sorted(shares)),
        emptied=tuple(sorted(emptied)),
        tops=tuple(sorted(tops)),
        areas=tuple(sorted(areas)),
        file_texts=tuple(sorted(_file_texts(shares, emptied | tops))),
        submodules=tuple(sorted(submodules)),
        has_unusual_names=_has_unusual_names(tree, areas),
    )


def _tops(areas: list[str]) -> set[str]:
    return {area[:-1] for area in areas if area.endswith("/") and "/" not in area[:-1] and not is_glob(area)}


def _has_unusual_names(tree: Tree, areas: list[str]) -> bool:
    return any(not TOKEN.fullmatch(path) for area in areas for path in _paths_of(tree, area))


def _paths_of(tree: Tree, area: str) -> Iterable[str]:
    return tree.under(area) if area.endswith("/") and not is_glob(area) else (area.rstrip("/*"),)


def _file_texts(parents: Iterable[str], single_words: Iterable[str]) -> list[str]:
    enters_parent = [f"{start}{parent}" for parent in parents for start in _STARTS]
    return enters_parent + [f"{start}{folder}" for folder in single_words for start in (" ", "=")]


def _parents_of(areas: list[str]) -> set[str]:
    """The folders above the areas; not those of a glob over the names in a folder."""
    parents = set()
    for area in areas:
        parent, _, name = area.rstrip("/").rpartition("/")
        if parent and not is_glob(name):
            parents.add(parent)
    return parents


def _deleted_share(tree: Tree, folder: str, areas: list[str]) -> float:
    """The share of the folder's files that the areas cover."""
    is_deleted = any_glob(areas).match
    files = list(tree.under(folder + "/"))
    return sum(is_deleted(path) is not None for path in files) / len(files) if files else 0.0


def _texts_of(tree: Tree, area: str) -> Iterable[str]:
    """What a line contains that refers to the area: a file by its name, a folder by its last part and what is around it."""
    parent, _, name = area.rstrip("/").rpartition("/")
    if is_glob(name):
        pattern = glob(area)
        return [path.rpartition("/")[2] for path in tree.under(parent + "/") if pattern.match(path)]
    if not area.endswith("/"):
        return [name]
    if not parent:
        return [f"{name}/", f"/{name}", f"\\{name}", f"'{name}'", f'"{name}"']
    python_package = area[:-1].replace("/", ".")
    return [f"/{name}", f"'{name}", f'"{name}', f"`{name}", f"\\{name}", python_package]
