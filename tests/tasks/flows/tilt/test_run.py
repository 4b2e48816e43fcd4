"""What is asked before Tilt starts, and the start itself. No program runs."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tasks.core import ports
from tasks.core.config.catalogue import catalogue
from tasks.core.errors import Problem, Refused, ToolError, Trouble
from tasks.core.ports import Owner
from tasks.core.process import foreground, processes
from tasks.core.process.foreground import Interrupted
from tasks.core.state import journal
from tasks.flows.setup import registry
from tasks.flows.tilt import environment, orphans, preflight, run
from tasks.flows.tilt.preflight import ready
from tasks.flows.tilt.request import Request
from tasks.flows.tilt.watch import Watcher
from tasks.tools import docker, helm, tilt
from tasks.tools.helm import Release
from tasks.tools.tilt import Applied
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import Workstation

WWW = "apps-www-ameide-tilt"
REQUEST = Request(args=("--only=www",))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    """A place where the Tiltfile enables one release and one intercept, and Docker needs a login."""
    workstation = fakes.workstation(monkeypatch, telepresence__slot="ada")

    def declared(s: object, tiltfile: object, args: object, env: object) -> dict[str, list[Applied]]:
        workstation.ask("declared")
        return {WWW: [], "intercept-graph": [], "uncategorized": [Applied("ConfigMap", "graph-own", "")]}

    def releases(s: object, holder: str) -> list[Release]:
        workstation.ask("releases")
        return [Release("apps-graph-tilt", "deployed", 1)]

    def engine(s: object) -> str:
        workstation.ask("engine")
        return "27"

    monkeypatch.setattr(tilt, "declared", declared)
    monkeypatch.setattr(helm, "releases", releases)
    monkeypatch.setattr(helm, "holder_of", lambda s, name: "bob")
    monkeypatch.setattr(docker, "engine", engine)
    monkeypatch.setattr(registry, "plan", lambda setup: iter([workstation.change("log in")]))
    return workstation


def asked(here: Workstation) -> preflight.Ready:
    return ready(here.settings, REQUEST, catalogue().services)


def test_tilt_brings_what_the_tiltfile_enables_after_the_login(here: Workstation):
    plan = asked(here)
    assert [service.release for service in plan.releases] == [WWW]
    assert plan.intercepts == ["intercept-graph"]
    assert [change.text for change in plan.changes] == ["log in"]
    assert here.did == ["assess"]


@pytest.mark.parametrize("question", ["releases", "engine"])
def test_helm_and_docker_matter_only_when_something_is_deployed(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, question: str
):
    here.failing = {question: ToolError(f"{question} failed")}
    with pytest.raises(ToolError, match=f"{question} failed"):
        asked(here)
    monkeypatch.setattr(tilt, "declared", lambda s, file, args, env: {"intercept-graph": []})
    assert asked(here) == preflight.Ready([], ["intercept-graph"], [])


@pytest.mark.parametrize(
    ("applied", "refused"),
    [
        (Applied("Deployment", "graph", ""), True),
        (Applied("Service", "www-ameide", "team"), True),
        (Applied("Deployment", "apps-graph", "team"), True),
        (Applied("Deployment", "graph", "elsewhere"), False),
        (Applied("Deployment", "graph-tilt", ""), False),
    ],
)
def test_objects_of_k8s_yaml_with_the_baselines_names_are_refused(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, applied: Applied, refused: bool
):
    monkeypatch.setattr(tilt, "declared", lambda s, file, args, env: {"x": [applied]})
    if not refused:
        assert asked(here).releases == []
        return
    with pytest.raises(Refused, match=f"overwrite the baseline: {applied.kind} {applied.name}"):
        asked(here)


def test_production_is_raised_first(here: Workstation):
    failure = ToolError("later")
    here.failing = {"assess": Refused("production"), "declared": failure, "releases": failure, "engine": failure}
    with pytest.raises(Refused, match="production"):
        asked(here)
    del here.failing["assess"]
    here.failing["declared"] = tilt.Refusal("no chart a\n  fix: git submodule update")
    with pytest.raises(Trouble) as failed:
        asked(here)
    assert failed.value.problem == Problem("no chart a", fix="git submodule update")


def test_production_by_name_is_refused_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch):
    here = fakes.workstation(monkeypatch, cluster__context="prod-aks")
    with pytest.raises(Refused):
        asked(here)
    assert here.did == []


def test_a_release_of_somebody_else_is_refused(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(helm, "releases", lambda s, holder: [Release(WWW, "deployed", 1)])
    with pytest.raises(Refused, match="bob"):
        asked(here)


def test_a_second_source_of_arguments_is_the_cause(here: Workstation, monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    here.failing = {"declared": tilt.Refusal("boom")}
    monkeypatch.setattr(environment, "tiltfile", lambda s: tmp_path / "Tiltfile")
    with pytest.raises(Trouble) as failed:
        asked(here)
    assert failed.value.why == ""
    (tmp_path / "tilt_config.json").write_text("{}")
    with pytest.raises(Trouble) as failed:
        asked(here)
    assert str(tmp_path / "tilt_config.json") in failed.value.why


@pytest.fixture
def started(here: Workstation, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Tilt in the foreground: what it was started with, its exit code, and what was ended after it."""
    seen: dict[str, Any] = {"code": 0, "ended": [], "raises": None}

    def foreground_run(argv: list[str], *, env: dict[str, str], started: Any, **how: Any) -> int:
        seen.update(argv=argv, env=env, cwd=how["cwd"], fix=how["fix"])
        monkeypatch.setattr(processes, "started", lambda pid: float(pid))
        started(4242)
        (seen["entry"],) = journal.entries("process")
        if seen["raises"]:
            raise seen["raises"]
        return int(seen["code"])

    monkeypatch.setattr(foreground, "run", foreground_run)
    monkeypatch.setattr(Watcher, "start", lambda self, group: seen.update(watched=True))
    monkeypatch.setattr(Watcher, "stop", lambda self: seen.update(stopped=True))
    monkeypatch.setattr(orphans, "end", lambda mark: seen["ended"].append(mark) or [])
    monkeypatch.setattr(ports, "owner", lambda port: None)
    return seen


