"""Other users of the machine: their folders are not taken for sandboxes, and no process but a sandbox's own is ended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import box as boxes
from sandbox import control
from tasks.core.errors import Trouble
from tests.sandbox.shell import Shell, wait_until


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files in which only this test's sandboxes are."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(boxes, "base", lambda: str(folder))
    return folder


def planted(base: Path, name: str = "abc123", pid: int = 1, **more: object) -> Path:
    """A folder with the name and the files of a sandbox."""
    folder = base / f"remote-sandbox-{os.geteuid()}-{name}"
    folder.mkdir(mode=0o700)
    ready = {"pid": pid, "start": 1.0, "ingress": "http://127.0.0.1:1", **more}
    (folder / "ready.json").write_text(json.dumps(ready))
    (folder / "options.json").write_text(
        json.dumps({"path": "/tmp/evil", "telepresence": "2.31.0", "foreign": [], "ends_with": []})
    )
    return folder


def test_a_folder_that_others_can_open_is_skipped_with_a_word(base, capsys):
    planted(base).chmod(0o755)
    assert control.known() == []
    assert "is skipped: other users can open it (mode 0755)" in capsys.readouterr().err


def test_a_link_is_skipped_with_a_word(base, capsys):
    real = planted(base)
    real.rename(base / "elsewhere")
    real.symlink_to(base / "elsewhere")
    assert control.known() == []
    assert "is skipped: it is not a folder, but a link" in capsys.readouterr().err


def test_a_folder_of_another_user_is_skipped_with_a_word(base, capsys, monkeypatch):
    real = planted(base)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    real.rename(base / f"remote-sandbox-{mine + 1}-abc123")
    assert control.known() == []
    assert f"is skipped: it belongs to user {mine}" in capsys.readouterr().err


BROKEN = {
    "empty": "",
    "half": "{",
    "a list": "[]",
    "null": "null",
    "keys that are missing": '{"pid": 1}',
    "a word as pid": '{"pid": "x", "start": 1, "ingress": ""}',
    "a pid without end": '{"pid": Infinity, "start": 1, "ingress": ""}',
    "a list as start": '{"pid": 1, "start": [1], "ingress": ""}',
    "brackets": "[" * 200_000,
    "a NUL byte": "\0",
}


@pytest.mark.parametrize("name", ["ready.json", "options.json"])
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_folder_is_skipped_and_the_others_are_found(base, capsys, name, text):
    (planted(base, "broken") / name).write_text(text)
    planted(base, "whole")
    assert [box.id for box in control.known()] == ["whole"]
    assert f"broken is skipped: its {name} is not that of a sandbox" in capsys.readouterr().err


@pytest.mark.parametrize(("make", "reason"), [(Path.mkdir, "Is a directory"), (os.mkfifo, "not a regular file")])
@pytest.mark.parametrize("name", ["ready.json", "options.json"])
def test_what_is_not_a_file_is_not_waited_for(base, capsys, name, make, reason):
    place = planted(base, "broken") / name
    place.unlink()
    make(place)
    assert control.known() == []
    assert f"broken is skipped: its {name} cannot be read: {reason}" in capsys.readouterr().err


def test_a_folder_that_this_shell_names_is_looked_at_too(base, monkeypatch):
    folder = planted(base)
    folder.chmod(0o777)
    monkeypatch.setenv("REMOTE_SANDBOX", str(folder))
    with pytest.raises(Trouble, match="other users can open it"):
        control.find()


def test_a_process_that_is_not_the_server_is_never_ended(base, background):
    """Neither one with the pid of a server that crashed, nor one that began at the same tick after a reboot."""
    other = background([sys.executable, "-c", "import time; time.sleep(600)"], dict(os.environ))
    start = wait_until_started(other)
    planted(base, pid=other.pid, start=start)
    (box,) = control.known()
    assert not box.lives()
    assert control.running() == []
    control.down(box)
    assert not box.path.exists()
    assert other.poll() is None


def test_another_sandboxs_server_is_not_ended(base, make_box):
    real = make_box()
    planted(base, pid=real.pid, start=real.start)
    (box,) = control.known()
    control.down(box)
    assert real.lives()


def test_down_of_all_removes_what_a_killed_server_left(base, make_box):
    box = make_box()
    shutil.move(box.path, base)
    os.kill(box.pid, 9)
    os.waitpid(box.pid, 0)
    (left,) = control.known()
    control.down(left)
    assert list(base.iterdir()) == []


def test_a_shell_whose_sandbox_has_ended_is_not_given_another(make_box, monkeypatch):
    box, _other = make_box(), make_box()
    monkeypatch.setenv("REMOTE_SANDBOX", str(box.path))
    assert control.find().id == box.id
    control.down(box)
    with pytest.raises(Trouble, match="which has ended") as seen:
        control.find()
    assert "open a new shell" in seen.value.fix


def test_a_sandbox_in_a_sandbox_keeps_the_machines_programs(make_box, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("kubectl", "only-here"):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    outer = make_box(environ={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    inner = make_box(environ=outer.environment())
    assert shutil.which("only-here", path=inner.env["PATH"])
    assert Path(shutil.which("kubectl", path=inner.env["PATH"]) or "").parent == inner.path / "bin"


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "evil.example.com:80", ""])
def test_a_page_of_another_site_reaches_no_service_through_the_ingress(make_box, host):
    box = make_box()
    me = Shell(box, box.environment())
    assert me.ask(Host=host).status == 404
    assert me.ask(Host=box.ingress.removeprefix("http://")).status == 200


def wait_until_started(process: subprocess.Popen[bytes]) -> float:
    from tasks.core.process.processes import started

    assert wait_until(lambda: started(process.pid))
    return started(process.pid)
