"""Translate the engine's errors into Tilt's texts."""

from __future__ import annotations

import re
from pathlib import Path

_FRAME = re.compile(r"^  \* (?P<path>.+):(?P<line>\d+), in (?P<name>\S+)$", re.MULTILINE)
_PLACE = re.compile(
    r"^error: (?P<text>.*?)\n +--> (?P<path>[^\n]+):(?P<line>\d+):(?P<column>\d+)\n", re.MULTILINE | re.DOTALL
)


def in_tilts_words(error_text: str, failed: tuple[str, str] | None) -> str:
    """The error as Tilt prints it: the frames, then the name of the built-in and its message."""
    place = _PLACE.search(error_text)
    if place is None:
        return error_text
    text = place["text"]
    undefined = re.match(r"Variable `(\w+)` not found", text)
    where = f"{place['path']}:{place['line']}:{place['column']}"
    if undefined:
        return f"{where}: undefined: {undefined[1]}"
    frames = [(m["path"], int(m["line"]), m["name"]) for m in _FRAME.finditer(error_text)]
    if not frames and failed is None:
        return f"{where}: {text}"
    lines = ["Traceback (most recent call last):"]
    for path, line, name in frames or [(place["path"], int(place["line"]), "<module>")]:
        shown = "<toplevel>" if name == "<module>" else name
        lines.append(f"  {path}:{line}:{_column(path, line)}: in {shown}")
    nested = re.search(r"(Traceback \(most recent call last\):\n.*|cannot load .*)", text, re.DOTALL)
    if failed is not None:
        lines.append(f"Error in {failed[0]}: {failed[1]}")
    else:
        lines.append("Error: " + (nested[1] if nested else text))
    return "\n".join(lines)


def argument_error(text: str) -> str:
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", text)
    if unexpected:
        return f'unexpected keyword argument "{unexpected[1]}"'
    missing = re.search(r"missing a required argument: '(\w+)'", text)
    return f"missing argument for {missing[1]}" if missing else text


def _column(path: str, line: int) -> int:
    """The column of a call. Tilt's engine reports the position of the parenthesis."""
    try:
        text = Path(path).read_text().splitlines()[line - 1]
    except (OSError, IndexError):
        return 1
    return text.find("(") + 1 or len(text) - len(text.lstrip()) + 1
