"""The guard: refuses production by any of its names, and targets that cannot be looked at."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tasks.checks import guard
from tasks.checks.guard import Target
from tasks.core.config.settings import Production, Settings, settings
from tasks.core.errors import REFUSED, Problem, Refused, ToolError
from tasks.tools import kubeconfig, kubectl
from tests.made import settings as made

DEV = "https://dev-aks-dns-1a2b.hcp.westeurope.azmk8s.io:443"
SERVER = "https://prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io:443"


@pytest.mark.parametrize(
    "pattern",
    [
        SERVER,
        "*prod-aks*",
        "prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io",
        "prod-aks-*.azmk8s.io",
        "PROD-AKS-*",
    ],
)
def test_a_production_server_is_refused_by_its_url_and_by_its_host(pattern: str):
    s = settings()
    s = msgspec.structs.replace(s, guard=msgspec.structs.replace(s.guard, production=Production(servers=[pattern])))
    with pytest.raises(Refused, match="API server"):
        guard.check_names(s, server=SERVER)


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ({"cluster__context": "live-eu", "guard__production__contexts": "live-*"}, "the context 'live-eu'"),
        ({"cluster__namespace": "live-shop", "guard__production__namespaces": "live-*"}, "the namespace 'live-shop'"),
        ({"cluster__name": "live-aks", "guard__production__contexts": "live-*"}, "the cluster 'live-aks'"),
    ],
)
def test_the_refusal_shows_the_name_and_the_pattern(setting: dict[str, str], what: str):
    with pytest.raises(Refused) as refused:
        guard.check_names(made(**setting))
    assert refused.value.problem == Problem(
        f"{what} is production", why="it matches 'live-*' of guard.production", fix=guard.NO_WAY, code=REFUSED
    )


def test_another_server_passes():
    guard.check_names(settings(), server="https://ameide-dev-aks-dns-1a2b.hcp.westeurope.azmk8s.io:443")


def test_a_mapped_production_namespace_is_refused():
    s = made(cluster__mapped_namespaces="team, live-shop", guard__production__namespaces="live-*")
    with pytest.raises(Refused, match="the mapped namespace 'live-shop' is production"):
        guard.check_names(s)


def test_a_mapped_namespace_without_a_match_passes():
    guard.check_names(made(cluster__mapped_namespaces="team, shop", guard__production__namespaces="live-*"))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A cluster that answers `labels` for the namespace, or raises `error`."""
    answer: dict[str, Any] = {"labels": {"team": "shop"}, "server": DEV, "error": None}

    def namespace_labels(s: Settings, namespace: str, *, kubeconfig: str) -> dict[str, str]:
        if answer["error"] is not None:
            raise answer["error"]
        return dict(answer["labels"])

    monkeypatch.setattr(kubectl, "namespace_labels", namespace_labels)
    monkeypatch.setattr(kubeconfig, "server_of", lambda s, path: answer["server"])
    return answer


def test_an_allowed_target_is_returned(cluster: dict[str, Any]):
    assert guard.assess(made()) == Target(DEV, "dev", "team", {"team": "shop"})


def test_the_server_of_the_kubeconfig_is_compared_with_the_patterns(cluster: dict[str, Any]):
    cluster["server"] = SERVER
    with pytest.raises(Refused, match="the API server"):
        guard.assess(made(guard__production__servers="prod-aks-*"))


def test_a_namespace_with_a_production_label_is_refused(cluster: dict[str, Any]):
    s = made(guard__production__labels="{env: live}")
    cluster["labels"] = {"env": "dev"}
    assert guard.assess(s).labels == {"env": "dev"}
    cluster["labels"] = {"env": "live"}
    with pytest.raises(Refused) as refused:
        guard.assess(s)
    assert refused.value.problem == Problem(
        "the namespace 'team' is production", why="its label env=live", fix=guard.NO_WAY, code=REFUSED
    )


def test_a_missing_namespace_is_refused(cluster: dict[str, Any]):
    cluster["error"] = kubectl.NotFound("kubectl get: not found", tool="kubectl", exit=1)
    with pytest.raises(Refused, match="the namespace 'team' does not exist in the cluster 'dev'") as refused:
        guard.assess(made())
    assert not isinstance(refused.value, guard.UnknownTarget)


@pytest.mark.parametrize(("why", "fix"), [("", ""), ("the login has expired", "inv aks.login")])
def test_a_target_that_cannot_be_looked_at_is_refused_as_unknown(cluster: dict[str, Any], why: str, fix: str):
    cluster["error"] = ToolError("kubectl get: no answer", tool="kubectl", why=why, fix=fix)
    with pytest.raises(guard.UnknownTarget, match="dev/team could not be looked at: kubectl get: no answer") as unknown:
        guard.assess(made())
    assert unknown.value.cause is cluster["error"]
    assert unknown.value.code == REFUSED
    assert unknown.value.problem == Problem(
        "the target dev/team could not be looked at: kubectl get: no answer",
        why=why or "a target that cannot be looked at might be production, so it is not changed",
        fix=fix or "inv aks.check",
        code=REFUSED,
    )
