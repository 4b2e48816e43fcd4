"""The one place that prints, when its output cannot be read or written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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
    assert run.wait(20) == 0
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
