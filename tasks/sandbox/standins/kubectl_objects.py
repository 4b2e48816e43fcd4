"""The cluster's objects as the API server gives them, built from what the world holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tasks.sandbox import platform, rollout
from tasks.sandbox.cluster import Cluster, Pod, Workload
from tasks.sandbox.world import World

Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A resource: as the API names it, and as people may."""

    kind: str
    plural: str
    group: str = ""  # "" is the core group
    version: str = "v1"
    names: tuple[str, ...] = ()
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As an object carries it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full(self) -> str:
        """plural.group, as error messages and `-o name` have it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """As `-o name` has it."""
        return self.kind.lower() + (f".{self.group}" if self.group else "")


KINDS = [
    Kind("Namespace", "namespaces", names=("ns",), namespaced=False),
    Kind("Node", "nodes", names=("no",), namespaced=False),
    Kind("Pod", "pods", names=("po",)),
    Kind("Service", "services", names=("svc",)),
    Kind("ConfigMap", "configmaps", names=("cm",)),
    Kind("Secret", "secrets"),
    Kind("Event", "events", names=("ev",)),
    Kind("ResourceQuota", "resourcequotas", names=("quota",)),
    Kind("ServiceAccount", "serviceaccounts", names=("sa",)),
    Kind("Deployment", "deployments", "apps", names=("deploy",)),
    Kind("StatefulSet", "statefulsets", "apps", names=("sts",)),
    Kind("ReplicaSet", "replicasets", "apps", names=("rs",)),
    Kind("DaemonSet", "daemonsets", "apps", names=("ds",)),
    Kind("Job", "jobs", "batch"),
    Kind("EndpointSlice", "endpointslices", "discovery.k8s.io"),
    Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io", names=("netpol",)),
    Kind("Ingress", "ingresses", "networking.k8s.io", names=("ing",)),
    Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy", names=("pdb",)),
    Kind("HTTPRoute", "httproutes", "gateway.networking.k8s.io"),
    Kind("Cluster", "clusters", "postgresql.cnpg.io"),
    Kind("EnvoyProxy", "envoyproxies", "gateway.envoyproxy.io", "v1alpha1"),
    Kind("Application", "applications", "argoproj.io", "v1alpha1", names=("app", "apps")),
    Kind("ApplicationSet", "applicationsets", "argoproj.io", "v1alpha1", names=("appset",)),
    Kind("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "admissionregistration.k8s.io", namespaced=False),
    Kind("CustomResourceDefinition", "customresourcedefinitions", "apiextensions.k8s.io", names=("crd",), namespaced=False),
]


def kind_named(word: str) -> Kind | None:
    """The resource that a word on the command line means."""
    name = word.lower()
    for kind in KINDS:
        plain = {kind.plural, kind.kind.lower(), *kind.names}
        if name in plain or name in {f"{p}.{kind.group}" for p in plain} | {f"{p}.{kind.version}.{kind.group}" for p in plain}:
            return kind
    return None


def objects(world: World, cluster: Cluster, kind: Kind) -> list[Object]:
    """All objects of a kind, in all namespaces, by namespace and name."""
    build = _BUILD.get(kind.kind)
    with world.lock:
        made = build(world, cluster) if build else []
        stored = [o for (k, _, _), o in cluster.objects.items() if k == kind.kind]
    taken = {_key(o) for o in stored}
    state = {_key(o): o["status"] for o in made if "status" in o}
    stored = [{**o, "status": state[_key(o)]} if _key(o) in state else o for o in stored]  # a release's own object
    found = [o for o in made if _key(o) not in taken] + stored
    for thing in found:
        thing.setdefault("apiVersion", kind.api_version)
        thing.setdefault("kind", kind.kind)
    return sorted(found, key=_key)


def _key(thing: Object) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def _meta(name: str, namespace: str = "", uid: str = "", **more: Any) -> Object:
    found: Object = {"name": name, "uid": uid or str(uuid5(NAMESPACE_URL, f"{namespace}/{name}")), "creationTimestamp": "2026-01-01T08:00:00Z", "resourceVersion": "1"}
    if namespace:
        found["namespace"] = namespace
    return {**found, **{k: v for k, v in more.items() if v}}


def _labels(workload: Workload) -> dict[str, str]:
    if workload.labels:
        return workload.labels
    return {"app.kubernetes.io/name": workload.name, "app.kubernetes.io/instance": workload.instance or workload.name}


def _env(workload: Workload) -> list[Object]:
    service = {k for k in workload.env if k.endswith(("_SERVICE_HOST", "_SERVICE_PORT")) or k in ("PATH", "HOME", "HOSTNAME")}
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


def _controllers(wanted: str) -> Callable[[World, Cluster], list[Object]]:
    def build(world: World, cluster: Cluster) -> list[Object]:
        return [_controller(w) for w in _all(world, cluster) if w.kind == wanted]

    return build


def _controller(w: Workload) -> Object:
    owners = [w.owner] if w.owner else []
    tracking = f"{w.instance}:apps/{w.kind}:{w.namespace}/{w.name}" if w.instance else ""
    annotations = {**w.marks, **({"argocd.argoproj.io/tracking-id": tracking} if tracking else {})}
    ready = _ready(w)
    status: Object = {"observedGeneration": w.generation, "replicas": w.replicas, "updatedReplicas": w.replicas}
    if ready:
        status |= {"readyReplicas": ready, "availableReplicas": ready}
    meta = _meta(w.name, w.namespace, w.uid, labels=_labels(w), annotations=annotations, ownerReferences=owners)
    meta["generation"] = w.generation
    spec: Object = {"replicas": w.replicas, "selector": {"matchLabels": {"app.kubernetes.io/name": w.name}}, "template": _template(w)}
    if w.kind == "StatefulSet":
        spec["serviceName"] = w.service or w.name
    return {"metadata": meta, "spec": spec, "status": status}


def _replica_sets(world: World, cluster: Cluster) -> list[Object]:
    found = []
    for w in _all(world, cluster):
        if w.kind != "Deployment":
            continue
        for name in dict.fromkeys(p.name.rpartition("-")[0] for p in w.pods):
            owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": w.name, "uid": w.uid, "controller": True}
            meta = _meta(name, w.namespace, labels=_labels(w), ownerReferences=[owner])
            count = sum(p.name.rpartition("-")[0] == name and p.gone is None for p in w.pods)
            found.append({"metadata": meta, "spec": {"replicas": count}, "status": {"replicas": count}})
    return found


def _pods(world: World, cluster: Cluster) -> list[Object]:
    now = time.monotonic()
    return [_pod(world, w, p, now) for w in _all(world, cluster) for p in w.pods if p.exists(now)]


def _pod(world: World, w: Workload, pod: Pod, now: float) -> Object:
    spec = _template(w)["spec"]
    labels, annotations = dict(_labels(w)), dict(w.annotations)
    if pod.agent:
        labels |= {"telepresence.io/workloadName": w.name, "telepresence.io/workloadKind": w.kind,
                   "telepresence.io/workloadEnabled": "true"}
        annotations["telepresence.io/inject-traffic-agent"] = "enabled"
        manager = f"traffic-manager.{platform.agent_manager(world)}.svc.cluster.local"
        annotations["telepresence.io/agent-config"] = json.dumps({"agentName": w.name, "managerHost": manager, "managerPort": 8081})
        ports = [{"name": p.name, "containerPort": 9900 + n, "protocol": "TCP"} for n, p in enumerate(w.ports)]
        spec["containers"].append({"name": "traffic-agent", "image": rollout.agent_image(world), "args": ["agent"], "ports": ports})
        if any(isinstance(p.target, int) for p in w.ports):
            spec["initContainers"] = [{"name": "tel-agent-init", "image": rollout.agent_image(world)}]
    ready = pod.answers(now)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    states = [
        {"name": c["name"], "ready": ready, "restartCount": 0,
         "state": waiting if pod.stuck and c["name"] == "traffic-agent" else {"running": {}}}
        for c in spec["containers"]
    ]
    kind = "StatefulSet" if w.kind == "StatefulSet" else "ReplicaSet"
    owner_name = w.name if kind == "StatefulSet" else pod.name.rpartition("-")[0]
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": owner_name, "uid": w.uid, "controller": True}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - (now - pod.created)))
    meta = _meta(pod.name, w.namespace, pod.uid, labels=labels, annotations=annotations, ownerReferences=[owner])
    meta["creationTimestamp"] = stamp
    if pod.gone is not None and pod.gone <= now:
        meta["deletionTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    conditions = [{"type": t, "status": "True" if ready else "False"} for t in ("ContainersReady", "Ready")]
    status = {"phase": "Pending" if pod.stuck else "Running", "podIP": pod.ip, "conditions": conditions, "containerStatuses": states}
    return {"metadata": meta, "spec": spec, "status": status}


def _services(world: World, cluster: Cluster) -> list[Object]:
    found = []
    for w in _all(world, cluster):
        if not w.service:
            continue
        ports = [{"name": p.name, "port": p.port, "targetPort": p.target, "protocol": "TCP"} for p in w.ports]
        ip = "None" if w.headless else w.service_ip
        spec: Object = {"type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip], "selector": {"app.kubernetes.io/name": w.name}}
        if ports:
            spec["ports"] = ports
        found.append({"metadata": _meta(w.service, w.namespace, w.service_uid, labels=_labels(w)), "spec": spec, "status": {"loadBalancer": {}}})
    return found


def _slices(world: World, cluster: Cluster) -> list[Object]:
    now = time.monotonic()
    found = []
    for w in _all(world, cluster):
        if not w.service:
            continue
        live = [p for p in w.pods if p.exists(now)]
        staying = [p for p in live if p.gone is None]
        agent = bool(staying) and all(p.agent for p in staying)
        ports = []
        for n, p in enumerate(w.ports):  # a named port leads to the agent; a numeric one goes through its init container
            number = 9900 + n if agent and not isinstance(p.target, int) else p.container
            ports.append({"name": p.name, "port": number, "protocol": "TCP"})
        endpoints = [
            {"addresses": [p.ip], "conditions": {"ready": p.answers(now), "serving": p.answers(now), "terminating": p.gone is not None and p.gone <= now},
             "targetRef": {"kind": "Pod", "name": p.name, "namespace": w.namespace}}
            for p in live
        ]
        labels = {**_labels(w), "kubernetes.io/service-name": w.service}
        found.append({"metadata": _meta(f"{w.service}-x7k2p", w.namespace, labels=labels), "addressType": "IPv4", "endpoints": endpoints, "ports": ports})
    return found


def _namespaces(world: World, cluster: Cluster) -> list[Object]:
    return [
        {"metadata": _meta(n.name, uid=n.uid, labels=dict(n.labels)), "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        for n in cluster.namespaces.values() if n.name not in platform.absent_namespaces(world)
    ]


def _nodes(world: World, cluster: Cluster) -> list[Object]:
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    conditions = [{"type": "Ready", "status": "True"}]
    info = {"kubeletVersion": cluster.kubernetes, "architecture": "amd64", "operatingSystem": "linux"}
    return [
        {"metadata": _meta(f"aks-nodepool1-1234-vmss00000{n}", labels=labels), "status": {"conditions": conditions, "nodeInfo": info}}
        for n in range(2)
    ]


def _config_maps(world: World, cluster: Cluster) -> list[Object]:
    where = world.places.argocd_namespace
    found: list[Object] = [{"metadata": _meta("argocd-cm", where), "data": {"application.resourceTrackingMethod": "annotation"}}]
    if manager_version(world, cluster):
        found.append({"metadata": _meta("traffic-manager", cluster.manager_namespace), "data": {}})
    return found


def _applications(world: World, cluster: Cluster) -> list[Object]:
    found = []
    for w in cluster.workloads:
        if not w.instance:
            continue
        resources = [{"group": "apps", "version": "v1", "kind": w.kind, "name": w.name, "namespace": w.namespace, "status": platform.drifted(world)}]
        if w.service:
            resources.append({"version": "v1", "kind": "Service", "name": w.service, "namespace": w.namespace, "status": "Synced"})
        spec = {
            "project": "default",
            "source": {"repoURL": "https://git.example.com/gitops.git", "path": f"sources/charts/apps/{w.name}", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": w.namespace},
            **platform.argo_spec(world, w.kind),
        }
        status = {"sync": {"status": platform.drifted(world)}, "health": {"status": "Healthy"}, "resources": resources}
        found.append({"metadata": _meta(w.instance, world.places.argocd_namespace), "spec": spec, "status": status})
    return found


def _routes(world: World, cluster: Cluster) -> list[Object]:
    return [
        {"metadata": _meta(w.name, w.namespace),
         "spec": {"hostnames": w.hosts, "rules": [{"backendRefs": [{"name": w.service, "port": w.ports[0].port}]}]}}
        for w in cluster.workloads if w.hosts and w.service
    ]  # fmt: skip


def _webhooks(world: World, cluster: Cluster) -> list[Object]:
    if not manager_version(world, cluster):
        return []
    service = {"name": "agent-injector", "namespace": cluster.manager_namespace, "path": "/traffic-agent", "port": 8443}
    hook = {"name": f"agent-injector-{cluster.manager_namespace}.telepresence.io", "clientConfig": {"service": service}, "failurePolicy": "Ignore"}
    return [{"metadata": _meta(f"agent-injector-webhook-{cluster.manager_namespace}"), "webhooks": [hook]}]


def _events(world: World, cluster: Cluster) -> list[Object]:
    return [
        {"metadata": _meta(f"{e['object']}.{n:x}", e["namespace"]), "reason": e["reason"], "message": e["message"], "type": e["type"],
         "lastTimestamp": e["time"], "count": 1, "involvedObject": {"kind": e["kind"], "name": e["object"], "namespace": e["namespace"]}}
        for n, e in enumerate(cluster.events)
    ]  # fmt: skip


def _all(world: World, cluster: Cluster) -> list[Workload]:
    """The workloads and the traffic manager, which is one too."""
    version = manager_version(world, cluster)
    workloads = [*cluster.workloads, *platform.workloads(world, cluster)]
    if not version:
        return workloads
    manager = world.notes.setdefault(f"manager-{cluster.name}", _manager(cluster))
    manager.image = f"ghcr.io/telepresenceio/tel2:{version}"
    return [*workloads, manager]


def _manager(cluster: Cluster) -> Workload:
    from tasks.sandbox.cluster import Port
    from tasks.sandbox.seed import make_pods

    made = Workload("traffic-manager", cluster.manager_namespace, [Port("api", 8081, 8081, "api", "grpc")], service_ip="10.0.9.9")
    make_pods(made, 249)
    return made


def manager_version(world: World, cluster: Cluster) -> str:
    """The traffic manager's version; "" when there is none."""
    if world.fault("manager-missing") or world.fault("agent-orphaned"):
        return ""
    return "2.14.0" if world.fault("manager-old") else cluster.manager


def cluster_manager(world: World) -> str:
    """The traffic manager's namespace."""
    return world.cluster.manager_namespace


_BUILD: dict[str, Callable[[World, Cluster], list[Object]]] = {
    "Namespace": _namespaces,
    "Node": _nodes,
    "Pod": _pods,
    "Service": _services,
    "ConfigMap": _config_maps,
    "Event": _events,
    "ResourceQuota": platform.quotas,
    "Deployment": _controllers("Deployment"),
    "StatefulSet": _controllers("StatefulSet"),
    "ReplicaSet": _replica_sets,
    "EndpointSlice": _slices,
    "HTTPRoute": _routes,
    "Application": _applications,
    "MutatingWebhookConfiguration": _webhooks,
}
