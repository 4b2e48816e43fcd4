"""A Tiltfile, or a file that it includes, while it is edited. Needs no libcst."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache


@dataclass(frozen=True)
class TiltText:
    """path: relative to the repository; is_main: is it the Tiltfile itself? mark: its byte order mark, if it has one."""

    path: str
    text: str
    is_main: bool = False
    mark: str = ""


def earlier_line(earlier: str, text: str, line: int) -> int:
    """The line of the earlier text that is this line of the edited one, or the nearest one above it."""
    return line if earlier == text else _earlier_lines(earlier, text)[max(min(line, text.count("\n") + 1), 1) - 1]


@lru_cache(maxsize=8)
def _earlier_lines(earlier: str, text: str) -> tuple[int, ...]:
    """For each line of the text, that of the earlier one."""
    old, new = earlier.split("\n"), text.split("\n")
    found = [0] * len(new)
    for place, start, length in SequenceMatcher(None, new, old, autojunk=False).get_matching_blocks():
        found[place : place + length] = range(start + 1, start + length + 1)
    last = 1
    for number, line in enumerate(found):
        last = line or last
        found[number] = last
    return tuple(found)
