"""The one place that prints. Results go to stdout, remarks and progress to stderr; no data controls the terminal."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tasks.core.errors import Trouble
from tasks.core.typed import as_typed, fixes_as_typed
from tasks.core.visible import in_json, one_line, visible
from tasks.core.wrapped import screenful, wrapped

SCHEMA = 1
_lock = threading.RLock()
_READER_GONE = {errno.EPIPE, errno.EIO}  # the reader of a pipe has ended; the terminal was closed
_json_printed = False
_secrets: set[str] = set()
_screen: list[str] | None = None  # the lines of the next screen, while one is made
_MARKS = {
    "done": "ok",
    "pending": "..",
    "blocked": "!!",
    "waiting": "--",
    "skipped": "--",
    "unknown": "??",
    "running": "->",
    "failed": "xx",
}


def hide(*secrets: str) -> None:
    """Mask these values in everything printed from here on, except those under 6 characters: they may be words."""
    _secrets.update(s for s in secrets if len(s) >= 6)


def masked(text: str) -> str:
    """Return the text with every known secret replaced by `***`."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def say(text: str = "", hang: int | None = None) -> None:
    """Print a line of the result, on stdout. It is not broken: it may be data that a person copies.

    hang: break it between words if it is too long for the terminal, and continue in this column
    """
    _result(visible(as_typed(text)), hang)


def data(text: str) -> None:
    """Print a line of data, on stdout: a command in it is not ours, so it stays as it is."""
    _result(visible(text))


def _result(line: str, hang: int | None = None) -> None:
    if hang is not None:
        line = wrapped(line, _size(sys.stdout).columns, hang)
    if _screen is None:
        _write(sys.stdout, line + "\n")
    else:
        _screen.extend(line.split("\n"))


def talk(text: str) -> None:
    """Print a remark or progress, on stderr."""
    _write(sys.stderr, wrapped(visible(as_typed(text)), _size(sys.stderr).columns) + "\n")


def warn(text: str) -> None:
    """Print a warning, on stderr."""
    talk(f"warning: {text}")


def as_json(document: dict[str, Any]) -> None:
    """Print the one JSON document of a `--json` run, with its schema number."""
    global _json_printed
    _json_printed = True
    whole = {"schema": SCHEMA, **fixes_as_typed(document)}
    text = json.dumps(whole, indent=2, ensure_ascii=False, default=str)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:  # no UTF-8 terminal, or half a surrogate pair in a pod's environment
        text = json.dumps(whole, indent=2, default=str)
    _write(sys.stdout, in_json(text) + "\n")


def failure_as_json(why: Trouble) -> None:
    """Print the failure of a `--json` run as its document, unless the run has already printed one."""
    if not _json_printed:
        as_json({"error": {"what": why.what, "why": why.why, "fix": why.fix}, "exit": why.code})


def progress(state: str, key: str, text: str, seconds: float | None = None) -> None:
    """Print an event of a step, on stderr: mark, key, text, seconds."""
    took = f"  {seconds:.1f} s" if seconds is not None else ""
    line = wrapped(f"{mark(state)} {visible(f'{key:<12} {text}')}{took}", _size(sys.stderr).columns, hang=16)
    _write(sys.stderr, f"{paint(mark(state), state)}{line.removeprefix(mark(state))}\n")


def mark(state: str) -> str:
    """Return the two characters that show a state."""
    return _MARKS.get(state, "  ")


def paint(text: str, state: str) -> str:
    """Return the text in the state's colour, only on a terminal and without NO_COLOR."""
    if not sys.stderr or not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    colours = {"done": 32, "pending": 33, "blocked": 31, "unknown": 35, "failed": 31, "running": 36}
    return f"\x1b[{colours.get(state, 0)}m{text}\x1b[0m"


def table(rows: Iterable[Sequence[object]], indent: str = "") -> None:
    """Print rows in columns, on stdout. The last column is not padded."""
    texts = [[one_line(str(cell)) for cell in row] for row in rows]
    widths = [
        max((len(row[i]) for row in texts if i < len(row) - 1), default=0)
        for i in range(max(map(len, texts), default=0))
    ]
    for row in texts:
        *columns, last = [cell.ljust(widths[i]) if i < len(row) - 1 else cell for i, cell in enumerate(row)] or [""]
        before = indent + "".join(f"{cell}  " for cell in columns)
        say((before + last).rstrip(), hang=len(before))


def can_ask() -> bool:
    """Is there a terminal where a person can answer? Never in CI."""
    return bool(sys.stdin and sys.stderr and sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI"))


def confirm(question: str, *, yes: bool, fix: str, word: str = "") -> None:
    """Return if `yes` is set or the person confirms, else raise Trouble. Without a terminal nobody is asked.

    word: to be typed instead of `y`
    """
    if yes:
        return
    if not can_ask():
        raise Trouble(f"{question}: needs a confirmation, and there is no terminal to ask", fix=fix)
    hint = f"Type {word} to confirm:" if word else "[y/N]"
    _write(sys.stderr, f"{visible(question)}{'.' if word else ''} {visible(hint)} ")
    if sys.stdin.readline().strip().lower() not in ({word.lower()} if word else {"y", "yes"}):
        raise Trouble("not confirmed, nothing was changed", fix=fix)


def _write(stream: Any, text: str) -> None:
    if stream is None:  # it was closed before the start
        return
    text = masked(text)
    with _lock:
        try:
            try:
                stream.write(text)
            except UnicodeEncodeError:
                stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding))
            stream.flush()
        except OSError as why:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # the buffered rest must not fail again
            if why.errno not in _READER_GONE and stream is sys.stdout:
                raise Trouble(
                    f"cannot write the result: {why.strerror}", fix="free some space, then run this again"
                ) from None


def _size(stream: Any) -> os.terminal_size:
    """Return columns and lines of the stream's terminal, 0 without one."""
    try:
        return os.get_terminal_size(stream.fileno())
    except (AttributeError, OSError, ValueError):  # closed before the start; a file; replaced by a program
        return os.terminal_size((0, 0))


@contextmanager
def screen() -> Iterator[None]:
    """Show what `say` prints in the block at once, instead of what the terminal showed, and only as much as fits."""
    global _screen
    columns, rows = _size(sys.stdout)
    if not rows or not columns:
        yield
        return
    _screen = []
    try:
        yield
        lines = screenful(_screen, rows, columns)
    finally:
        _screen = None
    _write(sys.stdout, "\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
