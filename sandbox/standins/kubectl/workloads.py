"""Workloads as the API server returns them: controllers, pods, services, endpoint slices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.standins.kubectl.kinds import Object
from sandbox.world import platform, rollout
from sandbox.world.cluster import Cluster, Pod, Port, Workload
from sandbox.world.state import World


def metadata(name: str, namespace: str = "", uid: str = "", **more: Any) -> Object:
    """The metadata of every object. The uid is stable."""
    result: Object = {
        "name": name,
        "uid": uid or str(uuid5(NAMESPACE_URL, f"{namespace}/{name}")),
        "creationTimestamp": "2026-01-01T08:00:00Z",
        "resourceVersion": "1",
    }
    if namespace:
        result["namespace"] = namespace
    return {**result, **{k: v for k, v in more.items() if v}}


def _labels(workload: Workload) -> dict[str, str]:
    if workload.labels:
        return workload.labels
    return {"app.kubernetes.io/name": workload.name, "app.kubernetes.io/instance": workload.instance or workload.name}


def _env(workload: Workload) -> list[Object]:
    service = {
        k for k in workload.env if k.endswith(("_SERVICE_HOST", "_SERVICE_PORT")) or k in ("PATH", "HOME", "HOSTNAME")
    }
    return [{"name": k, "value": v} for k, v in workload.env.items() if k not in service]


def _template(workload: Workload) -> Object:
    ports = [{"name": p.name, "containerPort": p.container, "protocol": "TCP"} for p in workload.ports]
    container: Object = {"name": workload.container, "image": workload.image, "env": _env(workload), "resources": {}}
    if ports:
        container["ports"] = ports
        container["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": ports[0]["name"]}, "periodSeconds": 1}
    meta: Object = {"labels": _labels(workload)}
    if workload.annotations:
        meta["annotations"] = dict(workload.annotations)
    return {"metadata": meta, "spec": {"containers": [container], "serviceAccountName": "default"}}


def _ready(workload: Workload) -> int:
    now = time.monotonic()
    return sum(p.answers(now) for p in workload.pods)


def controllers(wanted: str) -> Callable[[World, Cluster], list[Object]]:
    """Return the function that builds the Deployments or the StatefulSets."""

    def build(world: World, cluster: Cluster) -> list[Object]:
        return [_controller(w) for w in workloads(world, cluster) if w.kind == wanted]

    return build


def _controller(w: Workload) -> Object:
    owners = [w.owner] if w.owner else []
    tracking = f"{w.instance}:apps/{w.kind}:{w.namespace}/{w.name}" if w.instance else ""
    annotations = {"argocd.argoproj.io/tracking-id": tracking} if tracking else {}
    ready = _ready(w)
    status: Object = {"observedGeneration": w.generation, "replicas": w.replicas, "updatedReplicas": w.replicas}
    if ready:
        status |= {"readyReplicas": ready, "availableReplicas": ready}
    meta = metadata(w.name, w.namespace, w.uid, labels=_labels(w), annotations=annotations, ownerReferences=owners)
    meta["generation"] = w.generation
    spec: Object = {
        "replicas": w.replicas,
        "selector": {"matchLabels": {"app.kubernetes.io/name": w.name}},
        "template": _template(w),
    }
    if w.kind == "StatefulSet":
        spec["serviceName"] = w.service or w.name
    return {"metadata": meta, "spec": spec, "status": status}


def replica_sets(world: World, cluster: Cluster) -> list[Object]:
    """The ReplicaSets: one for each template that still has pods."""
    result = []
    for w in workloads(world, cluster):
        if w.kind != "Deployment":
            continue
        for name in dict.fromkeys(p.name.rpartition("-")[0] for p in w.pods):
            owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": w.name, "uid": w.uid, "controller": True}
            meta = metadata(name, w.namespace, labels=_labels(w), ownerReferences=[owner])
            count = sum(p.name.rpartition("-")[0] == name and p.gone is None for p in w.pods)
            result.append({"metadata": meta, "spec": {"replicas": count}, "status": {"replicas": count}})
    return result


def workloads(world: World, cluster: Cluster) -> list[Workload]:
    """The workloads, including the traffic manager."""
    version = manager_version(world, cluster)
    workloads = [*cluster.workloads, *platform.workloads(world, cluster)]
    if not version:
        return workloads
    manager = world.notes.setdefault(f"manager-{cluster.name}", _manager(cluster))
    manager.image = f"ghcr.io/telepresenceio/tel2:{version}"
    return [*workloads, manager]


def _manager(cluster: Cluster) -> Workload:
    from sandbox.world.seed import make_pods

    made = Workload(
        "traffic-manager", cluster.manager_namespace, [Port("api", 8081, 8081, "api", "grpc")], service_ip="10.0.9.9"
    )
    make_pods(made, 249)
    return made


def manager_version(world: World, cluster: Cluster) -> str:
    """The traffic manager's version, or "" without one."""
    if world.fault("manager-missing") or world.fault("agent-orphaned"):
        return ""
    return "2.14.0" if world.fault("manager-old") else cluster.manager


def pods(world: World, cluster: Cluster) -> list[Object]:
    """The pods, including terminating ones."""
    now = time.monotonic()
    return [_pod(world, w, p, now) for w in workloads(world, cluster) for p in w.pods if p.exists(now)]


