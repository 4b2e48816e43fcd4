"""A service of the catalogue as the cluster has it: workload, Service, pods and ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.core.cli.names import nearest
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.tools import kubectl
from tasks.tools.kubectl import Object

AGENT = "traffic-agent"
PREFIXES = ("telepresence.io", "telepresence.getambassador.io")  # the second until 2.21; both are still obeyed


@dataclass(frozen=True)
class Port:
    """A port of a Kubernetes Service."""

    name: str
    number: int

    target: str | int | None
    """The targetPort: a name or a number; None when the Service has none."""

    container: int
    """The number of the port in the container."""

    @property
    def aliases(self) -> set[str]:
        """The words that select it: its name and its number."""
        return {self.name, str(self.number)} - {""}

    @property
    def identifier(self) -> str:
        """The word for Telepresence: the name, else the number."""
        return self.name or str(self.number)


@dataclass(frozen=True)
class ClusterService:
    """The objects in the cluster that belong to a service of the catalogue."""

    kind: str
    """The kind of the workload: Deployment or StatefulSet."""

    name: str
    """The name of the workload."""

    workload: Object

    service: Object | None
    """The Service; None when none selects the pods."""

    pods: tuple[Object, ...] = ()
    ports: tuple[Port, ...] = ()

    @property
    def namespace(self) -> str:
        """The namespace of the workload; empty when the object does not have it."""
        return str((self.workload.get("metadata") or {}).get("namespace") or "")

    @property
    def template(self) -> Object:
        """The pod template."""
        return dict((self.workload.get("spec") or {}).get("template") or {})

    @property
    def replicas(self) -> int:
        """The wanted number of pods."""
        wanted = (self.workload.get("spec") or {}).get("replicas")
        return 1 if wanted is None else int(wanted)

    @property
    def service_name(self) -> str:
        """The name of the Service; empty without one."""
        return str(self.service["metadata"]["name"]) if self.service else ""

    @property
    def headless(self) -> bool:
        """True when clients connect to the pods directly."""
        return self.service is not None and _is_headless(self.service)

    @property
    def has_agent(self) -> bool:
        """True when each pod has a Traffic Agent."""
        return bool(self.pods) and all(has_agent(pod) for pod in self.pods)


def find(s: Settings, service: Service, kubeconfig: str = "") -> ClusterService:
    """Find the service's workload and all that belongs to it, with one request to the cluster.

    Raises Trouble with the nearest workloads when it does not exist, ToolError when the cluster does not answer.
    """
    objects = kubectl.get(s, "deployments,statefulsets,services,pods", kubeconfig=kubeconfig)
    return locate(objects, service.workload_names, s.cluster.namespace)


def locate(objects: list[Object], names: tuple[str, ...], namespace: str) -> ClusterService:
    """Find the first of these workloads, and what belongs to it, among the objects of a namespace."""
    workload = _workload(objects, names, namespace)
    labels = _labels(((workload.get("spec") or {}).get("template") or {}).get("metadata"))
    service = _service(objects, labels, names)
    pods = tuple(o for o in objects if o.get("kind") == "Pod" and _belongs(o, workload, labels) and _is_alive(o))
    return ClusterService(
        kind=str(workload["kind"]),
        name=str(workload["metadata"]["name"]),
        workload=workload,
        service=service,
        pods=pods,
        ports=tuple(_port(p, workload) for p in ((service or {}).get("spec") or {}).get("ports") or []),
    )


def _workload(objects: list[Object], names: tuple[str, ...], namespace: str) -> Object:
    workloads = {o["metadata"]["name"]: o for o in reversed(objects) if o.get("kind") in {"Deployment", "StatefulSet"}}
    name = next((n for n in names if n in workloads), "")
    if name:
        return workloads[name]
    near = nearest(names[0], workloads)
    raise Trouble(
        f"no workload {' or '.join(names)} in the namespace {namespace}",
        fix=f"did you mean {' or '.join(near)}?"
        if near
        else f"workloads there: {', '.join(sorted(workloads)) or 'none'}",
    )


def _service(objects: list[Object], labels: dict[str, str], names: tuple[str, ...]) -> Object | None:
    """Return the Service that selects pods with these labels. Of several prefer one that is not headless."""
    services = [o for o in objects if o.get("kind") == "Service" and _selects(o, labels)]
    services.sort(key=lambda o: (_is_headless(o), o["metadata"]["name"] not in names))
    return services[0] if services else None


def has_agent(pod: Object) -> bool:
    """True when the pod has a Traffic Agent."""
    spec = pod.get("spec") or {}
    return any(c.get("name") == AGENT for c in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])])


def annotation(template: Object, key: str) -> str:
    """Return a Telepresence annotation of a pod template, with either prefix; empty when it is not set."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    keys = [f"{prefix}/{key}" for prefix in PREFIXES]
    return next((str(annotations[k]) for k in keys if k in annotations), "")


def choose(service: ClusterService, remote: str) -> Port:
    """Return the port with this name or number. The only port is chosen whatever was typed.

    Raises Trouble with the choices when there are several and none, or more than one, fits.
    """
    fitting = [p for p in service.ports if remote in p.aliases] or [
        p for p in service.ports if remote in {str(p.container), str(p.target)}
    ]
    if len(fitting) == 1:
        return fitting[0]
    if len(service.ports) == 1:
        return service.ports[0]
    what = f"no port {remote}" if remote else "several ports"
    raise Trouble(
        f"the Service {service.service_name} has {what}",
        fix=f"name one: --port LOCAL:REMOTE with one of {_choices(service)}",
    )


def _choices(service: ClusterService) -> str:
    return ", ".join(f"{p.name} ({p.number})" if p.name else str(p.number) for p in service.ports) or "none"


def _labels(metadata: Any) -> dict[str, str]:
    return dict((metadata or {}).get("labels") or {})


def _selects(service: Object, labels: dict[str, str]) -> bool:
    selector = (service.get("spec") or {}).get("selector") or {}
    return bool(selector) and all(labels.get(k) == v for k, v in selector.items())


def _is_headless(service: Object) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == "None"


def _belongs(pod: Object, workload: Object, template_labels: dict[str, str]) -> bool:
    selector = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or template_labels
    labels = _labels(pod.get("metadata"))
    return bool(selector) and all(labels.get(k) == v for k, v in selector.items())


def _is_alive(pod: Object) -> bool:
    deleted = (pod.get("metadata") or {}).get("deletionTimestamp")
    return not deleted and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


def _port(port: Object, workload: Object) -> Port:
    number = int(port.get("port") or 0)
    target = port.get("targetPort")
    if isinstance(target, str):
        container = _container_ports(workload).get(target, number)
    else:
        container = number if target is None else int(target)
    return Port(str(port.get("name") or ""), number, target, container)


def _container_ports(workload: Object) -> dict[str, int]:
    """Map the names of the container ports to their numbers."""
    spec = (((workload.get("spec") or {}).get("template") or {}).get("spec")) or {}
    ports = [p for container in spec.get("containers") or [] for p in container.get("ports") or []]
    return {str(p["name"]): int(p.get("containerPort") or 0) for p in ports if p.get("name")}
