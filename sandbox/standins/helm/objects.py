"""A release's objects in the cluster: their owner, and the workloads they become."""

from __future__ import annotations

import uuid
from typing import Any

from sandbox.standins.helm.chart import HelmError
from sandbox.standins.helm.template import Manifest
from sandbox.world import rollout
from sandbox.world.cluster import Cluster, Port, Workload
from sandbox.world.state import World

_NAME, _NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_MANAGED = "app.kubernetes.io/managed-by"
_WORKLOADS = ("Deployment", "StatefulSet")
Key = tuple[str, str, str]  # kind, namespace, name


def key(manifest: Manifest, namespace: str) -> Key:
    """The key of this object in the cluster."""
    return manifest.kind, str((manifest.data.get("metadata") or {}).get("namespace") or namespace), manifest.name


def conflict(cluster: Cluster, manifests: list[Manifest], name: str, namespace: str) -> str:
    """Helm's error for the first existing object with another owner, or ""."""
    for manifest in manifests:
        kind, where, what = key(manifest, namespace)
        existing = cluster.objects.get((kind, where, what))
        if existing is None and not _exists(cluster, kind, where, what):
            continue
        meta = (existing or {}).get("metadata") or {}
        wrong = _wrong(meta.get("labels") or {}, {_MANAGED: "Helm"}, "label")
        wrong += _wrong(meta.get("annotations") or {}, {_NAME: name, _NAMESPACE: namespace}, "annotation")
        if wrong:
            return (
                f'{kind} "{what}" in namespace "{where}" exists and cannot be imported into the current release: invalid '
                f"ownership metadata; {'; '.join(wrong)}"
            )
    return ""


def _exists(cluster: Cluster, kind: str, namespace: str, name: str) -> bool:
    if kind == "Service":
        return any(w.service == name for w in cluster.in_namespace(namespace))
    return cluster.workload(namespace, name, kind) is not None


def _wrong(have: dict[str, str], want: dict[str, str], kind: str) -> list[str]:
    problems = []
    for name, value in want.items():
        if name not in have:
            problems.append(f'{kind} validation error: missing key "{name}": must be set to "{value}"')
        elif have[name] != value:
            problems.append(
                f'{kind} validation error: key "{name}" must equal "{value}": current value is "{have[name]}"'
            )
    return problems


def apply(world: World, cluster: Cluster, manifests: list[Manifest], name: str, namespace: str) -> list[Key]:
    """Store the objects in the cluster as owned by the release, with their pods. Returns their keys."""
    objects: dict[Key, dict[str, Any]] = {key(m, namespace): _owned(m, name, namespace) for m in manifests}
    with world.lock:
        for place, data in objects.items():
            known = cluster.objects.get(place)
            data["metadata"]["uid"] = known["metadata"]["uid"] if known else str(uuid.uuid4())
            cluster.objects[place] = data
        for (kind, where, what), data in objects.items():
            if kind in _WORKLOADS:
                _workload(world, cluster, where, what, data, objects)
    return list(objects)


def remove(world: World, cluster: Cluster, keys: list[Key]) -> None:
    """Delete the objects and their workloads."""
    with world.lock:
        for kind, where, what in keys:
            cluster.objects.pop((kind, where, what), None)
            if kind in _WORKLOADS:
                cluster.workloads = [
                    w for w in cluster.workloads if (w.namespace, w.name, w.kind) != (where, what, kind)
                ]


def _owned(manifest: Manifest, name: str, namespace: str) -> dict[str, Any]:
    meta = dict(manifest.data.get("metadata") or {})
    if "/" not in manifest.kind:
        meta["namespace"] = meta.get("namespace") or namespace
    meta["labels"] = {**(meta.get("labels") or {}), _MANAGED: "Helm"}
    meta["annotations"] = {**(meta.get("annotations") or {}), _NAME: name, _NAMESPACE: namespace}
    return {**manifest.data, "metadata": meta}


def _workload(
    world: World, cluster: Cluster, namespace: str, name: str, data: dict[str, Any], objects: dict[Key, dict[str, Any]]
) -> None:
    """Create the workload, or update the existing one."""
    wanted = _described(namespace, name, data, objects)
    requested = (data.get("spec") or {}).get("replicas")
    replicas = 1 if requested is None else int(requested)
    existing = cluster.workload(namespace, name, wanted.kind)
    if existing is None:
        wanted.replicas = 0
        wanted.service_ip = f"10.0.200.{len(cluster.workloads) % 250 + 1}"
        cluster.workloads.append(wanted)
        rollout.scale(world, wanted, replicas)
        return
    changed = (existing.image, existing.env, existing.annotations) != (wanted.image, wanted.env, wanted.annotations)
    for attribute in ("ports", "service", "headless", "env", "hosts", "labels", "annotations", "image", "container"):
        setattr(existing, attribute, getattr(wanted, attribute))
    if changed:
        rollout.restart(world, existing)
    if existing.replicas != replicas:
        rollout.scale(world, existing, replicas)


