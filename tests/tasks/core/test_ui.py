"""The one place that prints, when its output cannot be read or written."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.core import ui
from tasks.core.errors import Trouble

ROOT = Path(__file__).resolve().parents[3]


def python(code: str, **more: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", f"from tasks.core import ui\n{code}"]
    return subprocess.run(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False, **more)  # type: ignore[call-overload]


def test_a_full_disk_behind_stdout_is_reported():
    with open("/dev/full", "w") as full:
        done = python("ui.say('result')", stdout=full)
    assert done.returncode == 1
    assert "cannot write the result: No space left on device" in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_terminal_does_not_stop_the_run():
    leader, follower = os.openpty()
    code = "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.read(0, 1); ui.talk('still'); ui.say('here'); open('{}', 'w').close()"
    done = Path(os.environ["HOME"]) / "done"
    reading, writing = os.pipe()
    run = subprocess.Popen(
        [sys.executable, "-c", f"from tasks.core import ui\n{code.format(done)}"],
        cwd=ROOT,
        stdin=reading,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    os.close(leader)
    os.write(writing, b"x")
    assert run.wait(60) == 0
    assert done.exists()


def test_streams_closed_before_the_start_cause_no_traceback():
    done = subprocess.run(
        [
            "sh",
            "-c",
            f"exec {sys.executable} -c 'from tasks.core import ui; ui.say(str(1)); ui.talk(str(2)); print(ui.can_ask())' <&- >&- 2>&-",
        ],
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0


def test_a_word_that_the_terminal_cannot_show_is_escaped():
    done = python("ui.say('gr\\u00fcn')", stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.stdout == "gr\\xfcn\n"


def test_half_a_surrogate_pair_stays_valid_json():
    done = python("ui.as_json({'value': '\\ud800 \\u00fc'})", stdout=subprocess.PIPE)
    assert json.loads(done.stdout)["value"] == "\ud800 ü"


def test_a_failure_is_printed_as_json_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(ui, "_json_printed", False)
    ui.failure_as_json(Trouble("it broke", why="it was old", fix="make a new one", code=3))
    ui.failure_as_json(Trouble("it broke again"))
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "error": {"what": "it broke", "why": "it was old", "fix": "make a new one"},
        "exit": 3,
    }


@pytest.mark.parametrize(
    ("terminal", "variables", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),  # as https://no-color.org has it: set, and not empty
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colours_are_used_only_on_a_terminal_without_no_color(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, variables: dict[str, str], coloured: bool
):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert ui.paint("done", "done") == ("\x1b[32mdone\x1b[0m" if coloured else "done")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Stdin and stderr are a terminal, outside of CI. What is written to stderr is its text."""
    shown = Terminal()
    for name in ("CI", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    # pytest replaces the streams of `sys` itself between the fixture and the test
    monkeypatch.setattr(ui, "sys", SimpleNamespace(stdin=Terminal(), stdout=Terminal(), stderr=shown))
    return shown


@pytest.mark.parametrize(
    ("answer", "confirmed"), [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_yes_confirms(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, answer: str, confirmed: bool):
    monkeypatch.setattr("tasks.core.ui.sys.stdin", Terminal(answer))
    if confirmed:
        ui.confirm("stop it?", yes=False, fix="--yes")
    else:
        with pytest.raises(Trouble) as refused:
            ui.confirm("stop it?", yes=False, fix="inv aks.stop --yes")
        assert refused.value.fix == "inv aks.stop --yes"
    assert terminal.getvalue() == "stop it? [y/N] "


def test_a_confirmed_question_is_not_asked(terminal: Terminal):
    ui.confirm("stop it?", yes=True, fix="")
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("missing", ["CI", "stdin", "stderr"])
def test_without_a_person_at_a_terminal_nothing_is_asked(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, missing: str
):
    assert ui.can_ask()
    if missing == "CI":
        monkeypatch.setenv("CI", "true")
    else:
        monkeypatch.setattr(f"tasks.core.ui.sys.{missing}", io.StringIO("y\n"))
    assert not ui.can_ask()
    with pytest.raises(Trouble):
        ui.confirm("stop it?", yes=False, fix="--yes")


@pytest.mark.parametrize(
    ("state", "mark", "colour"),
    [
        ("done", "ok", 32),
        ("pending", "..", 33),
        ("blocked", "!!", 31),
        ("waiting", "--", 0),
        ("unknown", "??", 35),
        ("running", "->", 36),
        ("failed", "xx", 31),
        ("another", "  ", 0),
    ],
)
def test_each_state_has_its_mark_and_colour(terminal: Terminal, state: str, mark: str, colour: int):
    ui.progress(state, "connect", "the session", 1.26)
    assert terminal.getvalue() == f"\x1b[{colour}m{mark}\x1b[0m connect      the session  1.3 s\n"


def test_there_is_no_colour_without_a_terminal(capsys: pytest.CaptureFixture[str]):
    ui.progress("done", "connect", "the session")
    assert capsys.readouterr().err == "ok connect      the session\n"


def test_secrets_of_six_characters_are_masked_and_shorter_ones_are_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(ui, "_secrets", set())
    ui.hide("secret", "secret-and-more", "words")
    ui.say("secret secret-and-more words")
    assert capsys.readouterr().out == "*** *** words\n"


def test_a_failure_is_the_document_only_when_there_is_none_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(ui, "_json_printed", False)
    why = Trouble("no", why="because", fix="do", code=3)
    ui.failure_as_json(why)
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1, "error": {"what": "no", "why": "because", "fix": "do"}, "exit": 3,
    }  # fmt: skip
    ui.failure_as_json(why)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(ui, "_json_printed", False)
    ui.as_json({"a": "ä"})
    ui.failure_as_json(why)
    assert capsys.readouterr().out == '{\n  "schema": 1,\n  "a": "ä"\n}\n'


def test_a_table_pads_all_columns_but_the_last(capsys: pytest.CaptureFixture[str]):
    ui.table([("a", 1, ""), ("longer", 22, "last")], indent="> ")
    assert capsys.readouterr().out == "> a       1\n> longer  22  last\n"
    ui.table([])
    assert capsys.readouterr().out == ""


HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\x7f\u202eevil\u2066\u061c"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\r\x9b31m\x7f\u202eevil\u2066\u061c"


@pytest.mark.parametrize("printed", ["say", "talk", "warn", "progress", "table", "error", "confirm"])
def test_control_characters_of_data_are_shown(
    printed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ui, "can_ask", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    prints: dict[str, Callable[[], object]] = {
        "say": lambda: ui.say(HOSTILE),
        "talk": lambda: ui.talk(HOSTILE),
        "warn": lambda: ui.warn(HOSTILE),
        "progress": lambda: ui.progress("done", HOSTILE, HOSTILE, 1),
        "table": lambda: ui.table([(HOSTILE, HOSTILE)]),
        "error": lambda: print(Trouble(HOSTILE, why=HOSTILE, fix=HOSTILE).message),  # as Invoke does
        "confirm": lambda: ui.confirm(HOSTILE, yes=False, fix=HOSTILE),
    }
    prints[printed]()
    out = "".join(capsys.readouterr())
    assert SHOWN in out
    assert not set(HOSTILE) & {c for c in out if not c.isprintable()}


def test_a_cell_stays_in_its_line(capsys: pytest.CaptureFixture[str]):
    ui.table([("web\nok  all is well", "x")])
    assert capsys.readouterr().out == "web\\nok  all is well  x\n"


def test_json_holds_the_data_without_control_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ui, "_json_printed", False)
    ui.as_json({"value": HOSTILE, "name": "grün"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"schema": 1, "value": HOSTILE, "name": "grün"}
    assert "grün" in out
    assert all(c.isprintable() or c == "\n" for c in out)


def test_tabs_umlauts_and_emoji_stay(capsys: pytest.CaptureFixture[str]):
    text = "a\tb\nüñ 日本 👩\u200d🔧\u00a0"
    ui.say(text)
    assert capsys.readouterr().out == f"{text}\n"
