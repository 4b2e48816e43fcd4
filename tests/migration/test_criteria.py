"""The criteria about time: computed from measurements on this machine, not known without one."""

from __future__ import annotations

from migration.criteria import measured
from tasks.core.config.settings import Budgets
from tasks.core.state import timing


def test_a_criterion_without_a_measurement_is_not_known():
    assert [c.met for c in measured(Budgets())] == [None] * 4


def test_a_warm_or_failed_setup_is_not_a_fresh_start():
    timing.keep("setup", 900, cold=True, done=True)
    timing.keep("setup", 2, cold=False, done=True)
    timing.keep("setup", 3, cold=True, done=False)
    fresh = measured(Budgets())[0]
    assert (fresh.met, fresh.evidence) == (False, "900.0 s, measured last")


def test_clone_to_running_is_the_sum_of_a_fresh_setup_and_an_intercept():
    timing.keep("setup", 200, cold=True, done=True)
    assert measured(Budgets())[3].met is None
    timing.keep("intercept", 7)
    running = measured(Budgets())[3]
    assert (running.number, running.met) == (6, True)
    assert running.evidence.startswith("207.0 s")
