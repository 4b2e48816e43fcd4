"""The errors of the Tiltfile, as problems with a fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.errors import FAILED, REFUSED, Problem
from tasks.flows.tilt import preflight
from tests.tiltfile.conftest import CONTEXT, Checkout, make_core

FIX_THE_TILTFILE = "fix the Tiltfile, or the file that it names"


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("no chart a\n  fix: git submodule update", Problem("no chart a", fix="git submodule update")),
        ("no chart a\n  fix: b\nno chart c\n  fix: d", Problem("no chart a (and 1 more: no chart c)", fix="b")),
        ("refused: production\n  fix: a", Problem("refused: production", fix="a", code=REFUSED)),
        ("indexing: no key", Problem("indexing: no key", fix=FIX_THE_TILTFILE)),
        ("", Problem("the Tiltfile ended with an error", fix=FIX_THE_TILTFILE)),
        (
            "config.parse: unknown flag: --x\nUsage:\n  --only",
            Problem(
                "config.parse: unknown flag: --x",
                fix="the Tiltfile takes --only NAMES and --intercept NAMES after --",
            ),
        ),
    ],
)
def test_an_error_of_the_tiltfile_is_a_problem_with_its_fix(error: str, problem: Problem):
    assert preflight.trouble(error).problem == problem


def test_a_second_source_of_arguments_is_named_as_the_cause():
    assert preflight.trouble("x", "tilt_config.json is read too").why == "tilt_config.json is read too"


def test_every_problem_of_the_real_tiltfile_has_a_fix(tmp_path: Path):
    checkout = Checkout(make_core(tmp_path / "pair"))
    checkout.service("graph", release="apps-graph", chart={"path": "charts/none", "tilt_values": ["none.yaml"]})
    error = checkout.refused("--only=graph,platform", "--intercept=workflows-runtime")
    chart, values, port = preflight.problems(error.partition("Error in fail: ")[2])
    assert [problem.code for problem in (chart, values, port)] == [FAILED] * 3
    assert all("correct chart." in problem.fix for problem in (chart, values))
    assert port.fix == "inv tilt.up --only workflows-runtime deploys it"


def test_another_context_is_refused_with_the_command_for_the_right_one(tmp_path: Path):
    error = Checkout(make_core(tmp_path / "pair")).refused(context="kind-kind")
    (problem,) = preflight.problems(error.partition("Error in fail: ")[2])
    assert problem.code == REFUSED
    assert problem.fix == f"tilt up --context {CONTEXT}, or inv tilt.up"
