"""What the platform team installed in the cluster: Argo CD's rules, the gateway, databases, the quota; and their faults."""

from __future__ import annotations

from typing import Any

from sandbox.world.cluster import Cluster, Port, Workload
from sandbox.world.state import World

GATEWAY = "envoy-gateway-system"
_KEY = "/spec/template/metadata/annotations"
_NARROW = [f"{_KEY}/telepresence.io~1restartedAt", f"{_KEY}/telepresence.getambassador.io~1restartedAt"]


def workloads(world: World, cluster: Cluster) -> list[Workload]:
    """Workloads that are not in the team's catalogue. The API server lists them; they cannot be intercepted."""
    note = f"platform-{cluster.name}"
    if note not in world.notes:
        world.notes[note] = _made(world)
    known = {w.name for w in cluster.workloads}
    return [w for w in world.notes[note] if w.name not in known and w.name not in _absent(world)]


def absent_groups(world: World) -> set[str]:
    """The API groups that the cluster does not serve."""
    groups = {"argoproj.io"} if world.fault("argo-missing") else set()
    return groups | ({"postgresql.cnpg.io"} if world.fault("components-missing") else set())


def absent_namespaces(world: World) -> set[str]:
    """The namespaces that do not exist."""
    return {world.places.argocd_namespace} if world.fault("argo-missing") else set()


def readable(world: World) -> set[str]:
    """The namespaces in which a developer has the role `view`, apart from the team's own."""
    return set() if world.fault("platform-unreadable") else {world.places.argocd_namespace, GATEWAY}


def quotas(world: World, cluster: Cluster) -> list[dict[str, Any]]:
    """The team's ResourceQuota with its usage."""
    if world.fault("quota-missing"):
        return []
    place = world.places.namespace
    pods = sum(p.gone is None for w in cluster.workloads if w.namespace == place for p in w.pods)
    hard = {"pods": str(pods if world.fault("quota-full") else 100), "requests.cpu": "16", "requests.memory": "64Gi"}
    used = {"pods": str(pods), "requests.cpu": "2500m", "requests.memory": "9Gi"}
    return [
        {
            "metadata": {"name": "team", "namespace": place},
            "spec": {"hard": hard},
            "status": {"hard": hard, "used": used},
        }
    ]


def argo_spec(world: World, kind: str) -> dict[str, Any]:
    """The part of an Application's spec about differences that Argo CD ignores."""
    policy: dict[str, Any] = {"automated": {"selfHeal": True, "prune": True}, "syncOptions": ["CreateNamespace=false"]}
    if world.fault("argo-no-rule"):
        return {"syncPolicy": policy}
    pointers = [_KEY] if world.fault("argo-wide-rule") else _NARROW
    policy["syncOptions"].append("RespectIgnoreDifferences=true")
    return {"ignoreDifferences": [{"group": "apps", "kind": kind, "jsonPointers": pointers}], "syncPolicy": policy}


def sync_status(world: World) -> str:
    """The workloads' state relative to git: Synced or OutOfSync."""
    return "OutOfSync" if world.fault("argo-drift") else "Synced"


def agent_manager(world: World) -> str:
    """The namespace of the traffic manager that the agents belong to."""
    return "telepresence-old" if world.fault("agent-wrong-manager") else world.cluster.manager_namespace


def add_agents(world: World, on: bool) -> None:
    """Give the first service's pods a traffic-agent, as after an intercept."""
    first = world.cluster.workloads[0]
    for pod in first.pods:
        pod.agent = on or first.injection == "enabled"


def _absent(world: World) -> set[str]:
    return {"keycloak", "redis-master"} if world.fault("components-missing") else set()


def _made(world: World) -> list[Workload]:
    from sandbox.world.seed import make_pods

    team, argo = world.places.namespace, world.places.argocd_namespace
    made = [
        Workload(
            "keycloak",
            team,
            [Port("http", 8080, 8080, "http")],
            kind="StatefulSet",
            image="quay.io/keycloak/keycloak:26",
        ),
        Workload(
            "redis-master", team, [Port("redis", 6379, 6379, "redis", "tcp")], kind="StatefulSet", image="redis:7"
        ),
        Workload("argocd-server", argo, [Port("server", 80, 8080, "server")], image="quay.io/argoproj/argocd:v3.2.1"),
        Workload(
            "envoy-gateway", GATEWAY, [Port("grpc", 18000, 18000, "grpc", "grpc")], image="envoyproxy/gateway:v1.6.0"
        ),
    ]
    for number, workload in enumerate(made, 240):
        workload.service_ip = f"10.0.8.{number}"
        make_pods(workload, number)
    return made
