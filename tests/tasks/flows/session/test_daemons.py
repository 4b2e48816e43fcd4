"""The daemons in the process table: which are ours, and how they are ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tasks.core.errors import Problem, Trouble
from tasks.core.process import processes
from tasks.core.process.processes import Process
from tasks.core.state import journal
from tasks.flows.session import daemons
from tasks.tools import base
from tests.made import settings


@pytest.mark.parametrize(
    ("argv", "daemon", "user"),
    [
        (("telepresence", "userd"), True, True),
        (("telepresence", "connector-foreground"), True, True),
        (("telepresence", "rootd"), True, False),
        (("telepresence", "daemon-foreground"), True, False),
        (("telepresence", "--flag", "userd"), True, True),
        (("telepresence", "connect"), False, False),
        (("userd",), False, False),
        (("telepresence", "a", "b", "userd"), False, False),
    ],
)
def test_a_daemon_is_named_by_its_first_arguments(argv: tuple[str, ...], daemon: bool, user: bool):
    process = Process(1, 1.0, argv)
    assert daemons.is_daemon(process) is daemon
    assert daemons.is_daemon(process, user_only=True) is user


def test_daemons_of_other_projects_are_not_ours(monkeypatch: pytest.MonkeyPatch):
    s = settings()
    table = {
        1: (("/usr/bin/telepresence", "userd"), str(base.frozen_kubeconfig(s))),
        2: (("/usr/bin/telepresence", "userd"), "/other"),
        3: (("/usr/bin/node", "userd"), str(base.frozen_kubeconfig(s))),
        4: (("/usr/bin/telepresence", "list"), str(base.frozen_kubeconfig(s))),
    }
    monkeypatch.setattr(
        processes, "running", lambda: iter([Process(pid, 1.0, argv) for pid, (argv, _) in table.items()])
    )
    monkeypatch.setattr(Process, "variable", lambda self, name: table[self.pid][1] if name == "KUBECONFIG" else "")
    assert [process.pid for process in daemons.ours(s)] == [1]


@pytest.mark.parametrize(
    ("ends_with", "sent"),
    [
        (signal.SIGTERM, [signal.SIGTERM]),
        (signal.SIGKILL, [signal.SIGTERM, signal.SIGKILL]),
    ],
)
def test_daemons_are_asked_first_and_killed_then(
    monkeypatch: pytest.MonkeyPatch, ends_with: signal.Signals, sent: list[signal.Signals]
):
    living = {4711, 4712}
    seen: list[tuple[int, int]] = []

    def kill(pid: int, number: int) -> None:
        seen.append((pid, number))
        if pid == 4712:
            raise PermissionError
        if number == ends_with:
            living.clear()

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(daemons, "until", lambda question, **how: question())
    monkeypatch.setattr(Process, "lives", property(lambda self: self.pid in living))
    change = daemons.end([Process(pid, 1.0, ("telepresence", "userd")) for pid in (4712, 4711, 4710)], "is old")
    assert change.text == "end the daemon that is old (pid 4712, 4711, 4710)"
    assert change.equivalent == ("kill", "4712", "4711", "4710")
    change.run()
    assert seen == [(pid, number) for number in sent for pid in (4712, 4711)]


HERE, OTHER = "here", "other"


class Table:
    """A process table: rows of (owner of the environment, arguments). Environments of root cannot be read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s = settings()
        self.rows: dict[int, tuple[str, tuple[str, ...]]] = {}
        cache = str(Path.home() / ".cache/telepresence")
        self.rootd = ("/usr/bin/telepresence", "rootd", "--cache", cache, "--address", ":41801")
        monkeypatch.setattr(
            processes, "running", lambda: iter([Process(pid, 1.0, argv) for pid, (_, argv) in self.rows.items()])
        )
        monkeypatch.setattr(Process, "variable", lambda process, name: self.variable(process.pid, name))

    def variable(self, pid: int, name: str) -> str:
        owner = self.rows[pid][0]
        values = {
            HERE: {"KUBECONFIG": str(base.frozen_kubeconfig(self.s)), "HOME": str(Path.home())},
            OTHER: {"KUBECONFIG": "/other", "HOME": str(Path.home())},
        }
        return values.get(owner, {}).get(name, "")

    @property
    def everything(self) -> list[int]:
        return [process.pid for process in daemons.everything(self.s)]


USERD = ("/usr/bin/telepresence", "userd", "--address", ":1")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(monkeypatch)


def test_the_root_daemon_is_known_by_its_command_line(table: Table):
    table.rows = {1: (HERE, USERD), 2: ("root", table.rootd), 3: ("root", ("sudo", "-b", *table.rootd))}
    assert [process.pid for process in daemons.ours(table.s)] == [1]
    assert table.everything == [1, 2]


def test_a_root_daemon_that_is_left_belongs_to_the_session_of_the_journal(table: Table):
    table.rows = {2: ("root", table.rootd)}
    assert table.everything == []
    journal.record("session", kubeconfig=str(base.frozen_kubeconfig(table.s)))
    assert table.everything == [2]


def test_a_root_daemon_that_another_project_uses_is_not_ours(table: Table):
    journal.record("session", kubeconfig=str(base.frozen_kubeconfig(table.s)))
    table.rows = {1: (OTHER, USERD), 2: ("root", table.rootd)}
    assert table.everything == []


