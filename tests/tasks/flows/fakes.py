"""Fakes of the wrappers in tasks/tools that the flows call. They record what was changed, and start no process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tasks.checks import guard
from tasks.core.config import settings as settings_module
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import Change
from tasks.core.process.processes import Process
from tasks.core.state import journal, store
from tasks.core.state.journal import Entry
from tasks.flows.session import daemons
from tasks.tools import base, kubeconfig, kubectl, telepresence
from tasks.tools.telepresence import Held, Session, Wanted
from tests import made

SERVER = "https://dev.example:443"
NOT_CONNECTED = Session()
HERE = Session(
    running=True,
    state="Connected",
    server=SERVER,
    context="dev",
    namespace="team",
    manager_namespace="ambassador",
    mapped_namespaces=("team",),
    root=True,
    sessions=1,
)
DAEMON = Process(4711, 1.0, ("telepresence", "userd"))


@dataclass
class Workstation:
    """The session, the daemons and the cluster's objects; what flows changed is in `did`, in order."""

    settings: Settings
    session: Session = HERE
    daemons: list[Process] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)
    manager_pods: list[dict[str, Any]] = field(default_factory=list)
    did: list[str] = field(default_factory=list)

    failing: dict[str, Trouble] = field(default_factory=dict)
    """What a change or a question raises, by its name in `did`: `leave www`."""

    def change(
        self,
        name: str,
        after: Callable[[], Any] = lambda: None,
        destroys: str = "",
    ) -> Change[Any]:
        """Return a change with this name, which is recorded when it is made."""

        def run() -> Any:
            self.ask(name)
            self.did.append(name)
            return after()

        return Change(name, tuple(name.split()), run, destroys)

    def ask(self, name: str) -> None:
        """Raise what the test put into `failing` for this."""
        if name in self.failing:
            raise self.failing[name]

    def intercepts(self, *names: str) -> None:
        """Let the session hold these intercepts."""
        self.session = replace(self.session, intercepts=tuple((name, "ada@box") for name in names))

    @property
    def names(self) -> list[str]:
        """The intercepts that the session holds."""
        return [name for name, _ in self.session.intercepts]


def workstation(monkeypatch: pytest.MonkeyPatch, **changed: str) -> Workstation:
    """Replace the wrappers of Telepresence, kubectl and the kubeconfig, and set the settings of tests/made.py."""
    for name, value in made.variables(**changed).items():
        monkeypatch.setenv(name, value)
    settings_module.settings.cache_clear()
    monkeypatch.setattr(store, "_only_read", False)  # a dry run sets it for the rest of the process
    here = Workstation(settings_module.settings())

    def status(s: Settings) -> Session:
        here.ask("status")
        return here.session

    def connected() -> None:
        here.session = HERE

    def ended() -> None:
        here.session = NOT_CONNECTED

    def left(name: str) -> Callable[[], None]:
        return lambda: here.intercepts(*[n for n in here.names if n.partition("/")[0] != name])

    def intercepted(wanted: Wanted) -> Held:
        here.intercepts(*here.names, wanted.name)
        return Held(
            wanted.name,
            wanted.workload,
            disposition="ACTIVE",
            local_port=wanted.local_port,
            headers=dict(wanted.headers),
            environment={"FROM_POD": "yes"},
        )

    def end(found: Iterable[Process], that: str) -> Change[None]:
        processes = list(found)
        pids = " ".join(str(p.pid) for p in processes)
        return here.change(
            f"kill {pids}",
            lambda: here.daemons.__setitem__(slice(None), [d for d in here.daemons if d not in processes]),
        )

    def assess(s: Settings, *, kubeconfig: str = "") -> guard.Target:
        here.ask("assess")
        here.did.append("assess")
        return guard.Target(SERVER, s.cluster.context, s.cluster.namespace)

    def get(s: Settings, kinds: str, **how: Any) -> list[dict[str, Any]]:
        here.ask(f"get {kinds}")
        objects = here.manager_pods if how.get("selector") == "app=traffic-manager" else here.objects
        return [o for o in objects if f"{o['kind'].lower()}s" in kinds.split(",")]

    monkeypatch.setattr(telepresence, "status", status)
    monkeypatch.setattr(telepresence, "connect", lambda s: here.change("connect", connected))
    monkeypatch.setattr(telepresence, "quit", lambda s: here.change("quit", ended))
    monkeypatch.setattr(telepresence, "leave", lambda s, name: here.change(f"leave {name}", left(name)))
    monkeypatch.setattr(
        telepresence,
        "intercept",
        lambda s, wanted: here.change(f"intercept {wanted.name}", lambda: intercepted(wanted)),
    )
    monkeypatch.setattr(telepresence, "can_filter", lambda s: True)
    monkeypatch.setattr(telepresence, "can_replace", lambda s: False)
    monkeypatch.setattr(daemons, "ours", lambda s: list(here.daemons))
    monkeypatch.setattr(daemons, "everything", lambda s: list(here.daemons))
    monkeypatch.setattr(daemons, "end", end)
    monkeypatch.setattr(guard, "assess", assess)
    monkeypatch.setattr(kubeconfig, "freeze", lambda s, *more: None)
    monkeypatch.setattr(kubeconfig, "server_of", lambda s, path="": SERVER)
    monkeypatch.setattr(kubectl, "get", get)
    monkeypatch.setattr(kubectl, "put", lambda s, manifest, **how: here.change("put notice"))
    monkeypatch.setattr(kubectl, "delete", lambda s, kind, name, **how: here.change("delete notice"))
    return here


def freeze(s: Settings) -> None:
    """Let the session kubeconfig exist."""
    store.write(base.frozen_kubeconfig(s), "apiVersion: v1\n")


def recorded(monkeypatch: pytest.MonkeyPatch, kind: str, *, by: str = "ended", **data: Any) -> Entry:
    """Record a thing as made by a run that has ended, by another living one, or by this one (`self`)."""
    with monkeypatch.context() as patch:
        if by == "ended":
            patch.setattr(journal, "started", lambda pid: 1.0)
        elif by == "other":
            parent = os.getppid()
            patch.setattr(os, "getpid", lambda: parent)
        return journal.record(kind, **data)


def intercept(monkeypatch: pytest.MonkeyPatch, here: Workstation, name: str, **data: Any) -> Entry:
    """Record an intercept of this place and let the session hold it."""
    here.intercepts(*here.names, name)
    cluster = here.settings.cluster
    place = {
        "context": cluster.context,
        "namespace": cluster.namespace,
        "kubeconfig": str(base.frozen_kubeconfig(here.settings)),
    }
    return recorded(monkeypatch, "intercept", **{"name": name, "service": name, "workload": name, **place, **data})


def cluster_service(name: str, *ports: dict[str, Any], agent: bool = True) -> list[dict[str, Any]]:
    """Return the Deployment, the Service and the pod of a service; its port 80 is the container's 3000."""
    labels = {"app": name}
    containers = [{"name": name, "ports": [{"name": "http", "containerPort": 3000}]}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    served = list(ports) or [{"name": "http", "port": 80, "targetPort": "http"}]
    pod_containers = [*containers, *([{"name": "traffic-agent"}] if agent else [])]
    return [
        {
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "team"},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": served, "clusterIP": "10.0.0.1"},
        },
        {
            "kind": "Pod",
            "metadata": {"name": f"{name}-5d-x1", "labels": labels},
            "spec": {"containers": pod_containers},
            "status": {"phase": "Running"},
        },
    ]
