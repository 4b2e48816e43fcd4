"""The criteria about time: computed from measurements on this machine, not known without one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from migration.criteria import _single_source, measured
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


@pytest.mark.parametrize(("pin_path", "words"), [("gitops", "core pins it"), ("", "nothing pins it")])
def test_a_gitops_beside_core_is_not_pinned(pin_path: str, words: str):
    repositories = SimpleNamespace(pin_path=pin_path)
    plan: Any = SimpleNamespace(results=[], simulation=SimpleNamespace(repositories=repositories))
    assert _single_source(plan).evidence.endswith(words)
