"""Start and stop: after a confirmation, never production, and a second run changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tasks.checks import guard
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.flows.cluster import cli, power
from tasks.flows.cluster.power import Verb
from tasks.tools import kubeconfig, telepresence
from tasks.tools.az import cluster
from tasks.tools.az.cluster import Cluster, Pool
from tests.made import settings

EXPENSIVE = Pool("work", "User", "Standard_D8s_v5", False, 4)
CHEAP = Pool("work", "User", "Standard_B4ms", True, 1, 0, 5)


@pytest.fixture
def azure(monkeypatch):
    """A running cluster; `did` records what was switched."""
    world: dict[str, Any] = {
        "cluster": Cluster("Running", "Succeeded", "1.34.4", "westeurope", (CHEAP,), {}),
        "did": [],
    }

    def change(verb: str, after: str):
        def run():
            world["did"].append(verb)
            world["cluster"] = replace(world["cluster"], power=after)

        return lambda s: Change(f"{verb} the cluster", ("az", "aks", verb), run, "sessions" if verb == "stop" else "")

    def no_telepresence(s):
        raise ToolError("no telepresence")

    monkeypatch.setattr(cluster, "show", lambda s: world["cluster"])
    monkeypatch.setattr(cluster, "start", change("start", "Running"))
    monkeypatch.setattr(cluster, "stop", change("stop", "Stopped"))
    monkeypatch.setattr(kubeconfig, "freeze", lambda s: None)
    monkeypatch.setattr(guard, "assess", lambda s: world.setdefault("assessed", True))
    monkeypatch.setattr(telepresence, "status", no_telepresence)
    return world


def switch(verb: str, **more: Any) -> None:
    cli.switch(
        settings(**more.pop("settings", {})),
        Verb(verb),
        **{"yes": False, "dry": False, "check": False, "json": False, **more},
    )


def test_nothing_is_stopped_without_confirmation(azure):
    with pytest.raises(Trouble) as why:
        switch("stop")
    assert why.value.fix == "inv aks.stop --yes"
    assert azure["did"] == []


def test_a_confirmed_stop_happens_once(azure, capsys):
    switch("stop", yes=True)
    switch("stop", yes=True)
    assert azure["did"] == ["stop"]
    assert azure["assessed"]
    assert "nothing to do" in capsys.readouterr().out


def test_a_dry_run_shows_the_command_and_check_exits_2(azure, capsys):
    switch("stop", dry=True)
    assert "$ az aks stop" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        switch("stop", check=True)
    assert ended.value.code == 2
    assert azure["did"] == []


def test_a_dry_run_is_refused_for_production_too(azure, monkeypatch):
    def production(s):
        raise Refused("its labels say production")

    monkeypatch.setattr(guard, "assess", production)
    with pytest.raises(Refused):
        switch("stop", dry=True)


def test_a_stopped_cluster_is_started_without_reading_labels(azure):
    azure["cluster"] = replace(azure["cluster"], power="Stopped")
    switch("start", yes=True)
    assert azure["did"] == ["start"]
    assert "assessed" not in azure


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_production_by_name_is_refused_before_any_request(azure, monkeypatch, verb):
    monkeypatch.setattr(cluster, "show", lambda s: pytest.fail("asked"))
    with pytest.raises(Refused):
        switch(verb, yes=True, settings={"cluster__name": "Prod-aks"})


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_production_by_tag_is_refused(azure, verb):
    labels = settings().guard.production.labels
    azure["cluster"] = replace(azure["cluster"], tags=dict(labels), power="Running" if verb == "stop" else "Stopped")
    with pytest.raises(Refused):
        switch(verb, yes=True)
    assert azure["did"] == []


def test_an_unknown_target_is_not_stopped(azure, monkeypatch):
    def unknown(s):
        raise Refused("cannot tell")

    monkeypatch.setattr(guard, "assess", unknown)
    with pytest.raises(Refused):
        switch("stop", yes=True)
    assert azure["did"] == []


def test_hints_show_what_is_paid_for(azure, capsys):
    assert any("full price" in hint for hint in power.cost_hints(Cluster("Running", "", "", "", (EXPENSIVE,))))
    assert len(power.cost_hints(Cluster("Running", "", "", "", (CHEAP,)))) == 1
    assert "cost nothing" in power.cost_hints(Cluster("Stopped", "", "", "", (EXPENSIVE,)))[0]
    cli.status(settings(), json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["power"] == "Running"
    assert document["pools"][0]["spot"] is True
