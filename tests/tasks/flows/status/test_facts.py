"""What `inv status` says about the things this workstation made."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Problem, Trouble
from tasks.core.state import journal
from tasks.flows.status import facts
from tasks.flows.status.facts import Fact, State


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record what follows as made by a run that has ended."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    monkeypatch.setattr(os, "getpid", lambda: child)


@pytest.mark.usefixtures("ended")
def test_a_release_of_an_ended_run_is_kept_and_an_intercept_of_one_is_left_behind():
    journal.record("release", release="apps-www-tilt")
    journal.record("intercept", name="www")
    release, intercept = facts.made(settings())
    assert (release.section, release.name, release.state) == ("made here", "apps-www-tilt", State.OK)
    assert "inv tilt.down" in release.value
    assert (intercept.section, intercept.state) == ("left behind", State.WARN)
    assert intercept.problem == Problem(f"intercept of a killed run (pid {os.getpid()})", fix="inv down")


def test_a_fact_is_a_value_or_a_problem_with_its_fix_in_json():
    good = Fact("login", "token", "good for 70 min", at=1.0)
    bad = Fact("login", "token", state=State.WARN, problem=Problem("expired", fix="inv aks.login"), at=1.0)
    same = {"section": "login", "name": "token", "at": 1.0}
    assert good.document() == {**same, "value": "good for 70 min", "state": "ok", "fix": ""}
    assert bad.document() == {**same, "value": "expired", "state": "warn", "fix": "inv aks.login"}


def test_a_question_that_fails_is_an_unknown_fact_and_stops_no_other():
    def fails(s: Settings) -> Iterator[Fact]:
        raise Trouble("az does not answer", fix="inv aks.login")

    def works(s: Settings) -> Iterator[Fact]:
        yield Fact("target", "context", "dev")

    unknown, target = facts.gather(settings(), (("login", fails), ("target", works)))
    assert (unknown.section, unknown.state) == ("login", State.UNKNOWN)
    assert unknown.problem == Problem("could not look: az does not answer", fix="inv aks.login")
    assert (target.value, target.state) == ("dev", State.OK)
