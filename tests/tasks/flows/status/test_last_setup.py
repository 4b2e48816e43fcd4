"""An old setup that failed, in a status where what it lacked is there by now."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tasks.core.config.settings import settings
from tasks.core.errors import Problem
from tasks.core.state import cached_status, store
from tasks.flows.status import cli, facts, last_setup
from tasks.flows.status.facts import Fact, State

LOGGED_IN = [Fact("login", "account", "ada, Dev"), Fact("login", "token", "good for 60 min")]
CONNECTED = [Fact("session", "", "connected to dev, namespace team")]
NOT_CONNECTED = [Fact("session", "", problem=Problem("there is no session", fix="inv tp.connect"))]
TOOLS = [
    Fact("tools", "az", "2.91.0 (wanted 2.91.0)"),
    Fact("tools", "tilt", state=State.WARN, problem=Problem("tilt is not installed (optional)")),
]


def failed(*unmet: str) -> dict[str, Any]:
    note = f"needs {', '.join(unmet)}" if unmet else "it did not work"
    return {"state": "blocked", "note": note, "fix": "do something", "unmet": list(unmet), "at": time.time() - 259_200}


def seen(steps: dict[str, dict[str, Any]], *others: Fact) -> dict[str, Fact]:
    store.write(store.folder("setup.json"), json.dumps(steps))
    shown = last_setup.settled([*others, *facts.setup(settings())])
    return {fact.name: fact for fact in shown if fact.section == "setup"}


@pytest.mark.parametrize(
    ("step", "now", "state"),
    [
        ("tools", TOOLS, State.OK),
        ("tools", [Fact("tools", "az", state=State.BAD, problem=Problem("az is not installed"))], State.WARN),
        ("tools", [], State.WARN),
        ("login", LOGGED_IN, State.OK),
        ("login", [Fact("login", "", state=State.UNKNOWN, problem=Problem("could not look"))], State.WARN),
        ("connect", CONNECTED, State.OK),
        ("connect", NOT_CONNECTED, State.WARN),
        ("ready", CONNECTED, State.OK),
        ("credentials", CONNECTED, State.OK),  # a session needs them
        ("kubelogin", CONNECTED, State.OK),
        ("credentials", LOGGED_IN, State.WARN),
        ("packages", [*TOOLS, *LOGGED_IN, *CONNECTED], State.WARN),  # nothing else in the status looks at them
    ],
)
def test_a_step_that_failed_is_a_warning_until_something_shows_that_it_is_done(
    step: str, now: list[Fact], state: State
):
    fact = seen({step: failed()}, *now)[step]
    assert fact.state is state
    assert (fact.problem is None) is (state is State.OK)
    assert "blocked in the last run: it did not work" in fact.document()["value"]


def test_a_step_that_was_not_tried_is_to_be_tried_once_its_needs_are_met():
    steps = {"login": failed(), "registry": failed("login")}
    assert seen(steps)["registry"].problem == Problem("blocked in the last run: needs login", fix="do something")
    fact = seen(steps, *LOGGED_IN)["registry"]
    problem = Problem("not tried in the last run, which lacked login", fix="inv setup --only registry")
    assert (fact.state, fact.problem) == (State.WARN, problem)


@pytest.mark.parametrize("unmet", [None, 5, [], [1], [[1]], "login"])
def test_a_file_of_another_version_causes_no_error(unmet: object):
    fact = seen({"registry": {**failed(), "unmet": unmet}}, *LOGGED_IN)["registry"]
    assert fact.problem == Problem("blocked in the last run: it did not work", fix="do something")


def test_the_screen_says_how_old_the_failure_is_and_marks_it_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    store.write(store.folder("setup.json"), json.dumps({"connect": failed(), "packages": failed()}))
    others = (("session", lambda s: iter(CONNECTED)), ("setup", facts.setup))
    monkeypatch.setattr(facts, "QUESTIONS", others)
    cli.status(json=False, watch=False, cached=False)
    lines = capsys.readouterr().out.splitlines()
    done, broken = (next(line for line in lines if name in line) for name in ("connect ", "packages"))
    assert done.startswith("  ")
    assert done.endswith("done by now; blocked in the last run: it did not work   (3 d ago)")
    assert broken.startswith("! ")
    assert broken.endswith("(3 d ago)")
    assert cached_status.main([]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_a_file_that_is_deleted_meanwhile_causes_no_error():
    fact = Fact("setup", "registry", state=State.WARN, problem=Problem("blocked in the last run: it did not work"))
    assert last_setup.settled([fact]) == [fact]
