"""The cluster's requirements: ok, missing or unknown, each with its fix."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tasks.checks import cluster, session
from tasks.checks.cluster import azure
from tasks.checks.cluster import manager as cluster_manager
from tasks.checks.finding import Finding, Verdict, missing, warning
from tasks.core.errors import Problem, ToolError
from tasks.tools import az, kubectl, telepresence
from tasks.tools.az import Account
from tasks.tools.az import cluster as az_cluster
from tasks.tools.az.cluster import Cluster, Pool
from tests.made import settings

REGISTRY_LOGIN = az_cluster.registry_login  # the fixture `world` replaces it
GROUPS = ("argoproj.io", "gateway.envoyproxy.io", "postgresql.cnpg.io")
POOLS = (
    Pool("system", "System", "Standard_B4ms", False, 1, 1, 3),
    Pool("work", "User", "Standard_B4ms", True, 1, 0, 5),
)


class World:
    """The contents of the cluster and Azure; a test changes a part."""

    def __init__(self) -> None:
        self.namespaces = {"team", "argocd", "ambassador"}
        self.groups = set(GROUPS)
        self.workloads = {
            "team": ["keycloak", "redis-master"],
            "argocd": ["argocd-server"],
            "envoy-gateway-system": ["envoy-gateway"],
        }
        self.idle: set[str] = set()
        self.quotas: list[dict[str, Any]] = [quota(pods=("3", "20"))]
        self.forbidden: set[str] = set()  # namespaces that may not be read
        self.denied: set[tuple[str, str]] = set()  # (verb, resource) that this login may not
        self.manager, self.version, self.client = "ambassador", "2.31.0", "2.31.0"
        self.azure = Cluster("Running", "Succeeded", "1.34.4", "westeurope", POOLS)
        self.roles = ["AcrPush", "Reader"]
        self.silent = False

    def get(self, s, kinds, *, name="", namespace="", everywhere=False, **more):
        namespace = namespace or s.cluster.namespace
        if namespace in self.forbidden or (everywhere and self.forbidden):
            raise kubectl.Forbidden(f"kubectl get {kinds}: forbidden", tool="kubectl", exit=1)
        if kinds == "services" and everywhere:
            return [{"metadata": {"name": "traffic-manager", "namespace": self.manager}}] if self.manager else []
        if kinds == "service":
            if namespace != self.manager:
                raise kubectl.NotFound("not found", tool="kubectl", exit=1)
            return [{"metadata": {"name": name}}]
        if kinds == "pods":
            ready = {"conditions": [{"type": "Ready", "status": "False" if "traffic-manager" in self.idle else "True"}]}
            image = {"containers": [{"image": f"ghcr.io/telepresenceio/tel2:{self.version}"}]}
            return [{"metadata": {"name": "traffic-manager-1"}, "spec": image, "status": ready}]
        if kinds == "resourcequotas":
            return self.quotas
        return [
            {"metadata": {"name": n}, "status": {"readyReplicas": 0 if n in self.idle else 1}}
            for n in self.workloads.get(namespace, [])
        ]

    def labels(self, s, name, **more):
        if name in self.forbidden:
            raise kubectl.Forbidden("kubectl get namespace: forbidden", tool="kubectl", exit=1)
        if name not in self.namespaces:
            raise kubectl.NotFound("not found", tool="kubectl", exit=1)
        return {"kubernetes.io/metadata.name": name, "stage": "dev"}

    def ready(self, s, **more):
        if self.silent:
            raise ToolError("kubectl get: the connection was refused", fix="inv aks.start")


def quota(**pairs: tuple[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": "team"},
        "status": {"used": {k: u for k, (u, _) in pairs.items()}, "hard": {k: h for k, (_, h) in pairs.items()}},
    }


@pytest.fixture
def world(monkeypatch):
    w = World()
    monkeypatch.setattr(session, "readable", lambda s: nullcontext())
    monkeypatch.setattr(kubectl, "ready", w.ready)
    monkeypatch.setattr(kubectl, "get", w.get)
    monkeypatch.setattr(kubectl, "namespace_labels", w.labels)
    monkeypatch.setattr(kubectl, "can_i", lambda s, verb, resource, **more: (verb, resource) not in w.denied)
    monkeypatch.setattr(cluster, "api_groups", lambda s: frozenset(w.groups))
    monkeypatch.setattr(telepresence, "version", lambda s: w.client)
    monkeypatch.setattr(az_cluster, "show", lambda s: w.azure)
    monkeypatch.setattr(az_cluster, "registry_login", lambda s: s.registry.host)
    monkeypatch.setattr(az_cluster, "roles", lambda s, assignee: w.roles)
    monkeypatch.setattr(az, "account", lambda s: Account("dev@example.com", "user", "s", "Dev", "t"))
    return w


def look() -> dict[str, Finding]:
    return {f.subject: f for f in cluster.look(settings())}


def test_a_complete_cluster_is_ok_and_each_requirement_is_listed(world):
    found = look()
    assert {f.subject for f in found.values() if f.verdict is not Verdict.OK} == set()
    assert {"API server", "namespace team", "namespace argocd", "namespace ambassador", "Argo CD", "Envoy Gateway", "Keycloak",
            "PostgreSQL (CNPG)", "Redis", "traffic manager", "quota", "may create deployments", "power", "spot nodes",
            "B-series nodes", "autoscaling", "registry login", "registry pull", "registry push"} <= set(found)  # fmt: skip


DEFECTS: dict[str, tuple[Any, str]] = {
    "a namespace is not there": (lambda w: w.namespaces.remove("argocd"), "namespace argocd"),
    "an operator is not installed": (lambda w: w.groups.remove("postgresql.cnpg.io"), "PostgreSQL (CNPG)"),
    "a component has no workload": (lambda w: w.workloads["team"].remove("keycloak"), "Keycloak"),
    "no quota": (lambda w: w.quotas.clear(), "quota"),
    "no role": (lambda w: w.denied.add(("create", "deployments")), "may create deployments"),
    "no right in the manager's namespace": (lambda w: w.denied.add(("list", "pods")), "may list pods in ambassador"),
    "no manager": (lambda w: setattr(w, "manager", ""), "traffic manager"),
    "the manager is not ready": (lambda w: w.idle.add("traffic-manager"), "traffic manager"),
    "an old manager": (lambda w: setattr(w, "version", "2.14.0"), "traffic manager"),
    "the registry gives no push": (lambda w: setattr(w, "roles", ["AcrPull"]), "registry push"),
    "the cluster is off": (lambda w: setattr(w, "azure", replace(w.azure, power="Stopped")), "power"),
    "no spot nodes": (lambda w: setattr(w, "azure", with_pool(spot=False)), "spot nodes"),
    "no autoscaler": (lambda w: setattr(w, "azure", with_pool(low=0, high=0)), "autoscaling"),
    "dear nodes": (lambda w: setattr(w, "azure", Cluster("Running", "", "", "", (Pool("n", "User", "Standard_D8s_v5", True, 1, 0, 3),))), "B-series nodes"),
}  # fmt: skip


def with_pool(**changes: Any) -> Cluster:
    return Cluster("Running", "", "1.34.4", "", (POOLS[0], replace(POOLS[1], **changes)))


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_the_only_finding(world, name):
    plant, subject = DEFECTS[name]
    plant(world)
    found = look()
    assert {f.subject for f in found.values() if f.verdict is Verdict.MISSING} == {subject}
    assert found[subject].fix


def test_unreadable_namespaces_are_unknown_not_missing(world):
    world.forbidden = {"argocd", "envoy-gateway-system", "ambassador"}
    found = look()
    assert (
        found["Argo CD"].verdict
        is found["Envoy Gateway"].verdict
        is found["traffic manager"].verdict
        is Verdict.UNKNOWN
    )
    assert "argoproj.io is served" in found["Argo CD"].text
    assert found["namespace argocd"].verdict is found["namespace ambassador"].verdict is Verdict.WARN
    assert not [f for f in found.values() if f.verdict is Verdict.MISSING]


def test_a_silent_api_server_is_asked_once_and_azure_still_answers(world):
    world.silent = True
    found = look()
    assert found["API server"].verdict is found["quota"].verdict is Verdict.UNKNOWN
    assert found["API server"].problem == Problem(
        "could not look: kubectl get: the connection was refused", fix="inv aks.start"
    )
    assert found["quota"].problem == Problem("could not look: the API server could not be asked", fix="inv aks.start")
    assert found["power"].verdict is Verdict.OK


def test_a_component_without_a_ready_pod_is_a_warning(world):
    world.idle.add("redis-master")
    assert look()["Redis"].verdict is Verdict.WARN


def test_a_full_quota_is_a_warning_with_the_numbers(world):
    world.quotas = [quota(pods=("20", "20"), cpu=("1", "8"))]
    assert look()["quota"] == warning(
        "quota",
        "team is used up: pods 20 of 20: new pods are refused",
        fix="inv tilt.down removes your own releases; else ask for more in gitops",
    )


def test_a_manager_in_another_namespace_is_found_there(world):
    world.manager = "telepresence"
    assert look()["traffic manager"] == missing(
        "traffic manager",
        "not in 'ambassador' but in 'telepresence'",
        fix="set cluster.manager_namespace to telepresence in config/settings.yaml",
    )


@pytest.mark.parametrize(
    ("client", "manager", "state"),
    [
        ("2.31.0", "2.31.0", Verdict.OK),
        ("2.31.0", "2.31.2", Verdict.OK),
        ("2.31.0", "2.28.0", Verdict.WARN),
        ("2.31.0", "2.27.5", Verdict.MISSING),
        ("2.25.1", "2.19.1", Verdict.MISSING),
        ("2.19.1", "2.20.2", Verdict.WARN),
        ("2.31.0", "", Verdict.OK),
        ("2.31.0", "3.0.0", Verdict.MISSING),
    ],
)
def test_client_and_manager_must_be_compatible(monkeypatch, client, manager, state):
    monkeypatch.setattr(telepresence, "version", lambda s: client)
    assert cluster_manager.versions(settings(), manager).verdict is state


def test_without_a_client_the_wanted_version_counts(monkeypatch):
    def absent(s):
        raise ToolError("telepresence is not installed")

    monkeypatch.setattr(telepresence, "version", absent)
    assert cluster_manager.versions(settings(), "2.31.0").verdict is Verdict.OK


def test_invisible_roles_are_unknown(world):
    world.roles = []
    found = look()
    assert found["registry pull"].verdict is found["registry push"].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(("said", "state"), [
    ("Access to registry 'x' was denied. Response code: 401", Verdict.MISSING),
    ("Looks like you don't have access to registry 'x'", Verdict.MISSING),
    ("no answer in 13 s", Verdict.UNKNOWN),
])  # fmt: skip
def test_a_refusing_registry_is_missing_and_a_silent_one_unknown(world, monkeypatch, said, state):
    def answer(s, *args):
        raise ToolError(f"az acr login: {said}", tool="az", exit=1)

    monkeypatch.setattr(az_cluster, "_answer", answer)
    monkeypatch.setattr(az_cluster, "registry_login", REGISTRY_LOGIN)
    assert look()["registry login"].verdict is state


def test_another_registry_than_acr_is_not_asked_through_az(world):
    found = {f.subject for f in cluster.look(settings(registry__kind="docker"))}
    assert not [subject for subject in found if subject.startswith("registry")]


def test_a_system_pool_is_not_a_pool_for_work(world):
    world.azure = Cluster("Running", "", "", "", (replace(POOLS[0], spot=True), replace(POOLS[1], spot=False)))
    found = {f.subject: f for f in azure.node_pools(settings())}
    assert found["spot nodes"].verdict is Verdict.MISSING


def test_the_components_come_from_the_settings(world):
    s = settings()
    other = msgspec.structs.replace(s, cluster=msgspec.structs.replace(s.cluster, components=[]))
    assert "Keycloak" not in {f.subject for f in cluster.look(other)}


def test_the_rights_at_the_manager_are_those_of_telepresence_connect():
    assert [right.text for right in cluster_manager.RIGHTS] == [
        "get services/traffic-manager", "list pods", "create pods/portforward",
    ]  # fmt: skip


@pytest.mark.parametrize("question", ["registry_login", "roles"])
def test_what_could_not_be_seen_of_the_registry_has_a_fix(world, monkeypatch, question):
    def denied(s, *more):
        raise ToolError("az: the request was blocked")

    monkeypatch.setattr(az_cluster, question, denied)
    unknown = {subject: f for subject, f in look().items() if f.verdict is Verdict.UNKNOWN}
    assert set(unknown) == ({"registry login"} if question == "registry_login" else {"registry pull", "registry push"})
    assert all("AcrPush" in f.fix for f in unknown.values())
