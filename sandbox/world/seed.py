"""The initial state of a world: clusters, namespaces and services from the repository's config, and unusual workloads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sandbox.world.cluster import Cluster, Namespace, Pod, Port, Workload
from sandbox.world.state import Places, User, World
from tasks.core.yaml.bounded import loader

_PLACES = {  # the example names of the cluster's settings
    "name": "dev-aks",
    "resource_group": "Dev",
    "namespace": "dev",
    "manager_namespace": "ambassador",
    "argocd_namespace": "argocd",
}
CLIENT_ENV = {
    "APP_EMPTY": "",
    "APP_EQUALS": "a=b==c&d=e",
    "APP_GREETING": "héllo wörld ✓ 日本語",
    "APP_HASH": "value # not a comment",
    "APP_MULTILINE": "first line\nsecond line\n\n  fourth, indented\n",
    "APP_QUOTES": 'it\'s "quoted" `ticks` $HOME $(id) ${x} \\ back\\slash',
    "APP_SPACES": "  leading and trailing  ",
    "APP_TABS": "tab\there\r\nwindows",
    "APP_LONG": "0123456789abcdef" * 512,
    "PRIVATE_KEY": "-----BEGIN PLANTED KEY-----\nbm90IGEga2V5\n-----END PLANTED KEY-----\n",
    "app.dotted.name": "a variable named with dots",
    "application.yaml": "server: {port: 3001}\nlist: [1, 2]\n",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "HOSTNAME": "pod",
}
FALLBACK: list[dict[str, Any]] = [
    {
        "name": "web",
        "component": "apps-web",
        "ports": [{"name": "http", "port": 3001}],
        "hosts": {"dev": "web.dev.example.com"},
    },
    {"name": "api", "component": "apps-api", "ports": [{"name": "grpc", "port": 8081}, {"name": "http", "port": 8080}]},
    {"name": "batch", "component": "apps-batch", "ports": []},
]


def places(config: Path) -> Places:
    """The names in config/settings.yaml, with example names for missing keys."""
    data = _yaml(config / "settings.yaml")
    cluster = _PLACES | _given(data, "cluster")
    azure = _given(data, "azure")
    production = _given(_given(data, "guard"), "production")
    subscription = str(azure.get("subscription") or "")
    has_id = _is_id(subscription)
    return Places(
        cluster=cluster["name"],
        resource_group=cluster["resource_group"],
        context=cluster.get("context") or cluster["name"],
        namespace=cluster["namespace"],
        manager_namespace=cluster["manager_namespace"],
        argocd_namespace=cluster["argocd_namespace"],
        registry=_given(data, "registry").get("host") or "dev.azurecr.io",
        subscription=subscription if has_id else "5ab5ab5a-0d0d-4e1e-8f2f-5ab5ab5ab5ab",
        subscription_name=subscription if subscription and not has_id else "Dev",
        tenant=str(azure.get("tenant") or "0f0e0d0c-1a1b-4c1d-8e1f-435435435435"),
        production_labels={str(k): str(v) for k, v in (production.get("labels") or {}).items()},
    )


def _given(data: dict[str, Any], section: str) -> dict[str, Any]:
    """The keys of a section that have a value."""
    return {key: value for key, value in (data.get(section) or {}).items() if value}


def build(box: Path, config: Path, telepresence: str, latency: str, logged_in: bool = True) -> World:
    """Build a world with a dev cluster, a production cluster, and the users developer, colleague and outsider."""
    where = places(config)
    world = World(box, where, telepresence, latency)
    dev = _cluster(where.cluster, where.resource_group, where, telepresence, {})
    production = _cluster(
        where.cluster.replace("dev", "prod") if "dev" in where.cluster else "prod-aks",
        "Production",
        where,
        telepresence,
        where.production_labels,
    )
    world.clusters = {dev.name: dev, production.name: production}
    services = [s for s in _yaml(config / "services.yaml").get("services") or [] if isinstance(s, dict)] or FALLBACK
    for cluster in world.clusters.values():
        cluster.workloads += [_workload(number, entry, where) for number, entry in enumerate(services)]
        _add_shapes(cluster, where.namespace)
        _start_workloads(cluster)
    for key in ("developer", "colleague"):
        user = world.add_user(key, box / "home" if key == "developer" else box / "people" / key)
        user.starts_logged_in = logged_in
    world.users["outsider"] = User(
        "outsider", "outsider@example.com", "outsider", "outsider-box", box / "people/outsider", role="none"
    )
    return world


def _add_shapes(cluster: Cluster, namespace: str) -> None:
    """Add the unusual workloads. One whose name is in the catalogue replaces the catalogue's workload."""
    by_name = {workload.name: workload for workload in cluster.workloads}
    for shape in _shapes(namespace):
        replaced = by_name.get(shape.name)
        if replaced is not None:
            cluster.workloads.remove(replaced)
            shape.hosts = replaced.hosts
        cluster.workloads.append(shape)


