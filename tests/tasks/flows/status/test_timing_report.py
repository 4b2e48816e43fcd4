"""Measured times against the budgets."""

from __future__ import annotations

import json

import pytest

from tasks.core.config.settings import settings
from tasks.core.errors import Trouble
from tasks.core.state import timing
from tasks.flows.status import timing_report


def test_cold_and_warm_stand_apart_with_their_percentiles():
    for seconds in (5.0, 1.0, 2.0, 3.0):
        timing.keep("intercept", seconds, cold=seconds == 5.0)
    cold, warm = timing_report.rows(settings())
    assert (cold.kind, cold.runs, cold.p50) == ("cold", 1, 5.0)
    assert (warm.kind, warm.runs, warm.p50, warm.p95, warm.newest) == ("warm", 3, 2.0, 3.0, 3.0)


def test_steps_are_shown_when_their_run_is_named():
    timing.keep("setup", 9.0)
    timing.keep("setup.connect", 4.0)
    assert [row.what for row in timing_report.rows(settings())] == ["setup"]
    assert [row.what for row in timing_report.rows(settings(), "setup")] == ["setup", "setup.connect"]


def test_a_missed_budget_ends_with_1_when_asked_for(capsys: pytest.CaptureFixture[str]):
    timing.keep("connect", 31.0)
    timing_report.show(what="", json=True, must=False)
    assert json.loads(capsys.readouterr().out)["times"][0]["kept"] is False
    with pytest.raises(SystemExit, match="1"):
        timing_report.show(what="", json=False, must=True)
    assert "missed" in capsys.readouterr().out


def test_a_setup_that_stopped_half_way_measures_nothing():
    timing.keep("setup", 9.0, done=True)
    timing.keep("setup", 0.1, done=False)
    assert [row.newest for row in timing_report.rows(settings())] == [9.0]


def test_what_nobody_measures_is_named_with_the_nearest():
    with pytest.raises(Trouble, match="inv timing --what intercept"):
        timing_report.show(what="intercepts", json=False, must=False)


def test_nothing_measured_is_said(capsys: pytest.CaptureFixture[str]):
    timing_report.show(what="", json=False, must=False)
    assert "nothing was measured" in capsys.readouterr().out
