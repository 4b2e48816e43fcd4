"""Text that fits a terminal: long lines break between words, with a hanging indent, and a screen has as many as fit."""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_right
from itertools import accumulate

_NARROWEST = 40  # columns; below that a terminal breaks lines no worse
_LABEL = re.compile(r" *(\w+: )?")  # `  why: `
_COPIED = ("fix: ", "$ ")  # a person copies these lines: a line break would end the command


def wrapped(text: str, columns: int, hang: int | None = None) -> str:
    """Return the text with each line broken to this width; unchanged for a width of 0, without a terminal.

    hang: the column of the lines that continue; by default that behind the indent and a label such as `why: `
    """
    if columns < _NARROWEST:
        return text
    return "\n".join(_line(line, columns, hang) for line in text.split("\n"))


def _line(line: str, columns: int, hang: int | None) -> str:
    if len(line) <= columns or line.lstrip().startswith(_COPIED):
        return line
    if hang is None:
        label = _LABEL.match(line)
        hang = label.end() if label else 0
    if hang > columns // 2:
        hang = 4
    head, rest = line[:hang], line[hang:]  # columns in the head stay as they are
    lines = textwrap.wrap(
        rest,
        columns - hang,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        expand_tabs=False,
    )
    return head + f"\n{' ' * hang}".join(lines)


def screenful(lines: list[str], rows: int, columns: int) -> list[str]:
    """Return the lines that fit into a window of this size, with the cursor below them; the last says what is left out.

    A line that is not broken, such as a command to copy, takes several rows of a narrow window.
    """
    ends = list(accumulate(max(1, -(-len(line) // columns)) for line in lines))
    if not lines or ends[-1] < rows:
        return lines
    kept = bisect_right(ends, max(rows - 2, 0))
    return [*lines[:kept], f"... {len(lines) - kept} more lines: enlarge the window, or see `inv status`"[:columns]]
