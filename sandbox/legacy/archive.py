"""Many small files in one text file, in a format like Go's txtar.

A line `-- path --` starts a file. The lines up to the next such line are its content. Words before the path are options,
as in `-- exec: run.sh --`. Lines above the first file are a comment.

    exec    the executable bit is set
    link    a symbolic link; the content is its target
    crlf    lines end with CRLF        bom     the file begins with a byte order mark
    base64  a binary file              later   omitted from the smallest pair
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
FILE, EXECUTABLE, LINK = "100644", "100755", "120000"

_OPENING = re.compile(r"^-- (?:([a-z0-9 ]+): )?(\S+) --\n", re.MULTILINE)
_WORDS = frozenset(("exec", "link", "crlf", "bom", "base64", "later"))


@dataclass(frozen=True)
class Entry:
    """One file of a tree. mode: as git writes it. The content of a symbolic link is its target."""

    data: bytes
    mode: str = FILE

    @property
    def text(self) -> str:
        """The content as UTF-8; raises UnicodeDecodeError for a binary file."""
        return self.data.decode()


Tree = dict[str, Entry]
"""Path from the root of the repository -> file. A path that is not UTF-8 holds its bytes as surrogates."""


@dataclass(frozen=True)
class Member:
    """A file of an archive with its placeholders."""

    path: str
    text: str
    words: frozenset[str]

    @property
    def later(self) -> bool:
        return "later" in self.words

    def fill(self, values: Mapping[str, str]) -> tuple[str, Entry]:
        """The path and the file, with every `@name@` replaced by its value."""
        return fill(self.path, values), self._entry(fill(self.text, values))

    def _entry(self, text: str) -> Entry:
        if "link" in self.words:
            return Entry(text.strip().encode(), LINK)
        data = base64.b64decode(text) if "base64" in self.words else text.encode()
        if "crlf" in self.words:
            data = data.replace(b"\n", b"\r\n")
        if "bom" in self.words:
            data = b"\xef\xbb\xbf" + data
        return Entry(data, EXECUTABLE if "exec" in self.words else FILE)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with each known `@name@` replaced by its value."""
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


@cache
def members(archive: str) -> tuple[Member, ...]:
    """The files of `data/ARCHIVE.txtar`, in order. Raises ValueError for an unknown word or a path named twice."""
    text = (DATA / f"{archive}.txtar").read_text(encoding="utf-8")
    content = tuple(_split(text, archive))
    if len({member.path for member in content}) != len(content):
        raise ValueError(f"{archive}.txtar names a path twice")
    return content


def part(archive: str, path: str) -> str:
    """The text of one file of an archive."""
    return next(member.text for member in members(archive) if member.path == path)


def _split(text: str, archive: str) -> Iterator[Member]:
    openings = list(_OPENING.finditer(text))
    ends = [opening.start() for opening in openings[1:]] + [len(text)]
    for opening, end in zip(openings, ends, strict=True):
        words = frozenset((opening[1] or "").split())
        if not words <= _WORDS:
            raise ValueError(f"{archive}.txtar: {opening[2]}: unknown word in {sorted(words)}")
        yield Member(opening[2], text[opening.end() : end], words)
