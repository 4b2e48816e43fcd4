"""Which Tilts of the journal still run."""

from __future__ import annotations

import os

from tasks.core.process import processes
from tasks.core.state import journal
from tasks.flows.tilt import orphans


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