def test_a_root_daemon_of_another_home_is_not_ours(table: Table):
    old = ("/usr/bin/telepresence", "daemon-foreground", "/home/bob/.cache/telepresence/logs", "/home/bob/.config")
    own = ("/usr/bin/telepresence", "daemon-foreground", str(Path.home() / ".cache/telepresence/logs"))
    table.rows = {1: (HERE, USERD), 2: ("root", old), 3: ("root", own)}
    assert table.everything == [1, 3]


@pytest.fixture
def of_root(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """A living daemon of root, which this user may not signal; until() asks once."""
    living = {4711}

    def kill(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(daemons, "until", lambda question, **how: question())
    monkeypatch.setattr(daemons, "_is_own", lambda pid: False)
    monkeypatch.setattr(Process, "lives", property(lambda self: self.pid in living))
    return living


def program(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Let `sudo` be this script, and the only program."""
    folder.mkdir()
    (folder / "sudo").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_daemon_of_root_is_ended_with_sudo(monkeypatch: pytest.MonkeyPatch, of_root: set[int], tmp_path: Path):
    program(monkeypatch, tmp_path / "bin", f'echo sudo "$@" >>{tmp_path}/asked')
    with pytest.raises(Trouble):  # this sudo does nothing
        daemons.end([Process(4711, 1.0, ("telepresence", "rootd"))], "is left").run()
    assert (tmp_path / "asked").read_text() == "sudo -n kill -TERM 4711\nsudo -n kill -KILL 4711\n"


@pytest.mark.parametrize("sudo", [True, False])
def test_a_daemon_of_root_that_stays_is_named_with_the_command_that_ends_it(
    monkeypatch: pytest.MonkeyPatch, of_root: set[int], tmp_path: Path, sudo: bool
):
    if sudo:
        program(monkeypatch, tmp_path / "bin", "echo 'sudo: a password is required' >&2; exit 1")
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Trouble) as left:
        daemons.end([Process(4711, 1.0, ("telepresence", "rootd"))], "is left").run()
    assert left.value.problem == Problem(
        "Telepresence's daemon still runs (pid 4711), with its network device and its routes",
        "it belongs to root, and sudo wants a password here",
        "sudo kill 4711",
    )


def test_a_network_device_that_outlives_the_daemons_is_named(
    monkeypatch: pytest.MonkeyPatch, of_root: set[int], table: Table, tmp_path: Path
):
    of_root.clear()
    (tmp_path / "tel0").mkdir()
    (tmp_path / "telegraf").mkdir()
    monkeypatch.setattr(daemons, "_DEVICES", str(tmp_path))
    gone = daemons.end([Process(4711, 1.0, ("telepresence", "rootd"))], "is left")
    with pytest.raises(Trouble) as left:
        gone.run()
    assert left.value.fix == "sudo ip link delete tel0"
    table.rows = {9: ("root", ("/usr/bin/telepresence", "rootd", "--cache", "/home/bob/.cache/telepresence"))}
    gone.run()  # the device may be that of another user's session


def test_the_socket_of_a_killed_root_daemon_is_deleted(
    monkeypatch: pytest.MonkeyPatch, of_root: set[int], table: Table, tmp_path: Path
):
    of_root.clear()
    monkeypatch.setattr(daemons, "_SOCKET", str(tmp_path / "socket"))
    monkeypatch.setattr(daemons, "_DEVICES", str(tmp_path / "gone"))
    (tmp_path / "socket").touch()
    daemons.end([Process(4711, 1.0, ("telepresence", "daemon-foreground"))], "is left").run()
    assert not (tmp_path / "socket").exists()


def test_a_socket_of_root_is_deleted_with_sudo_or_named(
    monkeypatch: pytest.MonkeyPatch, of_root: set[int], table: Table, tmp_path: Path
):
    of_root.clear()
    socket = tmp_path / "not-to-unlink"  # a folder: os.unlink fails for everyone, as it does in root's folder
    socket.mkdir()
    program(monkeypatch, tmp_path / "bin", f'echo sudo "$@" >>{tmp_path}/asked')
    monkeypatch.setattr(daemons, "_SOCKET", str(socket))
    monkeypatch.setattr(daemons, "_DEVICES", str(tmp_path / "gone"))
    with pytest.raises(Trouble) as left:  # this sudo does nothing
        daemons.end([Process(4711, 1.0, ("telepresence", "daemon-foreground"))], "is left").run()
    assert (tmp_path / "asked").read_text() == f"sudo -n rm -f {socket}\n"
    assert left.value.fix == f"sudo rm {socket}"


def test_a_root_daemon_of_2_20_has_the_time_to_remove_its_socket(monkeypatch: pytest.MonkeyPatch):
    """It ends 4.1 s after SIGTERM (measured with 2.20.2); killed earlier it leaves its socket, which belongs to root."""
    clock = [0.0]
    asked: list[float] = []
    sent: list[signal.Signals] = []

    def send(found: Iterable[Process], number: signal.Signals) -> None:
        asked.append(clock[0])
        sent.append(number)

    monkeypatch.setattr(daemons, "until", lambda what, *, every, for_: _passes(clock, for_, what))
    monkeypatch.setattr(daemons, "_signal", send)
    monkeypatch.setattr(Process, "lives", property(lambda self: not asked or clock[0] < asked[0] + 4.1))
    monkeypatch.setattr(daemons, "_must_leave_nothing", lambda: None)
    daemons.end([Process(1, 1.0, ("telepresence", "daemon-foreground"))], "does not answer").run()
    assert sent == [signal.SIGTERM]


def _passes(clock: list[float], seconds: float, what: Callable[[], bool]) -> bool:
    clock[0] += seconds
    return what()
