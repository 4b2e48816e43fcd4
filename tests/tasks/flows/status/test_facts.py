"""What `inv status` says about the things this workstation made."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Problem, TimedOut, Trouble
from tasks.core.state import journal
from tasks.flows.setup import cli as setup_cli
from tasks.flows.status import facts
from tasks.flows.status.facts import Fact, State
from tasks.tools import api_server, az
from tasks.tools.telepresence import Session
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import HERE


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record what follows as made by a run that has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    monkeypatch.setattr(os, "getpid", lambda: child.pid)


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


GONE = Problem("the API server does not answer", "no VPN", "check the VPN")


@pytest.mark.parametrize(
    ("session", "value"),
    [
        (HERE, "open to dev, namespace team, client , but the API server does not answer"),
        (None, "does not answer: the API server does not answer"),
    ],
)
def test_an_open_session_without_the_api_server_is_bad(
    monkeypatch: pytest.MonkeyPatch, session: Session | None, value: str
):
    here = fakes.workstation(monkeypatch)
    monkeypatch.setattr(api_server, "cause", lambda s, file="": GONE)
    if session is None:
        here.failing = {"status": api_server.unreachable(GONE, name="telepresence status")}
    (fact,) = facts.session(here.settings)
    assert (fact.state, fact.document()["value"], fact.document()["fix"]) == (State.BAD, value, GONE.fix)


@pytest.mark.parametrize(
    ("gone", "seconds", "state", "value"),
    [
        (None, 3600.0, State.OK, "good for 60 min"),
        (None, -1.0, State.WARN, "expired"),
        (GONE, 3600.0, State.UNKNOWN, "good for 60 min, but not tried: the API server does not answer"),
    ],
)
def test_a_token_counts_as_good_only_where_the_api_server_could_be_asked(
    monkeypatch: pytest.MonkeyPatch, gone: Problem | None, seconds: float, state: State, value: str
):
    account = az.Account("ada", "user", "id", "Dev", "tenant")
    monkeypatch.setattr(az, "account", lambda s: account)
    monkeypatch.setattr(az, "token_expiry", lambda s, timeout: time.time() + seconds + 0.5)
    monkeypatch.setattr(api_server, "cause", lambda s, file="": gone)
    _, token = facts.login(settings())
    assert (token.state, token.document()["value"]) == (state, value)


def test_az_is_not_waited_for_when_the_api_server_cannot_be_reached(monkeypatch: pytest.MonkeyPatch):
    def expiry(s: Settings, timeout: float | None) -> float:
        assert timeout is not None
        assert timeout <= 2
        raise TimedOut("az account get-access-token: no answer")

    monkeypatch.setattr(az, "account", lambda s: az.Account("ada", "user", "id", "Dev", "tenant"))
    monkeypatch.setattr(az, "token_expiry", expiry)
    monkeypatch.setattr(api_server, "problem", lambda s, file="": GONE)
    monkeypatch.setattr(api_server, "cause", lambda s, file="": GONE)
    account, token = facts.login(settings())
    assert account.state is State.OK
    assert (token.state, token.document()["fix"]) == (State.UNKNOWN, GONE.fix)
    assert GONE.what in str(token.document()["value"])


def test_a_step_that_was_not_done_is_of_the_last_setup_and_not_of_now(monkeypatch: pytest.MonkeyPatch):
    step = {"state": "blocked", "note": "az may not be executed", "fix": "inv aks.login", "at": 5.0}
    monkeypatch.setattr(setup_cli, "last", lambda: {"tools": step})
    (fact,) = facts.setup(settings())
    assert (fact.state, fact.at) == (State.WARN, 5.0)
    assert fact.problem == Problem("blocked in the last run: az may not be executed", fix="inv aks.login")
