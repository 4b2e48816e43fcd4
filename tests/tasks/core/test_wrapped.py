"""Long lines break between words with a hanging indent, on a terminal only."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tasks.core.wrapped import screenful, wrapped

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "hang", "lines"),
    [
        ("x" * 40, None, ["x" * 40]),
        ("error: the quick brown fox jumps over the lazy dog", None,
         ["error: the quick brown fox jumps over the", "       lazy dog"]),
        ("  why: the quick brown fox jumps over the lazy dog\nshort", None,
         ["  why: the quick brown fox jumps over the", "       lazy dog", "short"]),
        ("ok a    b   the quick brown fox jumps over the lazy dog", 12,
         ["ok a    b   the quick brown fox jumps over", "            the lazy dog"]),
        (f"error: see {'/x' * 30} there", None, ["error: see", f"       {'/x' * 30}", "       there"]),
        ("a" * 30 + " the quick brown fox jumps", 30, ["a" * 30 + " the quick", "    brown fox jumps"]),
    ],
)  # fmt: skip
def test_lines_break_between_words(text: str, hang: int | None, lines: list[str]):
    assert wrapped(text, 42, hang).split("\n") == lines


def test_commands_to_copy_and_narrow_windows_are_left_alone():
    fix = f"  fix: inv intercept {'www ' * 30}"
    assert wrapped(fix, 42) == fix
    assert wrapped(f"    $ {'a ' * 50}", 42) == f"    $ {'a ' * 50}"
    assert wrapped("a " * 50, 20) == wrapped("a " * 50, 0) == "a " * 50


def test_a_screen_has_as_many_lines_as_the_window():
    assert screenful(list("abc"), 4, 80) == list("abc")
    assert screenful(list("abc"), 3, 80) == ["a", "... 2 more lines: enlarge the window, or see `inv status`"]


def test_a_line_that_is_not_broken_counts_as_the_rows_it_takes():
    fix = "  fix: " + "x" * 120  # three rows of 60 columns
    assert screenful(["a", fix, "b"], 6, 60) == ["a", fix, "b"]
    assert screenful(["a", fix, "b"], 5, 60) == ["a", "... 2 more lines: enlarge the window, or see `inv status`"]
    assert screenful(["x" * 60, "b"], 3, 60) == ["x" * 60, "b"]
    assert screenful([fix, fix], 4, 40) == ["... 2 more lines: enlarge the window, or"]


def on_terminal(code: str, columns: int = 60, rows: int = 8) -> list[str]:
    """Run the code with a terminal of this size as stdout and stderr; return its lines."""
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    argv = [sys.executable, "-c", f"from tasks.core import ui\n{code}"]
    run = subprocess.Popen(argv, cwd=ROOT, stdout=follower, stderr=follower, env={**os.environ, "NO_COLOR": "1"})
    os.close(follower)
    said = b""
    try:
        while more := os.read(leader, 65536):
            said += more
    except OSError:  # Linux: the last process with the terminal has ended
        pass
    os.close(leader)
    assert run.wait(60) == 0
    return said.decode().replace("\r\n", "\n").splitlines()


LONG = "the quick brown fox jumps over the lazy dog and then over the other one"


def test_remarks_steps_and_tables_fit_the_terminal():
    code = f"ui.warn({LONG!r}); ui.progress('done', 'tools', {LONG!r}, 1); ui.table([('a', {LONG!r}), ('long', 'b')])"
    lines = on_terminal(code)
    assert lines == [
        "warning: the quick brown fox jumps over the lazy dog and",
        "         then over the other one",
        "ok tools        the quick brown fox jumps over the lazy dog",
        "                and then over the other one  1.0 s",
        "a     the quick brown fox jumps over the lazy dog and then",
        "      over the other one",
        "long  b",
    ]


def test_data_is_not_broken():
    assert on_terminal(f"ui.say({LONG!r}); ui.as_json({{'a': {LONG!r}}})")[0] == LONG


def test_a_screen_replaces_what_the_window_shows_and_fits_it():
    (whole,) = ["\n".join(on_terminal("with ui.screen():\n for n in range(20): ui.say(f'line {n}', hang=0)"))]
    assert whole.startswith("\x1b[Hline 0\x1b[K\nline 1\x1b[K\n")
    assert whole.count("\n") == 7  # the cursor is on the eighth of eight lines
    assert "line 5\x1b[K\n... 14 more lines" in whole


def test_without_a_terminal_nothing_is_broken(capsys: pytest.CaptureFixture[str]):
    from tasks.core import ui

    with ui.screen():
        ui.say(LONG * 3, hang=0)
    ui.warn(LONG * 3)
    assert capsys.readouterr() == (f"{LONG * 3}\n", f"warning: {LONG * 3}\n")
