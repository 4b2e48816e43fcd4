"""Which Tilts of the journal still run, and what is ended of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tasks.core.process import foreground, mark, processes
from tasks.core.process.processes import Process
from tasks.core.state import journal
from tasks.flows.tilt import orphans
from tasks.flows.tilt.environment import MARK
from tests.tasks.flows import fakes


def test_a_tilt_lives_while_its_pid_is_its_own():
    start = processes.started(os.getpid())
    mine = journal.record("process", name="tilt", group=os.getpid(), start=start)
    reused = journal.record("process", name="tilt", group=os.getpid(), start=start - 1)
    unstarted = journal.record("process", name="tilt")
    assert [orphans.lives(entry) for entry in (mine, reused, unstarted)] == [True, False, False]


def test_a_pid_that_was_reused_is_forgotten_and_not_ended():
    reused = journal.record("process", name="tilt", group=os.getpid(), start=processes.started(os.getpid()) - 1)
    assert orphans.stop(reused) == []
    assert orphans.runs() == []


RUN = "process-1"
TILT, OTHER, SERVE, CHILD, DAEMON, GRANDCHILD = 100, 101, 110, 111, 112, 113
TABLE = {  # pid: parent, session, mark, argv
    SERVE: (1, SERVE, RUN, ("/bin/sh", "-c", "serve", "it", "now")),
    CHILD: (SERVE, SERVE, RUN, ("node", "server.js")),
    DAEMON: (1, DAEMON, RUN, ("/usr/bin/telepresence", "userd")),
    GRANDCHILD: (CHILD, GRANDCHILD, RUN, ("setsid", "watcher")),
    OTHER: (1, OTHER, "process-2", ("/bin/sh",)),
    TILT: (1, TILT, "", ("tilt", "up")),
}


class Machine:
    """A process table, and what was sent to whom."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table = dict(TABLE)
        self.sent: list[tuple[str, int]] = []
        self.obeys = True
        monkeypatch.setattr(processes, "running", self.running)
        monkeypatch.setattr(processes, "stat", self.stat)
        monkeypatch.setattr(processes, "started", lambda pid: float(pid) if pid in self.table else 0.0)
        monkeypatch.setattr(Process, "variable", lambda process, name: self.variable(process.pid, name))
        monkeypatch.setattr(processes, "deliver", self.deliver)
        monkeypatch.setattr(foreground, "end_group", self.end_group)
        monkeypatch.setattr(orphans, "_SECONDS_TO_LEAVE", 0.0)

    def running(self) -> Iterator[Process]:
        for pid, (_, _, _, argv) in list(self.table.items()):
            yield Process(pid, float(pid), argv)

    def stat(self, pid: int) -> list[str]:
        if pid not in self.table:
            return []
        parent, session, _, _ = self.table[pid]
        return ["S", str(parent), str(session), str(session)]

    def variable(self, pid: int, name: str) -> str:
        return self.table[pid][2] if pid in self.table and name == MARK else ""

    def deliver(self, pid: int, number: int) -> None:
        self.sent.append((signal.Signals(number).name, pid))
        if self.obeys:
            self.table = {other: row for other, row in self.table.items() if row[1] != pid}

    def end_group(self, pid: int, grace: float = 0.0) -> None:
        self.sent.append(("end", pid))
        self.table = {other: row for other, row in self.table.items() if row[1] != pid}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def pids(found: list[Process]) -> list[int]:
    return [process.pid for process in found]


def test_what_carries_the_mark_and_leads_a_session_is_tilts_but_the_daemons_are_not(machine: Machine):
    assert pids(orphans.marked(RUN)) == [SERVE, GRANDCHILD]
    assert pids(orphans.marked("process-2")) == [OTHER]
    assert orphans.marked("process-3") == []


def test_an_orphan_is_what_tilt_started_itself(machine: Machine):
    assert pids(orphans.orphans(RUN)) == [SERVE]
    machine.table[GRANDCHILD] = (TILT, GRANDCHILD, RUN, ("setsid", "watcher"))
    assert pids(orphans.orphans(RUN)) == [SERVE, GRANDCHILD]
    machine.table[GRANDCHILD] = (SERVE, GRANDCHILD, RUN, ("setsid", "watcher"))
    assert pids(orphans.orphans(RUN)) == [SERVE]


def test_this_process_and_its_parents_are_never_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.table[120] = (SERVE, 120, RUN, ("inv", "tilt.up"))
    assert pids(orphans.marked(RUN)) == [SERVE, GRANDCHILD, 120]
    monkeypatch.setattr(os, "getpid", lambda: 120)
    assert pids(orphans.marked(RUN)) == [GRANDCHILD]


def test_orphans_are_asked_first_and_what_remains_is_ended(machine: Machine, capsys: pytest.CaptureFixture[str]):
    assert orphans.end(RUN) == ["sh -c serve it (pid 110)"]
    assert machine.sent == [("SIGTERM", SERVE), ("end", GRANDCHILD)]
    assert "sh -c serve it (pid 110)" in capsys.readouterr().err
    assert orphans.end(RUN) == []
    assert machine.sent == [("SIGTERM", SERVE), ("end", GRANDCHILD)]
    assert capsys.readouterr().err == ""


def test_an_orphan_that_ignores_the_signal_is_ended(machine: Machine):
    machine.obeys = False
    orphans.end(RUN)
    assert machine.sent == [("SIGTERM", SERVE), ("end", SERVE), ("end", GRANDCHILD)]


def test_a_running_tilt_is_ended_before_what_it_started(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    entry = journal.record("process", name="tilt", group=TILT, start=float(TILT), run=RUN)
    monkeypatch.setattr(mark, "carried_in_group", lambda group, mark: group == TILT)
    assert orphans.stop(entry) == ["tilt (pid 100)", "sh -c serve it (pid 110)"]
    assert machine.sent == [("end", TILT), ("SIGTERM", SERVE), ("end", GRANDCHILD)]
    assert journal.entries() == []


def test_without_a_recorded_mark_the_entry_itself_is_the_mark(machine: Machine):
    entry = journal.record("process", name="tilt")
    machine.table[SERVE] = (1, SERVE, entry.id, ("serve",))
    assert orphans.stop(entry) == ["serve (pid 110)"]


def test_only_tilts_of_killed_runs_are_recovered(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    killed = fakes.recorded(monkeypatch, "process", name="tilt", run=RUN)
    other = fakes.recorded(monkeypatch, "process", name="node")
    monkeypatch.setattr(type(killed), "owner_lives", property(lambda entry: entry.start == 2.0))
    monkeypatch.setattr(journal, "started", lambda pid: 2.0)
    living = journal.record("process", name="tilt", run="process-2")
    assert orphans.recover() == ["sh -c serve it (pid 110)"]
    assert journal.entries("process") == [other, living]
