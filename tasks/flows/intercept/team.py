"""Who intercepts what: this client's intercepts, the colleagues' notices, and the workloads with a Traffic Agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.checks import workload
from tasks.core import ports
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.flows import session
from tasks.flows.intercept import notice
from tasks.flows.intercept.notice import Notice
from tasks.flows.intercept.plan import describe_traffic
from tasks.tools import api_server, base, kubectl, telepresence
from tasks.tools.kubectl import Object
from tasks.tools.telepresence import Held, Workload


@dataclass(frozen=True)
class Own:
    """An intercept of this client, with what the journal and the machine know of it. Its fields are those of the JSON."""

    workload: str
    name: str
    client: str
    mode: str
    local_port: int

    pid: int
    """The run that made it; 0 when it is not in the journal."""

    since: float
    """Seconds since the epoch; 0 when it is not in the journal."""

    listens: str
    """The process that listens on the local port; empty without one."""


@dataclass(frozen=True)
class Team:
    """Who holds what."""

    own: list[Own]
    colleagues: list[Notice]

    agents: list[str]
    """The workloads whose pods run a Traffic Agent."""

    def document(self) -> dict[str, Any]:
        """Return it as `inv tp.who --json` shows it."""
        return {
            "intercepts": [vars(own) for own in self.own],
            "agents": self.agents,
            "team": [vars(note) for note in self.colleagues],
        }


def workloads(s: Settings) -> list[Workload]:
    """Return what `telepresence list` says. Raises Trouble without a session: `list` would open one."""
    listed = _listed(s)
    if listed is None:
        raise Trouble(f"no session: {session.look(s).why}", fix="inv tp.connect")
    return listed


def held_of(s: Settings, service: Service) -> Held:
    """Return this client's intercept of the service. Raises Trouble without one."""
    for found in workloads(s):
        if found.name in service.workload_names and found.held:
            return found.held[0]
    raise Trouble(
        f"{service.name} is not intercepted from this workstation", fix=f"inv intercept {service.name} --no-run"
    )


def held(s: Settings, workload_name: str) -> Held | None:
    """Return this client's intercept of the workload; None without one, or without a session."""
    return next((h for found in _listed(s) or [] if found.name == workload_name for h in found.held), None)


def lost(s: Settings, workload_name: str = "") -> list[str]:
    """Return the names of intercepts that were made here and whose session is gone; only of one workload when given."""
    file = str(base.frozen_kubeconfig(s))
    entries = [entry.data for entry in journal.entries("intercept")]
    names = [
        str(data.get("name"))
        for data in entries
        if data.get("kubeconfig") == file and workload_name in {"", data.get("workload")}
    ]
    return [] if not names or session.look(s).session.running else names


def look(s: Settings) -> Team:
    """Ask Telepresence, the journal and the cluster."""
    listed = _listed(s) or []
    agents = _workloads_with_agent(s)
    entries = {str(entry.data.get("name")): entry for entry in journal.entries("intercept")}
    own = [_own(h, entries.get(h.name)) for found in listed for h in found.held]
    return Team(own, [note for note in notice.read(s) if not note.mine], agents)


def _listed(s: Settings) -> list[Workload] | None:
    """Return what `telepresence list` says; None without a session. Raises Unreachable without the API server."""
    now = session.look(s)
    if now.problem:
        raise api_server.unreachable(now.problem, name="telepresence list", tool="telepresence")
    return telepresence.workloads(s) if now.here else None


def _own(held: Held, entry: Entry | None) -> Own:
    return Own(
        workload=held.workload,
        name=held.name,
        client=held.client,
        mode=describe_traffic(held.headers),
        local_port=held.local_port,
        pid=entry.pid if entry else 0,
        since=entry.made if entry else 0,
        listens=str(ports.owner(held.local_port) or ""),
    )


def _workloads_with_agent(s: Settings) -> list[str]:
    return sorted({_workload_name(pod) for pod in kubectl.get(s, "pods") if workload.has_agent(pod)})


def _workload_name(pod: Object) -> str:
    """Return the name of the pod's workload: from its labels, else from its own name, which ends with two hashes."""
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    named = labels.get("telepresence.io/workloadName") or labels.get("app.kubernetes.io/name")
    return str(named or metadata["name"].rsplit("-", 2)[0])
