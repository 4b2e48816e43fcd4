"""Whose process group is it? Groups of real processes, with and without the mark of a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tasks.core.process import child, mark
from tasks.core.process.processes import group_lives, started
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tests.made import settings
from tests.world import until

# The leader starts a process in its own group, says so, and ends when its stdin is closed.
LEADER = (
    "import subprocess, sys;"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], stdin=subprocess.DEVNULL);"
    "print('ready', flush=True); sys.stdin.read()"
)


@contextmanager
def group(*, marked: bool) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Two processes in a group of their own, started by the suite or by something else."""
    argv = [sys.executable, "-c", LEADER]
    if marked:
        leader = child.start(argv, env=os.environ, stdin=subprocess.PIPE)
    else:
        foreign = {name: value for name, value in os.environ.items() if name != mark.VARIABLE}
        leader = subprocess.Popen(
            argv, env=foreign, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
    try:
        assert leader.stdout is not None
        assert leader.stdout.readline() == b"ready\n"
        yield leader.pid, leader
    finally:
        try:
            os.killpg(leader.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        leader.wait()
        for pipe in (leader.stdin, leader.stdout, leader.stderr):
            if pipe:
                pipe.close()


def leader_ends(leader: subprocess.Popen[bytes]) -> None:
    assert leader.stdin is not None
    leader.stdin.close()
    leader.wait(30)


def lives(number: int) -> bool:
    return group_lives(number)


def recorded(number: int) -> Entry:
    return journal.record("process", group=number, start=started(number))


@pytest.mark.parametrize("leader_lives", [True, False])
def test_a_group_of_ours_is_known_also_without_its_leader(leader_lives: bool):
    with group(marked=True) as (number, leader):
        entry = recorded(number)
        if not leader_lives:
            leader_ends(leader)
        assert entry.group == number


@pytest.mark.parametrize("leader_lives", [True, False])
def test_a_group_of_somebody_else_with_the_number_is_not_ours(leader_lives: bool):
    """After a reboot or in a rebuilt container the number of the journal is another group's."""
    with group(marked=False) as (number, leader):
        entry = recorded(number)
        if not leader_lives:
            leader_ends(leader)
        assert lives(number)
        assert entry.group == 0


def test_down_leaves_a_group_of_somebody_else_alone():
    from tasks.flows.teardown import undo

    with group(marked=False) as (number, leader):
        recorded(number)
        leader_ends(leader)
        for change in undo.changes(settings(), []):
            change.run()
        assert lives(number)
        assert journal.entries("process") == []


def test_down_ends_what_is_left_of_a_group_of_ours():
    from tasks.flows.teardown import undo

    with group(marked=True) as (number, leader):
        recorded(number)
        leader_ends(leader)
        for change in undo.changes(settings(), []):
            change.run()
        assert until(lambda: not lives(number))


def test_a_group_of_another_run_of_the_suite_is_not_this_runs(monkeypatch: pytest.MonkeyPatch):
    with group(marked=True) as (number, _):
        monkeypatch.setattr(journal, "started", lambda pid: 1.0)  # recorded by a run with this pid, earlier
        assert recorded(number).group == 0


def test_an_entry_of_another_boot_has_no_group_and_no_living_owner(monkeypatch: pytest.MonkeyPatch):
    with group(marked=True) as (number, _):
        with monkeypatch.context() as earlier:
            earlier.setattr(mark, "boot", lambda: "another boot")
            entry = recorded(number)
        assert (entry.group, entry.owner_lives) == (0, False)


def test_every_child_carries_the_mark_of_this_run_and_of_no_other():
    own = mark.of(os.getpid(), started(os.getpid()), mark.boot())
    for inherited in ({"A": "1", mark.VARIABLE: "outer"}, {b"A": b"1", mark.VARIABLE.encode(): b"outer"}):
        done = child.start(["/usr/bin/env"], env=inherited)
        out, _ = done.communicate()
        assert sorted(out.decode().splitlines()) == sorted(["A=1", f"{mark.VARIABLE}={own}"])
