"""The cluster's objects as the API server returns them, built from the world's state."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.standins.kubectl.kinds import Kind, Object
from sandbox.standins.kubectl.workloads import (
    controllers,
    manager_version,
    metadata,
    pods,
    replica_sets,
    services,
    slices,
)
from sandbox.world import platform
from sandbox.world.cluster import Cluster
from sandbox.world.state import World


def objects(world: World, cluster: Cluster, kind: Kind) -> list[Object]:
    """All objects of a kind in all namespaces, sorted by namespace and name."""
    build = _BUILD.get(kind.kind)
    with world.lock:
        made = build(world, cluster) if build else []
        stored = [o for (k, _, _), o in cluster.objects.items() if k == kind.kind]
    taken = {_key(o) for o in stored}
    state = {_key(o): o["status"] for o in made if "status" in o}
    stored = [{**o, "status": state[_key(o)]} if _key(o) in state else o for o in stored]  # applied by helm or kubectl
    result = [o for o in made if _key(o) not in taken] + stored
    for thing in result:
        thing.setdefault("apiVersion", kind.api_version)
        thing.setdefault("kind", kind.kind)
    return sorted(result, key=_key)


def _key(thing: Object) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def _namespaces(world: World, cluster: Cluster) -> list[Object]:
    return [
        {
            "metadata": metadata(n.name, uid=n.uid, labels=dict(n.labels)),
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        for n in cluster.namespaces.values()
        if n.name not in platform.absent_namespaces(world)
    ]


def _nodes(world: World, cluster: Cluster) -> list[Object]:
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    conditions = [{"type": "Ready", "status": "True"}]
    info = {"kubeletVersion": cluster.kubernetes, "architecture": "amd64", "operatingSystem": "linux"}
    return [
        {
            "metadata": metadata(f"aks-nodepool1-1234-vmss00000{n}", labels=labels),
            "status": {"conditions": conditions, "nodeInfo": info},
        }
        for n in range(2)
    ]


def _config_maps(world: World, cluster: Cluster) -> list[Object]:
    where = world.places.argocd_namespace
    config_maps: list[Object] = [
        {"metadata": metadata("argocd-cm", where), "data": {"application.resourceTrackingMethod": "annotation"}}
    ]
    if manager_version(world, cluster):
        config_maps.append({"metadata": metadata("traffic-manager", cluster.manager_namespace), "data": {}})
    return config_maps


def _applications(world: World, cluster: Cluster) -> list[Object]:
    applications = []
    for w in cluster.workloads:
        if not w.instance:
            continue
        resources = [
            {
                "group": "apps",
                "version": "v1",
                "kind": w.kind,
                "name": w.name,
                "namespace": w.namespace,
                "status": platform.sync_status(world),
            }
        ]
        if w.service:
            resources.append(
                {"version": "v1", "kind": "Service", "name": w.service, "namespace": w.namespace, "status": "Synced"}
            )
        spec = {
            "project": "default",
            "source": {
                "repoURL": "https://git.example.com/gitops.git",
                "path": f"sources/charts/apps/{w.name}",
                "targetRevision": "main",
            },
            "destination": {"server": "https://kubernetes.default.svc", "namespace": w.namespace},
            **platform.argo_spec(world, w.kind),
        }
        status = {
            "sync": {"status": platform.sync_status(world)},
            "health": {"status": "Healthy"},
            "resources": resources,
        }
        applications.append(
            {"metadata": metadata(w.instance, world.places.argocd_namespace), "spec": spec, "status": status}
        )
    return applications


def _routes(world: World, cluster: Cluster) -> list[Object]:
    return [
        {"metadata": metadata(w.name, w.namespace),
         "spec": {"hostnames": w.hosts, "rules": [{"backendRefs": [{"name": w.service, "port": w.ports[0].port}]}]}}
        for w in cluster.workloads if w.hosts and w.service
    ]  # fmt: skip


def _webhooks(world: World, cluster: Cluster) -> list[Object]:
    if not manager_version(world, cluster):
        return []
    service = {"name": "agent-injector", "namespace": cluster.manager_namespace, "path": "/traffic-agent", "port": 8443}
    hook = {
        "name": f"agent-injector-{cluster.manager_namespace}.telepresence.io",
        "clientConfig": {"service": service},
        "failurePolicy": "Ignore",
    }
    return [{"metadata": metadata(f"agent-injector-webhook-{cluster.manager_namespace}"), "webhooks": [hook]}]


def _events(world: World, cluster: Cluster) -> list[Object]:
    return [
        {"metadata": metadata(f"{e['object']}.{n:x}", e["namespace"]), "reason": e["reason"], "message": e["message"], "type": e["type"],
         "lastTimestamp": e["time"], "count": 1, "involvedObject": {"kind": e["kind"], "name": e["object"], "namespace": e["namespace"]}}
        for n, e in enumerate(cluster.events)
    ]  # fmt: skip


_BUILD: dict[str, Callable[[World, Cluster], list[Object]]] = {
    "Namespace": _namespaces,
    "Node": _nodes,
    "Pod": pods,
    "Service": services,
    "ConfigMap": _config_maps,
    "Event": _events,
    "ResourceQuota": platform.quotas,
    "Deployment": controllers("Deployment"),
    "StatefulSet": controllers("StatefulSet"),
    "ReplicaSet": replica_sets,
    "EndpointSlice": slices,
    "HTTPRoute": _routes,
    "Application": _applications,
    "MutatingWebhookConfiguration": _webhooks,
}
