"""The login to the registry, and the other steps that ask one program. No program runs."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import REFUSED, Absent, Blocked, Refused, TimedOut, ToolError
from tasks.core.plan.change import Change
from tasks.core.state import store
from tasks.flows import session
from tasks.flows.session.connect import Look
from tasks.flows.setup import access, connect, login, packages, ready, registry, submodules, tools
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import az, credentials, docker, git, kubeconfig, kubectl, pnpm, versions
from tasks.tools.az import Account, LoginNeeded
from tasks.tools.az import login as az_login
from tasks.tools.docker import Login
from tests.made import settings
from tests.tasks.flows import fakes

HOST = "Dev.azurecr.io"


@pytest.fixture
def did(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was changed."""
    made: list[str] = []
    monkeypatch.setattr(
        az, "registry_login", lambda s: Change("log in", ("az", "acr", "login"), lambda: made.append("acr"))
    )
    monkeypatch.setattr(docker, "engine", lambda s: "27")
    return made


def logged_in(monkeypatch: pytest.MonkeyPatch, found: Login, **changed: str) -> SetupRun:
    monkeypatch.setattr(docker, "login", lambda host: found if host == HOST else None)
    return SetupRun(settings(**changed))


def recorded(host: str, seconds_ago: float) -> None:
    store.write(store.folder("registry.json"), json.dumps({"host": host, "at": time.time() - seconds_ago}))


def test_a_living_login_is_reported_with_its_minutes(monkeypatch: pytest.MonkeyPatch, did: list[str]):
    run = logged_in(monkeypatch, Login(True, time.time() + 3630))
    assert list(registry.plan(run)) == []
    assert run.remarks["registry"] == f"{HOST}, for 60 min"


@pytest.mark.parametrize(
    ("found", "host", "seconds_ago", "needed"),
    [
        (Login(False), HOST, 60, True),
        (Login(True), HOST, 60, True),
        (Login(True, helper="store"), HOST, 60, False),
        (Login(True, helper="store"), HOST, 2.5 * 3600 - 60, False),
        (Login(True, helper="store"), HOST, 2.5 * 3600 + 60, True),
        (Login(True, helper="store"), "other.azurecr.io", 60, True),
        (Login(False, helper="store"), HOST, 60, True),
        (Login(True, time.time() + 60), HOST, 60, True),
    ],
)
def test_a_login_behind_a_helper_counts_for_two_and_a_half_hours(
    monkeypatch: pytest.MonkeyPatch, did: list[str], found: Login, host: str, seconds_ago: float, needed: bool
):
    recorded(host, seconds_ago)
    assert [change.text for change in registry.plan(logged_in(monkeypatch, found))] == (["log in"] if needed else [])


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", "{}", '{"host": "Dev.azurecr.io"}', '{"host": "Dev.azurecr.io", "at": null}']
)
def test_a_record_that_cannot_be_read_is_no_login(monkeypatch: pytest.MonkeyPatch, did: list[str], text: str):
    store.write(store.folder("registry.json"), text)
    assert len(list(registry.plan(logged_in(monkeypatch, Login(True, helper="store"))))) == 1


def test_a_login_is_recorded_with_its_time(monkeypatch: pytest.MonkeyPatch, did: list[str]):
    run = logged_in(monkeypatch, Login(True, helper="store"))
    (change,) = registry.plan(run)
    assert did == []
    change.run()
    assert did == ["acr"]
    assert change.argv == ("az", "acr", "login")
    assert list(registry.plan(run)) == []
    record = json.loads((store.folder("registry.json")).read_text())
    assert record["host"] == HOST
    assert abs(record["at"] - time.time()) < 60


