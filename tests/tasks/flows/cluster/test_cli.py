"""The checks, the status and the power of the cluster as documents, with the programs replaced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.checks import argo, cluster, guard
from tasks.checks import session as session_check
from tasks.checks.argo import Argo
from tasks.checks.devcontainer import files, machine
from tasks.checks.finding import Finding, missing, ok
from tasks.core.errors import FAILED, MISSING, Trouble
from tasks.core.plan.change import Change
from tasks.flows import session
from tasks.flows.cluster import cli, power, schedule
from tasks.flows.cluster.power import Verb
from tasks.flows.cluster.schedule import Hours
from tasks.tools import telepresence
from tasks.tools.az import cluster as az_cluster
from tasks.tools.az.cluster import Cluster, Pool
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import HERE, Workstation

SPOT = Pool("spot", "User", "Standard_B4ms", True, 1, 0, 5)
FIXED = Pool("fixed", "User", "Standard_D8s_v5", False, 4)
SYSTEM = Pool("system", "System", "Standard_B4ms", False, 1, 1, 3)
RUNNING = Cluster("Running", "Succeeded", "1.34.4", "westeurope", (SYSTEM, SPOT, FIXED), {}, "Dev", ("dev.example",))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    workstation = fakes.workstation(monkeypatch)
    monkeypatch.setattr(az_cluster, "show", lambda s: RUNNING)
    monkeypatch.setattr(az_cluster, "stop", lambda s: workstation.change("stop", destroys="sessions"))
    monkeypatch.setattr(az_cluster, "start", lambda s: workstation.change("start"))
    monkeypatch.setattr(argo, "read", lambda s: Argo())
    monkeypatch.setattr(argo, "findings", lambda s, found, state: [ok("owner", found.name)])
    return workstation


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_cluster_is_checked_with_its_name_and_context(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(cluster, "look", lambda s: [ok("reachable", "yes"), missing("group", "no", fix="install it")])
    for check, code in ((False, FAILED), (True, MISSING)):
        with pytest.raises(SystemExit) as ended:
            cli.check_cluster(here.settings, json=True, check=check)
        found = document(capsys)
        assert (found["cluster"], found["context"], ended.value.code) == ("dev-aks", "dev", code)


def test_a_container_is_checked_by_its_files_or_this_machine(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    looked: list[Path] = []

    def look(s: object, folder: Path) -> list[Finding]:
        looked.append(folder)
        return [ok("files", "good")]

    monkeypatch.setattr(files, "look", look)
    monkeypatch.setattr(machine, "look", lambda s, this: [ok("machine", "good")])
    (tmp_path / "devcontainer.json").write_text("{}")
    for path in (tmp_path, tmp_path / "devcontainer.json"):
        cli.check_container(here.settings, files=str(path), json=True, check=False)
        assert document(capsys)["looked_at"] == str(path)
    assert looked == [tmp_path, tmp_path]
    cli.check_container(here.settings, files="", json=True, check=False)
    assert document(capsys)["looked_at"] == "this machine"
    with pytest.raises(Trouble) as failed:
        cli.check_container(here.settings, files=str(tmp_path / "gone"), json=True, check=False)
    assert failed.value.fix == "inv devcontainer.check --files .devcontainer"


def test_argo_cd_is_checked_for_one_service_or_for_all_that_are_there(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    @contextmanager
    def readable(s: object) -> Iterator[None]:
        here.did.append("readable")
        yield

    monkeypatch.setattr(session_check, "readable", readable)
    here.objects = fakes.cluster_service("www-ameide")
    cli.check_argo(here.settings, "www_ameide", json=True, check=False)
    found = document(capsys)
    assert found["namespace"] == "team"
    assert [finding["subject"] for finding in found["findings"]] == ["www-ameide: owner"]
    assert here.did == ["readable"]
    cli.check_argo(here.settings, "", json=True, check=False)
    subjects = [finding["subject"] for finding in document(capsys)["findings"]]
    assert "www-ameide: owner" in subjects
    assert "graph" in subjects
    with pytest.raises(Trouble):
        cli.check_argo(here.settings, "graph", json=True, check=False)


def test_the_status_names_pools_and_hints(here: Workstation, capsys: pytest.CaptureFixture[str]):
    cli.status(here.settings, json=True)
    found = document(capsys)
    hints = power.cost_hints(RUNNING)
    assert found == {
        "schema": 1, "cluster": "dev-aks", "power": "Running", "state": "Succeeded", "version": "1.34.4",
        "pools": [
            {"name": p.name, "mode": p.mode, "size": p.size, "count": p.count, "low": p.low, "high": p.high,
             "spot": p.spot} for p in RUNNING.pools
        ],
        "hints": hints,
    }  # fmt: skip
    assert [hint.partition(":")[0] for hint in hints] == [
        "fixed", "fixed", "fixed", "runs at all hours",
    ]  # fmt: skip
    assert "at least 5 nodes for 168 h a week" in hints[-1]
    assert "60 h, 64 % less" in hints[-1]
    assert "at least 1 node for" in power.cost_hints(replace(RUNNING, pools=(SYSTEM,)))[-1]
    cli.status(here.settings, json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dev-aks (westeurope): Running, Kubernetes 1.34.4"
    assert [line.split() for line in lines[1:5]] == [
        ["pool", "mode", "size", "nodes", "spot"],
        ["system", "System", "Standard_B4ms", "1", "(1", "to", "3)", "no"],
        ["spot", "User", "Standard_B4ms", "1", "(0", "to", "5)", "yes"],
        ["fixed", "User", "Standard_D8s_v5", "4", "no"],
    ]  # fmt: skip


def switch(here: Workstation, verb: Verb, **how: bool) -> None:
    options: dict[str, Any] = {"yes": False, "dry": False, "check": False, "json": True, **how}
    cli.switch(here.settings, verb, **options)


@pytest.mark.parametrize(("verb", "changes"), [(Verb.STOP, [{"text": "stop", "command": "stop"}]), (Verb.START, [])])
def test_a_switch_is_a_document_of_its_changes(
    here: Workstation, capsys: pytest.CaptureFixture[str], verb: Verb, changes: list[dict[str, str]]
):
    expected = {"schema": 1, "cluster": "dev-aks", "changes": changes}
    switch(here, verb, dry=True)
    assert document(capsys) == expected
    assert "stop" not in here.did
    switch(here, verb, yes=True)
    assert document(capsys) == expected
    assert here.did.count("stop") == len(changes)
    switch(here, verb, check=False, dry=True, json=False)
    assert ("nothing to do" in capsys.readouterr().out) is (not changes)


def test_the_own_intercepts_are_named_before_a_stop(here: Workstation, capsys: pytest.CaptureFixture[str]):
    here.session = replace(HERE, intercepts=(("www", "ada@box"),))
    switch(here, Verb.STOP, yes=True, json=False)
    said = capsys.readouterr()
    assert "inv leave www first" in said.err
    assert said.out == "dev-aks is stopped\n"


def test_a_start_says_that_the_cluster_runs(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(az_cluster, "show", lambda s: replace(RUNNING, power="Stopped"))
    monkeypatch.setattr(telepresence, "status", lambda s: pytest.fail("asked"))
    monkeypatch.setattr(guard, "assess", lambda s: pytest.fail("asked"))
    switch(here, Verb.START, yes=True, json=False)
    assert capsys.readouterr().out == "dev-aks runs\n"
    assert here.did == ["start"]


@pytest.mark.parametrize("dry", [True, False])
def test_the_guard_is_asked_about_a_stop_in_the_same_mode(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, dry: bool
):
    modes: list[bool] = []
    monkeypatch.setattr(session, "allowed", lambda s, *, dry: modes.append(dry))
    switch(here, Verb.STOP, yes=True, dry=dry)
    assert modes == [dry]


def test_the_schedule_is_printed_without_a_file(here: Workstation, capsys: pytest.CaptureFixture[str]):
    cli.write_schedule(here.settings, Hours(), "", dry=False)
    said = capsys.readouterr()
    assert said.out == schedule.manifest(here.settings, Hours()).rstrip("\n") + "\n"
    assert schedule.WORKFLOW in said.err
    assert isinstance(schedule.write(Path("/nowhere/x"), ""), Change)
