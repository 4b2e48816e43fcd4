"""Which files may name something that is deleted by a short relative path, and by which names.

A path from elsewhere contains the name of the deleted folder, and `search_terms` finds it. A file beside or inside the
folder names what is there by a base name alone: such a file is read whole, and its words are looked up in an index.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from migration.git.objects import decode, encode
from migration.references.modules import SCRIPTS
from migration.references.removal import Removal, ancestors
from migration.references.search_terms import WILDCARD, SearchTerms
from migration.references.tokens import tokens_of

# A file of prose or of patterns names files, but does not need them.
_NEEDS_NOTHING = re.compile(
    r"(?:^|/)(?:CODEOWNERS|OWNERS|LICENSE[^/]*|\.[a-z]+ignore|\.gitattributes)$|\.(?:md|mdx|rst|adoc|svg|lock|sum)$|/(?:go\.sum|[^/]*lock\.(?:json|ya?ml))$"
)
# The paths in such a file are relative to a folder that is given at the build, often one above it.
_BUILD = re.compile(r"(?:^|/)(?:Dockerfile|Containerfile)[^/]*$|\.Dockerfile$")
# In a program, a word that is also the name of a folder does not mean the folder.
_PROGRAM = re.compile(r"\.(?:go|py|[cm]?[jt]sx?|vue|java|kt|rs|rb|cs|c|cc|h|cpp)$")
_MANY_BYTES = 200_000  # a larger file is data: its single words do not mean paths
_PLAIN = re.compile(r"[\w.@+~-]+", re.ASCII)
# An import omits the extension.
_MODULE = re.compile(r"(?:\.d)?\.(?:py|[cm]?[jt]sx?|vue|json|bicep|libsonnet|star)$")
_MOST_PARTS = 6  # of a path that may have a variable before it
ABOVE = ".."


class Neighbours:
    """The files near what may be deleted, and the names that they may use."""

    def __init__(self, removal: Removal, terms: SearchTerms) -> None:
        self._removal, self._terms = removal, terms
        self._folders = {posixpath.dirname(path) for path in self._tops()}
        paths = {*removal.files, *removal.touched}
        self._places = paths | {_MODULE.sub("", path) for path in paths}
        self._in_folder: dict[str, dict[bytes, str]] = {}
        for path in self._places:
            folder, name = posixpath.split(path)
            self._in_folder.setdefault(folder, {})[encode(name)] = name
        self._names = {raw for names in self._in_folder.values() for raw in names}
        self._known: dict[frozenset[str], SearchTerms] = {}

    def _tops(self) -> Iterator[str]:
        """The topmost paths that go as a whole: files, and folders of which nothing would remain."""
        for path in self._removal.files:
            top, folder = path, posixpath.dirname(path)
            while folder in self._removal.folders:
                top, folder = folder, posixpath.dirname(folder)
            yield top

    def cover(self, path: str) -> bool:
        """Is the file itself one that may be deleted, or in a folder with something that may be?"""
        folder = posixpath.dirname(path)
        is_near = path in self._removal.files or folder in self._folders
        if not is_near and _BUILD.search(path):
            is_near = any(above in self._folders for above in ("", *ancestors(folder)))
        return is_near and _NEEDS_NOTHING.search(path) is None

    def terms_for(self, path: str, data: bytes) -> SearchTerms:
        """What to search for in this file: also the names in it that lead to something near."""
        tokens = tokens_of(data)
        if path.endswith(SCRIPTS):  # './x.js' may be x.ts
            tokens |= {token.rpartition(b".")[0] for token in tokens}
        tokens |= {token.strip(b".@") for token in tokens if token[-1:] == b"." or token[:1] in b".@"}
        names = frozenset(self._beside(path, data, tokens) | self._reached(path, tokens))
        if not names and not path.endswith(".py"):  # imports are looked up without a name
            return self._terms
        if names not in self._known:
            self._known[names] = self._terms.with_names(names)
        return self._known[names]

    def _beside(self, path: str, data: bytes, tokens: set[bytes]) -> set[str]:
        """The names of what is in the file's own folder, or in one of which the file's paths may begin."""
        names: set[str] = set()
        for folder in _starts(path):
            own = self._in_folder.get(folder, {})
            names |= {own[token] for token in own.keys() & tokens}
            names |= {name for raw, name in own.items() if not _PLAIN.fullmatch(name) and raw in data}
        names.discard(posixpath.basename(path))
        if b"//go:embed" not in data and (_PROGRAM.search(path) or len(data) > _MANY_BYTES):
            names = {name for name in names if "." in name or _is_quoted(encode(name), data)}
        return names

    def _reached(self, path: str, tokens: set[bytes]) -> set[str]:
        """The last names of the paths that lead to something from the file's folder or one above it."""
        bases = (*(f"{folder}/" for folder in ancestors(path)), "")
        names: set[str] = set()
        for token in tokens:
            if not token.strip(b"./"):
                names |= {ABOVE} if b".." in token else set()
            elif b"*" in token:
                names |= {WILDCARD} if self._matches_near(bases, decode(token)) else set()
            elif b"/" in token and token.rstrip(b"/").rpartition(b"/")[2] in self._names:
                parts = [part for part in decode(token).split("/") if part not in {"", ".", ".."}]
                names |= {parts[-1]} if self._leads(bases, parts) else set()
        return names

    def _leads(self, bases: tuple[str, ...], parts: list[str]) -> bool:
        """Is the path, or the end of it, that of something that may be deleted?"""
        ends = ["/".join(parts[start:]) for start in range(min(len(parts), _MOST_PARTS))]
        return any(base + end in self._places for base in bases for end in ends)

    def _matches_near(self, bases: tuple[str, ...], pattern: str) -> bool:
        """Is the pattern one of files in such a folder?"""
        parts = [part for part in pattern.partition("*")[0].split("/")[:-1] if part not in {"", ".", ".."}]
        return self._leads(bases, parts) if parts else "." in pattern


def _is_quoted(name: bytes, data: bytes) -> bool:
    """Is the name a whole string, as in `HERE / "data" / "x.json"`?"""
    return b'"%b"' % name in data or b"'%b'" % name in data


def _starts(path: str) -> Iterator[str]:
    """The folders in which the paths of the file may begin, apart from the root."""
    yield posixpath.dirname(path)
    chart, _, below = path.rpartition("/templates/")
    if below:
        yield chart
    if _BUILD.search(path):
        yield from ancestors(posixpath.dirname(path))