@pytest.mark.parametrize(
    ("error", "raised", "why", "fix"),
    [
        (Absent("docker is not installed", fix="install it"), Blocked, "az acr login needs", "install it; or go on"),
        (ToolError("no daemon", why="stopped", fix="start it"), Blocked, "stopped", "start it; or go on"),
        (ToolError("no daemon"), Blocked, "no Docker engine answers", "start Docker; or go on"),
        (TimedOut("docker info: no answer", why="w", fix="f"), TimedOut, "w", "f"),
    ],
)
def test_without_an_engine_there_is_no_login(
    monkeypatch: pytest.MonkeyPatch, did: list[str], error: ToolError, raised: type[Exception], why: str, fix: str
):
    def engine(s: object) -> str:
        raise error

    monkeypatch.setattr(docker, "engine", engine)
    with pytest.raises(raised) as failed:
        list(registry.plan(logged_in(monkeypatch, Login(False))))
    assert failed.value.what == error.what  # type: ignore[attr-defined]
    assert failed.value.why.startswith(why)  # type: ignore[attr-defined]
    assert failed.value.fix.startswith(fix)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("found", "works"), [(Login(True), True), (Login(False, helper="store"), True), (Login(False), False)]
)
def test_a_registry_of_docker_has_the_login_of_docker(
    monkeypatch: pytest.MonkeyPatch, did: list[str], found: Login, works: bool
):
    run = logged_in(monkeypatch, found, registry__kind="docker")
    if works:
        assert list(registry.plan(run)) == []
        assert HOST in run.remarks["registry"]
    else:
        with pytest.raises(Blocked) as failed:
            list(registry.plan(run))
        assert failed.value.fix == f"docker login {HOST}"
    assert registry.commands(run) == (f"docker login {HOST}",)


def test_the_command_of_an_azure_registry_is_that_of_az(monkeypatch: pytest.MonkeyPatch, did: list[str]):
    assert registry.commands(logged_in(monkeypatch, Login(False))) == ("az acr login",)


def test_a_working_azure_login_is_reported_with_its_token(monkeypatch: pytest.MonkeyPatch):
    run = SetupRun(settings())
    monkeypatch.setattr(az, "account", lambda s: Account("ada@x", "user", "S", "Dev", "T"))
    monkeypatch.setattr(credentials, "expiry", lambda s: time.time() + 3630)
    assert list(login.plan(run)) == []
    assert run.remarks["login"] == "ada@x, Dev, token for 60 min"


@pytest.mark.parametrize("relogin", [True, False])
def test_a_login_that_is_needed_or_asked_for_happens_once(monkeypatch: pytest.MonkeyPatch, relogin: bool):
    asked: list[Any] = []

    def account(s: object) -> Account:
        raise LoginNeeded("expired")

    run = SetupRun(settings(), relogin=relogin, login_mode="browser")
    monkeypatch.setattr(az, "account", account)
    monkeypatch.setattr(az_login, "mode", lambda s, asked_for: asked_for)
    monkeypatch.setattr(
        az_login,
        "login",
        lambda s, mode, after: Change(f"log in by {mode}", ("az", "login"), lambda: asked.append(after)),
    )
    (change,) = login.plan(run)
    assert (change.text, change.argv) == ("log in by browser", ("az", "login"))
    change.run()
    assert run.fresh_login
    assert asked[0].what == ("a new login was asked for" if relogin else "expired")
    monkeypatch.setattr(az, "account", lambda s: Account("ada@x", "user", "S", "Dev", "T"))
    monkeypatch.setattr(credentials, "expiry", lambda s: time.time() + 3630)
    assert list(login.plan(run)) == []


def test_missing_rights_are_named_with_what_they_are_for(monkeypatch: pytest.MonkeyPatch):
    denied = {("list", "pods", "ambassador"), ("create", "deployments.apps", "team")}
    monkeypatch.setattr(
        kubectl, "may", lambda s, wanted: [(a.verb, a.resource, a.namespace) not in denied for a in wanted]
    )
    with pytest.raises(Blocked) as failed:
        list(access.plan(SetupRun(settings())))
    assert failed.value.what.endswith("list pods in ambassador; create deployments.apps in team")
    assert "finding the traffic manager, the releases of `inv tilt.up`" in failed.value.why
    denied.clear()
    assert list(access.plan(SetupRun(settings()))) == []
    assert [(need.right.verb, need.namespace) for need in access.needs(settings())] == [
        ("create", "ambassador"), ("get", "ambassador"), ("list", "ambassador"), ("list", "team"), ("create", "team"),
    ]  # fmt: skip


@pytest.mark.parametrize(("here", "answered", "asked"), [(True, False, 1), (True, True, 0), (False, False, 0)])
def test_ready_asks_the_cluster_unless_it_has_answered(
    monkeypatch: pytest.MonkeyPatch, here: bool, answered: bool, asked: int
):
    seen: list[str] = []
    monkeypatch.setattr(session, "settled", lambda s: Look(fakes.HERE, here, "" if here else "elsewhere"))
    monkeypatch.setattr(kubectl, "ready", lambda s: seen.append("ready"))
    monkeypatch.setattr(SetupRun, "cluster_answered", property(lambda run: answered))
    run = SetupRun(settings())
    if here:
        assert list(ready.plan(run)) == []
        assert run.remarks["ready"] == "dev, namespace team"
    else:
        with pytest.raises(Blocked) as failed:
            list(ready.plan(run))
        assert failed.value.fix == "inv tp.connect"
    assert len(seen) == asked