def _described(namespace: str, name: str, data: dict[str, Any], objects: dict[Key, dict[str, Any]]) -> Workload:
    """The workload that a manifest describes."""
    template = (data.get("spec") or {}).get("template") or {}
    meta = template.get("metadata") or {}
    container = ((template.get("spec") or {}).get("containers") or [{}])[0]
    workload = Workload(
        name,
        namespace,
        [],
        kind=str(data["kind"]),
        service=None,
        env=_env(container, objects, namespace),
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
        image=str(container.get("image") or ""),
        container=str(container.get("name") or ""),
    )
    service = _service(objects, namespace, workload.labels)
    if service is not None:
        workload.service = service["metadata"]["name"]
        workload.ports = _ports(service, container)
        workload.headless = (service.get("spec") or {}).get("clusterIP") == "None"
        workload.hosts = _hosts(objects, namespace, service["metadata"]["name"])
    return workload


def _service(objects: dict[Key, dict[str, Any]], namespace: str, labels: dict[str, str]) -> dict[str, Any] | None:
    for (kind, where, _), data in objects.items():
        selector = (data.get("spec") or {}).get("selector") or {}
        if (
            kind == "Service"
            and where == namespace
            and selector
            and all(labels.get(k) == v for k, v in selector.items())
        ):
            return data
    return None


def _ports(service: dict[str, Any], container: dict[str, Any]) -> list[Port]:
    numbers = {p.get("name"): p.get("containerPort") for p in container.get("ports") or []}
    ports = []
    for entry in (service.get("spec") or {}).get("ports") or []:
        target = entry.get("targetPort", entry["port"])
        number = numbers.get(target, entry["port"]) if isinstance(target, str) else target
        protocol = str(entry.get("appProtocol") or entry.get("name") or "http")
        ports.append(
            Port(str(entry.get("name") or ""), int(entry["port"]), int(number or entry["port"]), target, protocol)
        )
    return ports


def _env(container: dict[str, Any], objects: dict[Key, dict[str, Any]], namespace: str) -> dict[str, str]:
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        name = (source.get("configMapRef") or {}).get("name")
        data = objects.get(("ConfigMap", namespace, str(name)))
        variables |= {str(k): str(v) for k, v in ((data or {}).get("data") or {}).items()}
    variables |= {str(entry["name"]): str(entry["value"]) for entry in container.get("env") or [] if "value" in entry}
    return variables


def _hosts(objects: dict[Key, dict[str, Any]], namespace: str, service: str) -> list[str]:
    """The host names of routes and Ingresses to this Service."""
    hosts: list[str] = []
    for (kind, where, _), data in objects.items():
        spec = data.get("spec") or {}
        if where != namespace:
            continue
        if kind in ("HTTPRoute", "GRPCRoute"):
            hosts += _route_hosts(spec, service)
        elif kind == "Ingress":
            hosts += _ingress_hosts(spec, service)
    return hosts


def _route_hosts(spec: dict[str, Any], service: str) -> list[str]:
    backends = [b.get("name") for rule in spec.get("rules") or [] for b in rule.get("backendRefs") or []]
    return [str(host) for host in spec.get("hostnames") or []] if service in backends else []


def _ingress_hosts(spec: dict[str, Any], service: str) -> list[str]:
    rules = [rule for rule in spec.get("rules") or [] if f"'{service}'" in str(rule)]
    return [str(rule["host"]) for rule in rules if rule.get("host")]


def needs_namespace(cluster: Cluster, namespace: str, create: bool) -> None:
    """Create the namespace if that was requested. Raises HelmError if it does not exist."""
    if namespace in cluster.namespaces:
        return
    if not create:
        raise HelmError(f'create: failed to create: namespaces "{namespace}" not found')
    from sandbox.world.cluster import Namespace

    labels = {"kubernetes.io/metadata.name": namespace, "name": namespace}
    cluster.namespaces[namespace] = Namespace(namespace, labels)