def test_tilt_is_recorded_while_it_runs_and_what_it_left_is_ended(here: Workstation, started: dict[str, Any]):
    started["code"] = 7
    assert run.run(here.settings, REQUEST, tilt.up) == 7
    assert here.did == ["assess", "log in"]
    entry = started["entry"]
    assert entry.data == {
        "name": "tilt", "port": 10350, "tiltfile": str(environment.tiltfile(here.settings)),
        "group": 4242, "start": 4242.0, "run": entry.id,
    }  # fmt: skip
    assert started["env"]["TILT_REMOTE_DEV_RUN"] == entry.id
    assert started["env"]["TILT_PORT"] == "10350"
    assert started["argv"][:2] == ["tilt", "up"]
    assert started["argv"][-2:] == ["--", "--only=www"]
    assert (started["watched"], started["stopped"], started["ended"]) == (True, True, [entry.id])
    assert journal.entries() == []


def test_ctrl_c_is_the_exit_code_and_ends_what_tilt_left(here: Workstation, started: dict[str, Any]):
    started["raises"] = Interrupted(2)
    assert run.run(here.settings, REQUEST, tilt.ci) == 130
    assert started["argv"][:2] == ["tilt", "ci"]
    assert len(started["ended"]) == 1
    assert journal.entries() == []


def test_a_dry_run_starts_and_recovers_nothing(
    here: Workstation,
    started: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(orphans, "recover", lambda: pytest.fail("recovered"))
    assert run.run(here.settings, REQUEST, tilt.up, dry=True) == 0
    assert here.did == ["assess"]
    assert "argv" not in started
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "would log in"
    assert any(line.endswith(f"the release {WWW}") for line in lines)
    assert any(line.endswith("the resource intercept-graph") for line in lines)


def test_killed_runs_are_recovered_before_the_start(
    here: Workstation,
    started: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(orphans, "recover", lambda: ["node (pid 9)"])
    run.run(here.settings, REQUEST, tilt.up)
    assert "node (pid 9)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked_for", "variable", "taken", "port"),
    [
        ("", "", set(), 10350),
        ("", "10360", set(), 10360),
        ("10370", "10360", set(), 10370),
        ("", "", {10350, 10351}, 10352),
        ("", "65534", {65534}, 65535),
    ],
)
def test_the_port_is_the_one_asked_for_or_the_next_free_one(
    here: Workstation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked_for: str,
    variable: str,
    taken: set[int],
    port: int,
):
    monkeypatch.setenv("TILT_PORT", variable)
    monkeypatch.setattr(ports, "owner", lambda number: Owner(7, "node") if number in taken else None)
    assert run.free_port(here.settings, asked_for) == port
    assert (str(port) in capsys.readouterr().err) is bool(taken)


def test_a_taken_port_that_was_asked_for_is_refused(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "owner", lambda number: Owner(7, "node"))
    with pytest.raises(Trouble) as failed:
        run.free_port(here.settings, "10360")
    assert "inv tilt.up --port" in failed.value.fix


def test_an_own_tilt_at_the_port_is_not_started_twice(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "owner", lambda number: Owner(7, "tilt") if number == 10350 else None)
    start = processes.started(os.getpid())
    journal.record("process", name="tilt", port=10350, group=os.getpid(), start=start + 1)
    journal.record("process", name="tilt", port=10360, group=os.getpid(), start=start)
    assert run.free_port(here.settings, "") == 10351
    journal.record("process", name="tilt", port=10350, group=os.getpid(), start=start)
    with pytest.raises(Trouble) as failed:
        run.free_port(here.settings, "")
    assert "inv tilt.down ends it" in failed.value.fix
