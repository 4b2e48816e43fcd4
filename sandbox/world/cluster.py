"""The content of a cluster: namespaces, workloads, services, pods, intercepts. Times are seconds of time.monotonic()."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any


def new_id() -> str:
    """A UUID as Kubernetes and Telepresence make them."""
    return str(uuid.uuid4())


@dataclass
class Port:
    """A port of a Service. `target` is the name or the number of the container port."""

    name: str
    port: int  # of the Service
    container: int  # the port that the program in the pod listens on
    target: str | int
    protocol: str = "http"


@dataclass
class Pod:
    """One pod of a workload. `gone`: when it stops answering; None if it is not being deleted."""

    name: str
    ip: str
    ready: float
    gone: float | None = None
    agent: bool = False
    created: float = field(default_factory=time.monotonic)
    uid: str = field(default_factory=new_id)
    stuck: bool = False  # its agent never becomes ready
    crashes: bool = False  # its program ends at once, every time

    def answers(self, now: float) -> bool:
        """Does it serve requests at this moment?"""
        return not self.stuck and not self.crashes and self.ready <= now and (self.gone is None or now < self.gone)

    def exists(self, now: float) -> bool:
        """Is it still listed? A terminating pod is listed for half a second."""
        return self.gone is None or now < self.gone + 0.5


@dataclass
class Workload:
    """A Deployment or StatefulSet with its Service (or none) and its pods."""

    name: str
    namespace: str
    ports: list[Port] = field(default_factory=list)
    kind: str = "Deployment"
    replicas: int = 1
    service: str | None = None  # the Service's name, if it has one
    headless: bool = False
    env: dict[str, str] = field(default_factory=dict)
    mounts: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(
        default_factory=dict
    )  # of the pod template; if empty, derived from the workload's name
    annotations: dict[str, str] = field(default_factory=dict)  # of the pod template
    owner: dict[str, Any] | None = None  # an ownerReference, for a workload that an operator manages
    image: str = "registry.example/app:1"
    container: str = ""
    instance: str = ""  # the Argo CD Application that deploys it; "" if none does
    pods: list[Pod] = field(default_factory=list)
    agent: bool = False  # new pods get a traffic-agent
    generation: int = 1
    uid: str = field(default_factory=new_id)
    service_uid: str = field(default_factory=new_id)
    service_ip: str = "10.0.0.10"
    created: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.container = self.container or self.name
        if self.service is None and self.ports:
            self.service = self.name

    @property
    def injection(self) -> str:
        """enabled, disabled or "", from the pod template's annotation."""
        for key, value in self.annotations.items():
            if key.endswith("/inject-traffic-agent"):
                return "disabled" if value in {"disabled", "false"} else "enabled"
        return ""


@dataclass
class Intercept:
    """An intercept or a replacement, held by the traffic manager. It outlives its client's daemon."""

    id: str  # "<session>:<name>"
    name: str
    workload: str
    namespace: str
    client: str  # user@host
    session: str
    user: str  # key of the user
    port: Port
    local_port: int
    address: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)
    paths: list[tuple[str, str]] = field(default_factory=list)  # (equal|prefix|regex, value)
    kind: str = "intercept"  # intercept or replace
    routed: float = 0.0  # requests go to the client from this time on
    ends: float | None = None  # after `leave`: requests go to the client until this time
    mount: str = ""
    child: int = 0  # pid of the command that the CLI runs; 0 if none
    by_service: bool = True
    created: float = field(default_factory=time.time)
    pod: str = ""
    pod_ip: str = ""


@dataclass
class Namespace:
    """A namespace with its labels."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    uid: str = field(default_factory=new_id)


@dataclass
class Cluster:
    """An AKS cluster: its data in ARM and the objects of its API server."""

    name: str
    resource_group: str
    server: str  # https://...:443
    subscription: str
    namespaces: dict[str, Namespace] = field(default_factory=dict)
    workloads: list[Workload] = field(default_factory=list)
    intercepts: list[Intercept] = field(default_factory=list)
    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)  # (kind, namespace, name)
    running: bool = True
    manager_namespace: str = "ambassador"
    manager: str = ""  # version of the traffic manager, or ""
    events: list[dict[str, Any]] = field(default_factory=list)
    releases: dict[tuple[str, str], dict[str, Any]] = field(
        default_factory=dict
    )  # of Helm: (namespace, name) -> revisions
    kubernetes: str = "v1.34.4"

    @property
    def host(self) -> str:
        """The server's host name."""
        return self.server.split("://", 1)[1].rsplit(":", 1)[0]

    def workload(self, namespace: str, name: str, kind: str = "") -> Workload | None:
        """Find a workload by name, of any kind or of the given one."""
        return next(
            (
                w
                for w in self.workloads
                if w.namespace == namespace and w.name == name and kind in ("", w.kind, w.kind.lower())
            ),
            None,
        )

    def in_namespace(self, namespace: str) -> list[Workload]:
        """The namespace's workloads, sorted by name."""
        return sorted((w for w in self.workloads if w.namespace == namespace), key=lambda w: w.name)

    def engaged(self, workload: Workload) -> list[Intercept]:
        """The active intercepts on this workload, oldest first."""
        return [
            i
            for i in self.intercepts
            if (i.namespace, i.workload) == (workload.namespace, workload.name) and i.ends is None
        ]
