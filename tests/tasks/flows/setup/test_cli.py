"""A run of setup with steps made for the test: exit codes, documents, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.core.errors import FAILED, MISSING, REFUSED, Blocked, Refused, ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.core.state import store, timing
from tasks.flows.setup import STEPS, cli, select
from tasks.flows.setup.setup_run import SetupRun, blocked
from tasks.tools import credentials
from tests.made import settings


class Plans:
    """Three steps, each with one missing change until it is made; what a step raises is in `failing`."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.destroys = ""
        self.steps = (
            Step("tools", "the programs are there", self.plan("tools")),
            Step(
                "connect",
                "the session is open",
                self.plan("connect"),
                needs=("tools",),
                commands=lambda run: ("like it",),
            ),
            Step("ready", "work can begin", self.plan("ready"), needs=("connect",), lock="ready"),
        )

    def plan(self, key: str) -> Any:
        def changes(setup: SetupRun) -> Iterator[Change[object]]:
            if key in self.failing:
                raise self.failing[key]
            if key not in self.done:
                command = ("make", key) if key == "tools" else ()
                yield Change(f"make {key}", command, lambda: self.done.append(key), self.destroys)
            setup.remarks[key] = f"remark of {key}"

        return changes


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Plans:
    made = Plans()
    monkeypatch.setattr(cli, "STEPS", made.steps)
    monkeypatch.setattr(cli, "select", lambda s, only, skip: made.steps)
    return made


def document(capsys: pytest.CaptureFixture[str], **how: Any) -> tuple[int, dict[str, Any]]:
    code = cli.run(settings(), as_json=True, **how)
    return code, json.loads(capsys.readouterr().out)


def by_key(found: dict[str, Any], field: str) -> dict[str, Any]:
    return {step["key"]: step[field] for step in found["steps"]}


def test_a_run_makes_what_is_missing_and_a_second_run_nothing(plans: Plans, capsys: pytest.CaptureFixture[str]):
    code, found = document(capsys)
    assert (code, found["state"], found["budget"]) == (0, "done", 300)
    assert plans.done == ["tools", "connect", "ready"]
    assert found["steps"][0] == {
        "key": "tools", "title": "the programs are there", "state": "done", "skipped": False, "note": "remark of tools", "why": "",
        "fix": "", "seconds": found["steps"][0]["seconds"], "commands": [], "changes": [],
        "made": [{"text": "make tools", "command": "make tools", "destroys": ""}],
    }  # fmt: skip
    assert by_key(found, "commands")["connect"] == ["like it"]
    assert found["critical_path"] <= found["seconds"]
    _, again = document(capsys)
    assert by_key(again, "made") == {"tools": [], "connect": [], "ready": []}
    cold = {row["what"]: row["cold"] for row in timing.kept()[:4]}
    assert cold == {"setup": True, "setup.tools": True, "setup.connect": True, "setup.ready": True}
    assert not any(row["cold"] for row in timing.kept()[4:])


@pytest.mark.parametrize(
    ("how", "code"), [({"dry": True}, 0), ({"check": True}, MISSING), ({"dry": True, "check": True}, MISSING)]
)
def test_a_dry_run_and_a_check_change_and_keep_nothing(
    plans: Plans, capsys: pytest.CaptureFixture[str], how: dict[str, bool], code: int
):
    found_code, found = document(capsys, **how)
    assert found_code == code
    assert found["state"] == "incomplete"
    assert by_key(found, "state") == {"tools": "pending", "connect": "pending", "ready": "pending"}
    assert found["steps"][0]["changes"] == [{"text": "make tools", "command": "make tools", "destroys": ""}]
    assert (plans.done, cli.last(), timing.kept()) == ([], {}, [])
    plans.done = ["tools", "connect", "ready"]
    assert document(capsys, **how)[0] == 0


def test_people_see_the_commands_of_a_dry_run_and_the_fix_of_what_is_blocked(
    plans: Plans, capsys: pytest.CaptureFixture[str]
):
    plans.failing["tools"] = Blocked("no az", fix="install it")
    plans.done = ["ready"]
    cli.run(settings(), dry=True)
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "tools        blocked  no az", "             fix: install it",
        "connect      blocked  needs tools", "             like: like it",
        "ready        blocked  needs connect",
    ]  # fmt: skip
    assert "nothing was changed" in said.err
    plans.failing = {}
    cli.run(settings(), dry=True)
    assert capsys.readouterr().out.splitlines()[1] == "             $ make tools"


@pytest.mark.parametrize(
    ("failure", "code", "state"),
    [
        (Blocked("log in", why="expired", fix="inv aks.login"), FAILED, "blocked"),
        (ToolError("no answer", why="expired", fix="inv aks.login"), FAILED, "unknown"),
        (blocked(Refused("held", why="expired", fix="inv aks.login")), REFUSED, "blocked"),
        (Trouble("disk full", why="expired", fix="inv aks.login"), FAILED, "blocked"),
    ],
)
def test_a_failure_concerns_its_step_and_those_that_need_it(
    plans: Plans, capsys: pytest.CaptureFixture[str], failure: Trouble, code: int, state: str
):
    plans.failing["connect"] = failure
    found_code, found = document(capsys)
    assert (found_code, found["state"]) == (code, "incomplete")
    assert by_key(found, "state") == {"tools": "done", "connect": state, "ready": "blocked"}
    assert by_key(found, "fix")["connect"] == "inv aks.login"
    assert by_key(found, "why")["connect"] == "expired"
    kept = cli.last()
    assert {key: entry["state"] for key, entry in kept.items()} == by_key(found, "state")
    assert kept["connect"]["fix"] == "inv aks.login"
    assert timing.kept("setup") == []
    cli.run(settings())
    assert "connect      " in capsys.readouterr().out