def _pod(world: World, w: Workload, pod: Pod, now: float) -> Object:
    spec = _template(w)["spec"]
    labels, annotations = dict(_labels(w)), dict(w.annotations)
    if pod.agent:
        _inject_agent(world, w, spec, labels, annotations)
    kind = "StatefulSet" if w.kind == "StatefulSet" else "ReplicaSet"
    owner_name = w.name if kind == "StatefulSet" else pod.name.rpartition("-")[0]
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": owner_name, "uid": w.uid, "controller": True}
    meta = metadata(pod.name, w.namespace, pod.uid, labels=labels, annotations=annotations, ownerReferences=[owner])
    meta["creationTimestamp"] = _stamp(time.time() - (now - pod.created))
    if pod.gone is not None and pod.gone <= now:
        meta["deletionTimestamp"] = _stamp(time.time())
    return {"metadata": meta, "spec": spec, "status": _pod_status(pod, spec["containers"], now)}


def _inject_agent(world: World, w: Workload, spec: Object, labels: dict[str, str], annotations: dict[str, str]) -> None:
    """Add what the traffic manager's webhook adds to a pod."""
    labels |= {
        "telepresence.io/workloadName": w.name,
        "telepresence.io/workloadKind": w.kind,
        "telepresence.io/workloadEnabled": "true",
    }
    annotations["telepresence.io/inject-traffic-agent"] = "enabled"
    manager = f"traffic-manager.{platform.agent_manager(world)}.svc.cluster.local"
    annotations["telepresence.io/agent-config"] = json.dumps(
        {"agentName": w.name, "managerHost": manager, "managerPort": 8081}
    )
    ports = [{"name": p.name, "containerPort": 9900 + n, "protocol": "TCP"} for n, p in enumerate(w.ports)]
    spec["containers"].append(
        {"name": "traffic-agent", "image": rollout.agent_image(world), "args": ["agent"], "ports": ports}
    )
    if any(isinstance(p.target, int) for p in w.ports):
        spec["initContainers"] = [{"name": "tel-agent-init", "image": rollout.agent_image(world)}]


def _pod_status(pod: Pod, containers: list[Object], now: float) -> Object:
    ready = pod.answers(now)
    states = [_container_status(pod, c["name"], ready, now) for c in containers]
    return {
        "phase": "Pending" if pod.stuck else "Running",
        "podIP": pod.ip,
        "conditions": [{"type": t, "status": "True" if ready else "False"} for t in ("ContainersReady", "Ready")],
        "containerStatuses": states,
    }


def _container_status(pod: Pod, name: str, ready: bool, now: float) -> Object:
    status: Object = {"name": name, "ready": ready, "restartCount": 0, "state": {"running": {}}}
    if pod.stuck and name == "traffic-agent":
        status["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    elif pod.crashes and now >= pod.ready and name != "traffic-agent":
        message = f"back-off 20s restarting failed container={name} pod={pod.name}"
        status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
        status["restartCount"] = 2
    return status


def _stamp(seconds: float) -> str:
    """A time as the API server writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def services(world: World, cluster: Cluster) -> list[Object]:
    """The Services."""
    result = []
    for w in workloads(world, cluster):
        if not w.service:
            continue
        ports = [{"name": p.name, "port": p.port, "targetPort": p.target, "protocol": "TCP"} for p in w.ports]
        ip = "None" if w.headless else w.service_ip
        spec: Object = {
            "type": "ClusterIP",
            "clusterIP": ip,
            "clusterIPs": [ip],
            "selector": {"app.kubernetes.io/name": w.name},
        }
        if ports:
            spec["ports"] = ports
        result.append(
            {
                "metadata": metadata(w.service, w.namespace, w.service_uid, labels=_labels(w)),
                "spec": spec,
                "status": {"loadBalancer": {}},
            }
        )
    return result


def slices(world: World, cluster: Cluster) -> list[Object]:
    """The EndpointSlices: each leads to the program, or to the agent in front of it."""
    now = time.monotonic()
    return [_slice(w, now) for w in workloads(world, cluster) if w.service]


def _slice(w: Workload, now: float) -> Object:
    live = [p for p in w.pods if p.exists(now)]
    staying = [p for p in live if p.gone is None]
    agent = bool(staying) and all(p.agent for p in staying)
    return {
        "metadata": metadata(
            f"{w.service}-x7k2p", w.namespace, labels={**_labels(w), "kubernetes.io/service-name": w.service}
        ),
        "addressType": "IPv4",
        "endpoints": [_endpoint(w, pod, now) for pod in live],
        "ports": [_endpoint_port(number, port, agent) for number, port in enumerate(w.ports)],
    }


def _endpoint(w: Workload, pod: Pod, now: float) -> Object:
    return {
        "addresses": [pod.ip],
        "conditions": {
            "ready": pod.answers(now),
            "serving": pod.answers(now),
            "terminating": pod.gone is not None and pod.gone <= now,
        },
        "targetRef": {"kind": "Pod", "name": pod.name, "namespace": w.namespace},
    }


def _endpoint_port(number: int, port: Port, agent: bool) -> Object:
    """A named port leads to the agent; traffic to a numeric one is redirected by the agent's init container."""
    to_agent = agent and not isinstance(port.target, int)
    return {"name": port.name, "port": 9900 + number if to_agent else port.container, "protocol": "TCP"}
