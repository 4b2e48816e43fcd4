"""Measured times against the budgets."""

from __future__ import annotations

import json

import pytest

from tasks.core.config.settings import settings
from tasks.core.errors import Trouble
from tasks.core.state import timing
from tasks.flows.status import cli, timing_report


def test_cold_and_warm_runs_have_rows_and_percentiles_of_their_own():
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


def test_a_missed_budget_exits_with_1_when_asked_for(capsys: pytest.CaptureFixture[str]):
    timing.keep("connect", 31.0)
    cli.timing(what="", json=True, must=False)
    assert json.loads(capsys.readouterr().out)["times"][0]["kept"] is False
    with pytest.raises(SystemExit, match="1"):
        cli.timing(what="", json=False, must=True)
    assert "missed" in capsys.readouterr().out


def test_a_setup_that_did_not_finish_is_not_measured():
    timing.keep("setup", 9.0, done=True)
    timing.keep("setup", 0.1, done=False)
    assert [row.newest for row in timing_report.rows(settings())] == [9.0]


def test_an_unknown_measurement_is_refused_with_the_nearest_name():
    with pytest.raises(Trouble, match="inv timing --what intercept"):
        cli.timing(what="intercepts", json=False, must=False)


def test_without_measurements_it_says_so(capsys: pytest.CaptureFixture[str]):
    cli.timing(what="", json=False, must=False)
    assert "nothing was measured" in capsys.readouterr().out
