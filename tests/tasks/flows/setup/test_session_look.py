"""How often a run of setup looks at the session. No program runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.config.settings import Settings
from tasks.core.errors import Problem, Refused, ToolError
from tasks.core.plan.change import Change
from tasks.flows import session
from tasks.flows.session.connect import Look
from tasks.flows.setup import connect, ready, setup_run
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import kubeconfig
from tests.made import settings
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import DAEMON, HERE, NOT_CONNECTED

NOTHING = Look(NOT_CONNECTED, False, "not connected")
THERE = Look(HERE, True)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Look]:
    """The looks that follow; each is taken once."""
    left: list[Look] = []
    monkeypatch.setattr(session, "settled", lambda s: left.pop(0))
    return left


def test_an_early_look_that_finds_nothing_is_enough_for_the_connect(looks: list[Look]):
    looks[:] = [NOTHING, THERE]
    run = SetupRun(settings())
    run.look_early()
    assert run.session_to_connect() is NOTHING
    assert looks == [THERE]


@pytest.mark.parametrize(
    "early",
    [
        Look(HERE, True),
        Look(NOT_CONNECTED, False, "a daemon is running, but does not answer", (DAEMON,)),
        replace(NOTHING, problem=Problem("the API server does not answer")),
    ],
)
def test_an_early_look_that_finds_something_is_repeated_under_the_lock(looks: list[Look], early: Look):
    """Daemons that another run has just started look like abandoned ones, which a connect would end."""
    looks[:] = [early, THERE]
    run = SetupRun(settings())
    run.look_early()
    assert run.session_to_connect() is THERE


def test_an_early_look_that_fails_is_repeated(monkeypatch: pytest.MonkeyPatch):
    answers: list[Look | ToolError] = [ToolError("telepresence status: no answer"), THERE]

    def settled(s: Settings) -> Look:
        answer = answers.pop(0)
        if isinstance(answer, ToolError):
            raise answer
        return answer

    monkeypatch.setattr(session, "settled", settled)
    run = SetupRun(settings())
    run.look_early()
    assert run.session_to_connect() is THERE


def test_an_early_look_from_before_a_long_wait_for_the_lock_is_repeated(
    looks: list[Look], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(setup_run, "_MOMENT", 0.0)
    looks[:] = [NOTHING, THERE]
    run = SetupRun(settings())
    run.look_early()
    assert run.session_to_connect() is THERE


def test_the_look_at_the_end_of_a_connect_checks_the_step_and_is_what_ready_needs(
    looks: list[Look], monkeypatch: pytest.MonkeyPatch
):
    here = fakes.workstation(monkeypatch)
    monkeypatch.setattr(kubeconfig, "wanted_context", lambda s: None)
    monkeypatch.setattr(connect, "session_context", lambda s, context: context)
    monkeypatch.setattr(SetupRun, "checked_target", lambda run, context: None)
    monkeypatch.setattr(SetupRun, "cluster_answered", property(lambda run: True))
    looks[:] = [NOTHING]
    run = SetupRun(here.settings)

    def changes(s: object, *, yes: bool, now: Look) -> list[Change[object]]:
        return [] if now.here else [Change("connect", run=lambda: THERE)]

    monkeypatch.setattr(session, "connect_changes", changes)
    for change in connect.plan(run):
        change.run()
    assert list(connect.plan(run)) == []
    assert list(ready.plan(run)) == []
    assert looks == []


def test_a_kubeconfig_that_changes_during_the_look_is_checked_before_it_is_used(monkeypatch: pytest.MonkeyPatch):
    contexts = ["dev"]

    def settled(s: Settings) -> Look:  # it waits for another command, which writes the kubeconfig
        contexts[:] = ["production"]
        return NOTHING

    def checked_target(run: SetupRun, context: str) -> None:
        if context == "production":
            raise Refused("the context is production")

    here = fakes.workstation(monkeypatch)
    monkeypatch.setattr(session, "settled", settled)
    monkeypatch.setattr(kubeconfig, "wanted_context", lambda s: contexts[0])
    monkeypatch.setattr(connect, "session_context", lambda s, context: context)
    monkeypatch.setattr(SetupRun, "checked_target", checked_target)
    with pytest.raises(Refused, match="production"):
        list(connect.plan(SetupRun(here.settings)))
    assert here.did == []
