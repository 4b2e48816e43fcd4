"""Start and stop: after a confirmation, never production, and a second run changes nothing."""

from __future__ import annotations

import io
import json
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from tasks.checks import azure_target, guard
from tasks.core import ui
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.flows.cluster import cli, power
from tasks.flows.cluster.power import Verb
from tasks.flows.intercept import notice
from tasks.flows.intercept.notice import Notice
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
        "cluster": Cluster("Running", "Succeeded", "1.34.4", "westeurope", (CHEAP,), {}, "Rg", ("dev.example",)),
        "server": "https://dev.example:443",
        "notices": [],
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
    monkeypatch.setattr(kubeconfig, "server_of", lambda s: world["server"])
    monkeypatch.setattr(azure_target, "server", lambda s: world["server"])
    monkeypatch.setattr(notice, "ask", lambda s: world["notices"])
    return world


def switch(verb: str, **more: Any) -> None:
    cli.switch(
        settings(cluster__resource_group="rg", **more.pop("settings", {})),
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


# Azure allows no `/` in the name of a tag, and ignores the case of names.
TAGS = ("environment", "Environment", "ameide.io.environment", "ameide.io-environment", "ameide.io_Environment")


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_production_by_tag_is_refused(azure, verb, name):
    (value,) = settings().guard.production.labels.values()
    tags = {"team": "platform", name: value.capitalize()}
    azure["cluster"] = replace(azure["cluster"], tags=tags, power="Running" if verb == "stop" else "Stopped")
    with pytest.raises(Refused) as why:
        switch(verb, yes=True)
    assert f"its tag {name}=" in why.value.text()
    assert azure["did"] == []


@pytest.mark.parametrize("tags", [{"environment": "dev"}, {"stage": "production"}, {}, None])
def test_another_tag_is_not_production(azure, tags):
    azure["cluster"] = replace(azure["cluster"], tags=tags)
    switch("stop", yes=True)
    assert azure["did"] == ["stop"]


OTHER = {
    "hosts": ("other.example",),
    "resource_group": "elsewhere",
}


@pytest.mark.parametrize("field", OTHER)
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_only_the_cluster_of_the_kubeconfig_is_switched(azure, verb, field):
    power_now = "Running" if verb == "stop" else "Stopped"
    azure["cluster"] = replace(azure["cluster"], power=power_now, **{field: OTHER[field]})
    with pytest.raises(Refused) as why:
        switch(verb, yes=True)
    assert str(OTHER[field] if field == "resource_group" else OTHER[field][0]) in str(why.value)
    assert azure["did"] == []


def test_a_kubeconfig_with_another_spelling_of_the_host_is_the_same_cluster(azure):
    azure["server"] = "https://DEV.example.:443/"
    switch("stop", yes=True)
    assert azure["did"] == ["stop"]


def test_a_cluster_is_started_before_there_is_a_kubeconfig(azure):
    azure["server"] = ""
    azure["cluster"] = replace(azure["cluster"], power="Stopped")
    switch("start", yes=True)
    assert azure["did"] == ["start"]


@pytest.mark.parametrize("verb", ["start", "stop"])
@pytest.mark.parametrize(
    "shown", [{"hosts": ("live-production.example",)}, {"resource_group": "Team-Production"}], ids=["address", "group"]
)
def test_production_by_what_azure_shows_is_refused(azure, verb, shown):
    patterns = {"guard__production__servers": "*production*", "guard__production__contexts": "*production*"}
    azure["cluster"] = replace(azure["cluster"], power="Running" if verb == "stop" else "Stopped", **shown)
    with pytest.raises(Refused, match="is production"):
        switch(verb, yes=True, settings=patterns)
    assert azure["did"] == []


def test_a_stop_that_ends_the_intercepts_of_others_names_them_and_wants_the_clusters_name(azure, capsys):
    azure["notices"] = [
        Notice("www", "www-1", "ada@laptop", time.time() - 7300, "all traffic"),
        Notice("www", "www-2", "vscode@6a0f", time.time() - 7300, "x-user=bob", person="bob"),
        Notice("graph", "graph-1", "me@here", time.time(), "all traffic", mine=True),
    ]
    with pytest.raises(Refused) as why:
        switch("stop", yes=True)
    assert "ada@laptop intercepts www (all traffic), started 2 h ago" in str(why.value)
    assert "bob (vscode@6a0f) intercepts www (x-user=bob)" in capsys.readouterr().err
    assert "me@here" not in str(why.value)
    assert why.value.fix == "ask them, then inv aks.stop --confirm dev-aks"
    with pytest.raises(Refused, match="the cluster is dev-aks"):
        switch("stop", confirm="another")
    assert azure["did"] == []
    switch("stop", confirm="dev-aks")
    assert azure["did"] == ["stop"]


@pytest.mark.parametrize(("typed", "did"), [("y", []), ("yes", []), ("dev-aks", ["stop"])])
def test_on_a_terminal_the_name_is_typed(azure, monkeypatch, capsys, typed, did):
    azure["notices"] = [Notice("www", "www-1", "ada@laptop", time.time(), "all traffic")]
    monkeypatch.setattr(ui, "can_ask", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    with nullcontext() if did else pytest.raises(Trouble, match="not confirmed"):
        switch("stop", yes=True)
    assert azure["did"] == did
    assert "ada@laptop intercepts www" in capsys.readouterr().err


def test_holders_that_cannot_be_seen_count_as_others(azure, monkeypatch):
    def denied(s):
        raise ToolError("forbidden")

    monkeypatch.setattr(notice, "ask", denied)
    with pytest.raises(Refused, match="cannot be seen: forbidden"):
        switch("stop", yes=True)


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
