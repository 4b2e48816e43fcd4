"""A service of the catalogue as it stands in the cluster: workload, Service, pods and ports."""

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
PREFIXES = ("telepresence.io", "telepresence.getambassador.io")  # before 2.22 the second, both are still obeyed


@dataclass(frozen=True)
class Port:
    """A port of a Kubernetes Service. target: name or number, None when it is not given; container: its number."""

    name: str
    number: int
    target: str | int | None
    container: int

    @property
    def called(self) -> set[str]:
        """The words that mean it: its name and its number."""
        return {self.name, str(self.number)} - {""}

    @property
    def identifier(self) -> str:
        """How Telepresence is told which port: the name, else the number."""
        return self.name or str(self.number)


@dataclass(frozen=True)
class Place:
    """What the cluster holds for a service. `service` is None when nothing selects the pods."""

    kind: str
    name: str
    workload: Object
    service: Object | None
    pods: tuple[Object, ...] = ()
    ports: tuple[Port, ...] = ()

    @property
    def template(self) -> Object:
        """The pod template."""
        return dict((self.workload.get("spec") or {}).get("template") or {})

    @property
    def replicas(self) -> int:
        """How many pods are wanted."""
        wanted = (self.workload.get("spec") or {}).get("replicas")
        return 1 if wanted is None else int(wanted)

    @property
    def service_name(self) -> str:
        """The Service's name, empty without one."""
        return str(self.service["metadata"]["name"]) if self.service else ""

    @property
    def headless(self) -> bool:
        """Do clients dial the pods themselves?"""
        return self.service is not None and (self.service.get("spec") or {}).get("clusterIP") == "None"

    @property
    def agent(self) -> bool:
        """Has each living pod a Traffic Agent already?"""
        return bool(self.pods) and all(has_agent(pod) for pod in self.pods)


def find(s: Settings, service: Service, kubeconfig: str = "") -> Place:
    """The service's workload and all that belongs to it, in one question to the cluster.

    Raises Trouble with the nearest workloads when it is not there, ToolError when the cluster could not be asked.
    """
    objects = kubectl.get(s, "deployments,statefulsets,services,pods", kubeconfig=kubeconfig)
    return place(objects, service.workload_names, s.cluster.namespace)


def place(objects: list[Object], names: tuple[str, ...], namespace: str) -> Place:
    """The place of the first of these names among the objects of a namespace."""
    workloads = {o["metadata"]["name"]: o for o in reversed(objects) if o.get("kind") in {"Deployment", "StatefulSet"}}
    name = next((n for n in names if n in workloads), "")
    if not name:
        near = nearest(names[0], workloads)
        raise Trouble(
            f"no workload {' or '.join(names)} in the namespace {namespace}",
            fix=f"did you mean {' or '.join(near)}?"
            if near
            else f"workloads there: {', '.join(sorted(workloads)) or 'none'}",
        )
    workload = workloads[name]
    labels = _labels(((workload.get("spec") or {}).get("template") or {}).get("metadata"))
    services = [o for o in objects if o.get("kind") == "Service" and _selects(o, labels)]
    # Several Services may select the pods (a headless one beside the usual): the one that is not headless comes first.
    services.sort(key=lambda o: ((o.get("spec") or {}).get("clusterIP") == "None", o["metadata"]["name"] not in names))
    service = services[0] if services else None
    pods = tuple(o for o in objects if o.get("kind") == "Pod" and _belongs(o, workload, labels) and _lives(o))
    return Place(
        kind=str(workload["kind"]),
        name=name,
        workload=workload,
        service=service,
        pods=pods,
        ports=tuple(_port(p, workload) for p in ((service or {}).get("spec") or {}).get("ports") or []),
    )


def has_agent(pod: Object) -> bool:
    """Does the pod run a Traffic Agent?"""
    spec = pod.get("spec") or {}
    return any(c.get("name") == AGENT for c in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])])


def annotation(template: Object, key: str) -> str:
    """The value of a Telepresence annotation of a pod template, under either prefix; empty when there is none."""
    found = (template.get("metadata") or {}).get("annotations") or {}
    return next((str(found[f"{prefix}/{key}"]) for prefix in PREFIXES if f"{prefix}/{key}" in found), "")


def choose(found: Place, remote: str) -> Port:
    """The Service's port of this name or number; the only one when none is named, or none of that name is there.

    Raises Trouble with the choices where there are several.
    """
    named = [p for p in found.ports if remote in p.called] or [
        p for p in found.ports if remote in {str(p.container), str(p.target)}
    ]
    if len(named) == 1:
        return named[0]
    if len(found.ports) == 1:
        return found.ports[0]
    what = f"no port {remote}" if remote else "several ports"
    raise Trouble(
        f"the Service {found.service_name} has {what}",
        fix=f"name one: --port LOCAL:REMOTE with one of {_choices(found)}",
    )


def _choices(found: Place) -> str:
    return ", ".join(f"{p.name} ({p.number})" if p.name else str(p.number) for p in found.ports) or "none"


def _labels(metadata: Any) -> dict[str, str]:
    return dict((metadata or {}).get("labels") or {})


def _selects(service: Object, labels: dict[str, str]) -> bool:
    selector = (service.get("spec") or {}).get("selector") or {}
    return bool(selector) and all(labels.get(k) == v for k, v in selector.items())


def _belongs(pod: Object, workload: Object, labels: dict[str, str]) -> bool:
    wanted = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or labels
    found = _labels(pod.get("metadata"))
    return bool(wanted) and all(found.get(k) == v for k, v in wanted.items())


def _lives(pod: Object) -> bool:
    return not (pod.get("metadata") or {}).get("deletionTimestamp") and (pod.get("status") or {}).get("phase") not in {
        "Succeeded",
        "Failed",
    }


def _port(port: Object, workload: Object) -> Port:
    number = int(port.get("port") or 0)
    target = port.get("targetPort")
    container = target if isinstance(target, int) else number
    spec = (((workload.get("spec") or {}).get("template") or {}).get("spec")) or {}
    for c in spec.get("containers") or []:
        for p in c.get("ports") or []:
            if isinstance(target, str) and p.get("name") == target:
                container = int(p.get("containerPort") or 0)
    return Port(str(port.get("name") or ""), number, target, container)