def test_a_check_that_could_not_look_fails(plans: Plans, capsys: pytest.CaptureFixture[str]):
    plans.failing["tools"] = ToolError("no answer")
    assert document(capsys, check=True)[0] == FAILED
    assert document(capsys, dry=True)[0] == FAILED


def test_a_refusal_ends_the_run_with_its_document(plans: Plans, capsys: pytest.CaptureFixture[str]):
    plans.failing["tools"] = Refused("production", why="its labels", fix="another cluster")
    with pytest.raises(Refused):
        cli.run(settings(), as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "state": "refused",
        "error": {"what": "production", "why": "its labels", "fix": "another cluster"},
        "steps": [],
    }
    with pytest.raises(Refused):
        cli.run(settings())
    assert capsys.readouterr().out == ""


def test_production_by_name_is_refused_before_any_step(plans: Plans):
    with pytest.raises(Refused):
        cli.run(settings(cluster__context="prod-aks"))
    assert plans.done == []


def test_what_destroys_something_needs_yes(plans: Plans, capsys: pytest.CaptureFixture[str]):
    plans.destroys = "the session"
    code, found = document(capsys)
    assert code == FAILED
    assert found["steps"][0]["changes"][0]["destroys"] == "the session"
    assert plans.done == []
    assert document(capsys, yes=True)[0] == 0


def test_people_see_the_result_and_what_to_do_next(plans: Plans, capsys: pytest.CaptureFixture[str]):
    cli.run(settings())
    said = capsys.readouterr()
    assert said.out.startswith("setup: 3 of 3 steps done in ")
    assert said.out.endswith("(budget 300 s)\n")
    assert "next: inv intercept" in said.err
    assert "connect      make connect" in said.err
    plans.failing["ready"] = Blocked("not there", fix="inv tp.connect")
    cli.run(settings(), name="login")
    said = capsys.readouterr()
    assert said.out.splitlines()[0].startswith("login: 2 of 3 steps done in ")
    assert "budget" not in said.out
    assert said.out.splitlines()[1:] == ["!! ready        not there", f"   {'':<12} fix: inv tp.connect"]
    assert "not there" not in said.err, "each step is shown once"
    assert "next:" not in said.err


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"tools": 1}', '{"tools": {"state": "done"}}'])
def test_kept_outcomes_that_cannot_be_read_are_ignored(text: str):
    store.write(store.folder(cli.FILE), text)
    assert cli.last() == {}


def test_times_that_cannot_be_kept_are_a_warning(
    plans: Plans, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def full(*args: object, **more: object) -> None:
        raise Trouble("disk full")

    monkeypatch.setattr(timing, "keep", full)
    assert cli.run(settings()) == 0
    assert "disk full" in capsys.readouterr().err


ALL = [step.key for step in STEPS]


@pytest.mark.parametrize(
    ("only", "skip", "keys"),
    [
        ((), (), ALL),
        (("login", "tools"), (), ["tools", "login"]),
        ((), ("registry", "ready"), [key for key in ALL if key not in {"registry", "ready"}]),
        (("login", "tools"), ("tools",), ["login"]),
    ],
)
def test_steps_are_selected_in_their_own_order(only: tuple[str, ...], skip: tuple[str, ...], keys: list[str]):
    assert [step.key for step in select(settings(), only, skip)] == keys


@pytest.mark.parametrize(
    ("only", "skip", "fix"),
    [
        (("logn",), (), "did you mean login?"),
        ((), ("regstry",), "did you mean registry?"),
        (("xyz",), (), "inv --help setup"),
        (("login",), ("login",), "omit a --skip"),
    ],
)
def test_a_selection_without_steps_is_refused(only: tuple[str, ...], skip: tuple[str, ...], fix: str):
    with pytest.raises(Trouble) as failed:
        select(settings(), only, skip)
    assert failed.value.fix == fix


@pytest.mark.parametrize(("kind", "needs"), [("acr", ("login",)), ("docker", ())])
def test_a_registry_of_docker_needs_no_azure_login(kind: str, needs: tuple[str, ...]):
    found = {step.key: step.needs for step in select(settings(registry__kind=kind))}
    assert found["registry"] == needs
    assert found["credentials"] == ("login",)


def test_a_login_needs_no_state_folder_that_can_be_written(plans: Plans, monkeypatch: pytest.MonkeyPatch):
    def forget(s: object) -> None:
        raise Trouble("cannot write credentials")

    monkeypatch.setattr(credentials, "forget", forget)
    assert cli.log_in(mode="", relogin=False, dry=False, check=False, as_json=True) == 0