def _start_workloads(cluster: Cluster) -> None:
    """Give every workload its address, its environment and its pods."""
    for number, workload in enumerate(cluster.workloads, 1):
        workload.service_ip = f"10.0.{number // 250}.{number % 250 + 1}"
        workload.env = {**workload.env, **_links(cluster)}
        make_pods(workload, number)


def make_pods(workload: Workload, number: int) -> None:
    """Create the workload's initial pods, ready for an hour."""
    now = time.monotonic() - 3600
    for index in range(workload.replicas):
        name = f"{workload.name}-{index}" if workload.kind == "StatefulSet" else pod_name(workload, index)
        workload.pods.append(
            Pod(
                name,
                f"10.244.{number % 250}.{index + 5}",
                ready=now,
                created=now,
                agent=workload.injection == "enabled",
            )
        )
    workload.agent = workload.injection == "enabled"


def pod_name(workload: Workload, number: int) -> str:
    """A pod name as a ReplicaSet makes it; the hash depends on the template's generation."""
    import hashlib

    template = hashlib.sha256(f"{workload.uid}{workload.generation}".encode()).hexdigest()[:9]
    letters = "bcdfghjklmnpqrstvwxz2456789"
    tail = hashlib.sha256(f"{template}{number}{time.monotonic_ns()}".encode()).digest()[:5]
    return f"{workload.name}-{template}-{''.join(letters[b % len(letters)] for b in tail)}"


def _cluster(name: str, group: str, where: Places, version: str, labels: dict[str, str]) -> Cluster:
    cluster = Cluster(
        name,
        group,
        server=f"https://{name}-dns-0a1b2c3d.hcp.westeurope.azmk8s.io:443",
        subscription=where.subscription,
        manager_namespace=where.manager_namespace,
        manager=version,
    )
    names = (where.namespace, where.manager_namespace, where.argocd_namespace, "default", "kube-system", "kube-public")
    for namespace in dict.fromkeys((*names, f"{where.namespace}-prod")):
        own = dict(labels)
        if namespace.endswith("-prod"):
            own = dict(where.production_labels)
        cluster.namespaces[namespace] = Namespace(namespace, {"kubernetes.io/metadata.name": namespace, **own})
    return cluster


def _workload(number: int, entry: dict[str, Any], where: Places) -> Workload:
    ports = [
        Port(
            name=str(p.get("name") or "http"),
            port=int(p.get("service_port") or p["port"]),
            container=int(p.get("target_port") or p["port"]),
            target=str(p.get("name") or "http"),
            protocol=str(p.get("protocol") or "http"),
        )
        for p in entry.get("ports") or []
    ]
    name = str(entry["name"])
    host = (entry.get("hosts") or {}).get("dev")
    return Workload(
        name,
        where.namespace,
        ports,
        replicas=2 if number % 5 == 3 else 1,
        hosts=[host] if host else [],
        instance=str(entry.get("component") or ""),
        image=f"{where.registry}/{entry.get('image') or name}:main",
        env={**CLIENT_ENV, "APP_SERVICE": name, "API_TOKEN": f"planted-token-of-{name}=="},
        mounts=[f"/etc/{name}", "/var/run/secrets/kubernetes.io"],
    )


def _shapes(namespace: str) -> list[Workload]:
    def port(name: str = "http", number: int = 8080, target: str | int | None = None) -> Port:
        return Port(name, 80 if name == "http" else number, number, name if target is None else target)

    env = dict(CLIENT_ENV)
    prefix = "telepresence.io/inject-traffic-agent"
    operator = {
        "apiVersion": "example.com/v1",
        "kind": "Database",
        "name": "shape-operator",
        "uid": "0b",
        "controller": True,
    }
    return [
        Workload("shape-headless", namespace, [port()], kind="StatefulSet", headless=True, env=env),
        Workload("shape-numeric", namespace, [port(target=8080)], env=env),
        Workload("shape-no-service", namespace, [], env=env),
        Workload("shape-two-ports", namespace, [port(), port("metrics", 9090)], env=env),
        Workload("shape-operator", namespace, [port()], kind="StatefulSet", owner=operator, env=env),
        Workload("shape-zero", namespace, [port()], replicas=0, env=env),
        Workload("shape-forbidden", namespace, [port()], annotations={prefix: "disabled"}, env=env),
        Workload("shape-agent", namespace, [port()], annotations={prefix: "enabled"}, env=env),
    ]


def _links(cluster: Cluster) -> dict[str, str]:
    """The environment variables that Kubernetes derives from the namespace's Services."""
    made = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    for other in cluster.workloads:
        if other.service and not other.headless and other.ports:
            key = other.service.upper().replace("-", "_")
            made[f"{key}_SERVICE_HOST"] = other.service_ip
            made[f"{key}_SERVICE_PORT"] = str(other.ports[0].port)
    return made


def _is_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.load(text, Loader=loader())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}
