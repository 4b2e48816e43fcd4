"""Which files may name something that is deleted by a short relative path, and by which names.

A path from elsewhere contains the name of the deleted folder, and `search_terms` finds it. A file beside or inside the
folder names what is there by a base name alone: such a file is read whole, and its words are looked up in an index.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from migration.git.objects import encode
from migration.references.modules import SCRIPTS
from migration.references.removal import Removal, ancestors
from migration.references.search_terms import SearchTerms

# A file of prose or of patterns names files, but does not need them.
_NEEDS_NOTHING = re.compile(
    r"(?:^|/)(?:CODEOWNERS|OWNERS|LICENSE[^/]*|\.[a-z]+ignore|\.gitattributes)$|\.(?:md|mdx|rst|adoc|svg|lock|sum)$|/(?:go\.sum|[^/]*lock\.(?:json|ya?ml))$"
)
# The paths in such a file are relative to a folder that is given at the build, often one above it.
_FROM_ABOVE = re.compile(r"(?:^|/)(?:Dockerfile|Containerfile)[^/]*$|\.Dockerfile$")
_WORD = re.compile(rb"[\w.@+-]+")
_SIMPLE_WORD = re.compile(rb"\w+")
_WILDCARD = re.compile(rb"[\w./-]\*\.\w|[\w.]/\*|[\s\"'=]\*\.\w")
_PLAIN = re.compile(r"[\w.@+-]+", re.ASCII)
# An import omits the extension.
_MODULE = re.compile(r"(?:\.d)?\.(?:py|[cm]?[jt]sx?|vue|json|bicep|libsonnet|star)$")
_UP = re.compile(rb"""(?:^|[\s"'=:(])\.\.(?:/\.\.)*/?(?=["'\s)]|$)""", re.MULTILINE)
ABOVE = ".."


class Neighbours:
    """The files near what may be deleted, and the names that they may use."""

    def __init__(self, removal: Removal, terms: SearchTerms) -> None:
        self._removal, self._terms = removal, terms
        self._folders = {posixpath.dirname(path) for path in self._tops()}
        names = {posixpath.basename(path) for path in (*removal.files, *removal.touched)}
        names |= {_MODULE.sub("", name) for name in names}
        self._names = {name.encode(): name for name in names if _PLAIN.fullmatch(name)}
        self._odd = {encode(name): name for name in names if not _PLAIN.fullmatch(name)}
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
        if not is_near and _FROM_ABOVE.search(path):
            is_near = any(above in self._folders for above in ("", *ancestors(folder)))
        return is_near and _NEEDS_NOTHING.search(path) is None

    def terms_for(self, path: str, data: bytes) -> SearchTerms:
        """What to search for in this file: also the names that it contains."""
        words = set(_WORD.findall(data))
        words |= {word.strip(b".") for word in words if word[:1] == b"." or word[-1:] == b"."}
        if path.endswith((".py", *SCRIPTS)):
            words |= set(_SIMPLE_WORD.findall(data))
        names = {self._names[word] for word in self._names.keys() & words}
        names |= {name for raw, name in self._odd.items() if raw in data}
        if _WILDCARD.search(data) or _UP.search(data):
            names.add(ABOVE)
        return self._with(frozenset(names)) if names else self._terms

    def _with(self, names: frozenset[str]) -> SearchTerms:
        if names not in self._known:
            self._known[names] = self._terms.with_names(names)
        return self._known[names]
