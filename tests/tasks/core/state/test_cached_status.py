"""The cached status: any content of its file, and any reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.core.state import cached_status

GLANCE = Path(__file__).resolve().parents[4] / "tasks/core/state/cached_status.py"
FACT = {"section": "target", "name": "context", "value": "dev", "state": "ok", "fix": "", "at": time.time()}


def keep(content: str) -> None:
    place = Path(os.environ["REMOTE_DEV_STATE"])
    place.mkdir(exist_ok=True)
    (place / "status.json").write_text(content)


def glance(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-S", "-E", str(GLANCE), *words]
    return subprocess.run(argv, stderr=subprocess.PIPE, text=True, check=False, **{"stdout": subprocess.PIPE, **more})  # type: ignore[call-overload]


def test_what_was_kept_is_shown():
    keep(json.dumps({"schema": 1, "facts": [FACT]}))
    assert glance().stdout.split()[:3] == ["target", "context", "dev"]  # its age may follow
    assert json.loads(glance("--json").stdout)["cached"] is True


DAMAGED = {
    "empty": "{}",
    "a list": "[1]",
    "no JSON": "nonsense",
    "a number as fact": '{"facts": [5]}',
    "a number as section": '{"facts": [{"section": 1}]}',
    "nested too deeply": "[" * 200_000,
    "a time that no clock shows": json.dumps({"facts": [{**FACT, "at": -(10**400)}]}),
    "a list as state": json.dumps({"facts": [{**FACT, "state": []}]}),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_file_of_another_version_is_ignored(content: str):
    keep(content)
    done = glance()
    assert (done.returncode, done.stderr) == (1, "error: no status is kept yet\n  fix: inv status\n")
    assert json.loads(glance("--json").stdout)["error"]["fix"] == "inv status"


def test_a_reader_that_has_ended_is_not_an_error():
    keep(json.dumps({"schema": 1, "facts": [FACT]}))
    reading, writing = os.pipe()
    os.close(reading)
    done = glance(stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_is_an_error():
    keep(json.dumps({"schema": 1, "facts": [FACT]}))
    with open("/dev/full", "w") as full:
        done = glance(stdout=full)
    assert (done.returncode, done.stderr) == (1, "error: cannot write the result: No space left on device\n")


def test_a_named_pipe_is_not_waited_for():
    place = Path(os.environ["REMOTE_DEV_STATE"])
    place.mkdir()
    os.mkfifo(place / "status.json")
    done = glance(timeout=30)
    assert (done.returncode, done.stderr) == (1, "error: no status is kept yet\n  fix: inv status\n")


def test_other_peoples_names_do_not_control_the_terminal():
    keep(
        json.dumps(
            {"facts": [{**FACT, "name": "\x1b[2Jweb", "value": "a\rb\nok\u202ec", "state": "bad", "fix": "\x9b"}]}
        )
    )
    out = glance().stdout
    assert r"\x1b[2Jweb  a\rb\nok\u202ec" in out
    assert r"fix: \x9b" in out
    assert len(out.splitlines()) == 2


def test_what_another_user_kept_is_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    keep(json.dumps({"schema": 1, "facts": [FACT]}))
    assert cached_status.main([]) == 0
    capsys.readouterr()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert cached_status.main([]) == 1
    assert capsys.readouterr() == ("", "error: no status is kept yet\n  fix: inv status\n")
