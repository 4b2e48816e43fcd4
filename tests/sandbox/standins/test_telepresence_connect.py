"""The connect of a CLI that is killed meanwhile. The thread that serves it notices that only when it next waits or prints."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.protocol.call import Call, CallerGone
from sandbox.standins.telepresence import cli, connect
from sandbox.standins.telepresence.daemon import Daemon
from tests.sandbox.workstation import Workstation


class Killed:
    """The connection to a CLI that was killed."""

    def check(self, seconds: float) -> None:
        raise CallerGone

    def emit(self, text: str, error: bool = False) -> None:
        raise CallerGone


def test_no_other_cli_finds_the_daemon_before_or_after_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ws = Workstation(tmp_path)
    user = ws.world.users["developer"]
    said: list[str] = []

    def launch(world: Any, user: Any, environ: Any, title: Any, root: Any = (), cli: Any = None) -> Daemon:
        process = SimpleNamespace(pid=1, poll=lambda: None)
        user.daemons.append(Daemon("of-the-killed", process, title, cli=cli))
        said.extend((ws("telepresence", "status").out, ws("telepresence", "quit", "-s").out))
        return user.daemons[-1]

    monkeypatch.setattr(connect, "launch", launch)
    with pytest.raises(CallerGone):
        cli.handle(Call("telepresence", ("connect",), ws.env, str(ws.home), 1, line=Killed()), ws.world)
    said.extend((ws("telepresence", "status").out, ws("telepresence", "quit", "-s").out))
    assert [text.splitlines()[:1] for text in said] == [["OSS User Daemon: Not running"], ["Quit"]] * 2
    assert [daemon.id for daemon in user.daemons] == ["of-the-killed"]