def test_a_switch_that_would_lose_intercepts_blocks_only_the_session(monkeypatch: pytest.MonkeyPatch):
    here = fakes.workstation(monkeypatch)
    here.session = replace(fakes.HERE, context="other", intercepts=(("www", "ada@box"),))
    monkeypatch.setattr(kubeconfig, "wanted_context", lambda s: None)
    monkeypatch.setattr(connect, "session_context", lambda s, context: context)
    monkeypatch.setattr(SetupRun, "checked_target", lambda run, context: here.did.append("checked"))
    with pytest.raises(Blocked) as failed:
        list(connect.plan(SetupRun(here.settings)))
    assert failed.value.code == REFUSED
    assert not isinstance(failed.value, Refused)
    assert here.did == ["checked", "checked"]  # before the look at the session, and after it
    assert [change.text for change in connect.plan(SetupRun(here.settings, yes=True))] == ["quit", "connect"]


@pytest.mark.parametrize(
    ("sign", "changes", "remark"),
    [("-", ["check out"], False), ("+", [], True), (" ", [], False), ("", [], True), ("U", None, False)],
)
def test_a_submodule_is_checked_out_only_when_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sign: str, changes: list[str] | None, remark: bool
):
    (tmp_path / ".gitmodules").write_text("")
    run = SetupRun(settings(repositories__core=str(tmp_path), repositories__gitops=str(tmp_path / "gitops/team")))
    monkeypatch.setattr(git, "submodule_state", lambda s, folder, path: sign if path == "gitops/team" else "?")
    monkeypatch.setattr(git, "submodule_update", lambda s, folder, path: Change("check out"))
    if changes is None:
        with pytest.raises(Blocked) as failed:
            list(submodules.plan(run))
        assert "git add gitops/team" in failed.value.fix
    else:
        assert [change.text for change in submodules.plan(run)] == changes
    assert ("submodules" in run.remarks) is remark


def test_gitops_outside_of_core_is_not_a_submodule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(git, "submodule_state", lambda s, folder, path: pytest.fail("asked"))
    core, outside = str(tmp_path / "core"), str(tmp_path / "gitops")
    assert submodules.path(settings(repositories__core=core, repositories__gitops=outside)) == ""
    for gitops in (outside, f"{core}/gitops"):  # the second has no .gitmodules
        run = SetupRun(settings(repositories__core=core, repositories__gitops=gitops))
        assert list(submodules.plan(run)) == []
        assert "submodules" in run.remarks


@pytest.mark.parametrize(
    ("package", "why", "changes"), [(True, "new", ["install"]), (True, "", []), (False, "new", [])]
)
def test_packages_are_installed_where_there_are_any(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: bool, why: str, changes: list[str]
):
    if package:
        (tmp_path / "package.json").write_text("{}")
    monkeypatch.setattr(pnpm, "folder", lambda s: tmp_path)
    monkeypatch.setattr(pnpm, "missing", lambda s: why)
    monkeypatch.setattr(pnpm, "install", lambda s, why: Change("install"))
    run = SetupRun(settings())
    assert [change.text for change in packages.plan(run)] == changes
    assert ("packages" in run.remarks) is not package


def test_programs_in_other_versions_block_unless_they_are_optional(monkeypatch: pytest.MonkeyPatch):
    def installed(s: Any, name: str) -> Any:
        return None

    run = SetupRun(settings())
    wanted = tools.pins(run.settings)
    assert wanted["telepresence"].version == run.settings.telepresence.version
    monkeypatch.setattr(versions, "installed", installed)
    with pytest.raises(Blocked) as failed:
        list(tools.plan(run))
    required = [name for name, pin in wanted.items() if not pin.optional]
    assert failed.value.what == "; ".join(f"{name} is not installed" for name in required)
    optional = [name for name, pin in wanted.items() if pin.optional]
    assert run.remarks["tools"] == "; ".join(f"{name} is not installed" for name in optional)
