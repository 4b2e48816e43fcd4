"""The criteria about time: told from what was measured on this machine, and not known where nothing was."""

from __future__ import annotations

from migration.criteria import measured
from tasks.core.config.settings import Budgets
from tasks.core.state import timing


def test_nothing_is_met_that_was_not_measured():
    assert [c.met for c in measured(Budgets())] == [None] * 4


def test_a_second_setup_or_one_that_failed_proves_no_fresh_start():
    timing.keep("setup", 900, cold=True, done=True)
    timing.keep("setup", 2, cold=False, done=True)
    timing.keep("setup", 3, cold=True, done=False)
    fresh = measured(Budgets())[0]
    assert (fresh.met, fresh.evidence) == (False, "900.0 s, measured last")


def test_from_clone_to_a_running_service_is_a_fresh_setup_and_an_intercept():
    timing.keep("setup", 200, cold=True, done=True)
    assert measured(Budgets())[3].met is None
    timing.keep("intercept", 7)
    running = measured(Budgets())[3]
    assert (running.number, running.met) == (6, True)
    assert running.evidence.startswith("207.0 s")
