"""Telepresence's answers as data: sessions, intercepts and workloads in the JSON of 2.19, 2.25 and 2.31."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tasks.core.shape import Shape, must_be

CONNECTED = "Connected"
CONNECTING = "connecting"  # our word: another command starts the daemons or the session now

# What `status` says instead of an answer. While another command connects, 2.31 looks for files of daemons that do not
# exist yet (contracts/azure-live/facts-2.md).
_STARTING = re.compile(r"open \S*/(?:rootd|userd)/daemon\.json: no such file")
_NO_ROOT_DAEMON = "root daemon is not running"
_SEVERAL_DAEMONS = "multiple daemons are running"


@dataclass(frozen=True)
class Session:
    """The answer of `status`."""

    running: bool = False
    state: str = ""
    """Telepresence's own word; empty when no daemon runs."""

    name: str = ""
    server: str = ""
    context: str = ""
    namespace: str = ""
    manager_namespace: str = ""
    mapped_namespaces: tuple[str, ...] = ()
    client_version: str = ""
    manager_version: str = ""
    intercepts: tuple[tuple[str, str], ...] = ()
    root: bool = False
    sessions: int = 0
    """The number of daemons that answered."""

    error: str = ""

    @property
    def connected(self) -> bool:
        """Is there exactly one session, and does its daemon call itself connected?"""
        return self.sessions == 1 and self.state == CONNECTED and self.root

    @property
    def connecting(self) -> bool:
        """Is another command about to open it? For a moment 2.31 calls it connected, without a namespace."""
        return self.state == CONNECTING or (self.connected and not self.namespace)


@dataclass(frozen=True)
class Held:
    """An intercept of this client."""

    name: str
    workload: str
    id: str = ""
    disposition: str = ""
    message: str = ""
    client: str = ""
    local_port: int = 0
    remote_port: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """The pod's environment with its secrets; empty when this version omits it."""


@dataclass(frozen=True)
class Workload:
    """A workload that `list` names."""

    name: str
    kind: str
    agent: bool
    """A Traffic Agent is installed."""

    reason: str = ""
    """Why it cannot be intercepted; empty if it can."""

    held: tuple[Held, ...] = ()


class _Engaged(Shape):
    name: str | None = None
    client: str | None = None


class _Daemon(Shape):
    mapped_namespaces: list[str] | None = None
    intercepts: list[_Engaged] | None = None
    replacements: list[_Engaged] | None = None


class _Part(Shape):
    """One daemon in the answer of `status`."""

    daemon: _Daemon | None = None
    user_daemon: _Daemon | None = None
    root_daemon: dict[str, Any] | None = None
    traffic_manager: dict[str, Any] | None = None


class _Status(_Part):
    connections: list[_Part] | None = None


class _Spec(Shape):
    target_port: int | None = None
    header_filters: dict[str, Any] | None = None


class _Info(Shape):
    disposition: int | None = None
    spec: _Spec | None = None
    headers: dict[str, Any] | None = None
    environment: dict[str, str] | None = None


class _Listed(Shape):
    """A workload in the answer of `list`."""

    intercept_infos: list[_Info] | None = None
    intercept_info: list[_Info] | None = None
    replacements: list[_Info] | None = None


class _Made(Shape):
    """The answer of `intercept` and `replace`."""

    target_port: int | None = None
    environment: dict[str, str] | None = None


def session(found: Any) -> Session:
    """Read the answer of `status`. Of several daemons none is chosen; they are counted."""
    answer = must_be(_Status, found or {}, said="telepresence status", fix="inv tp.quit, then inv tp.connect")
    if "connections" not in answer:
        return _one_session(answer)
    parts = [part for part in answer["connections"] or [] if isinstance(part, dict)]
    if len(parts) == 1:
        return _one_session(parts[0])
    held = tuple(pair for part in parts for pair in _one_session(part).intercepts)
    return Session(running=bool(parts), sessions=len(parts), intercepts=held, error="several daemons run")


def unfinished(said: str) -> Session | None:
    """Return the session for what `status` says on stderr in a state that is not an error; None for anything else."""
    if _STARTING.search(said):
        return Session(running=True, sessions=1, state=CONNECTING)
    if _NO_ROOT_DAEMON in said:
        return Session(running=True, sessions=1, state="Not connected", error="the root daemon is not running")
    if _SEVERAL_DAEMONS in said:
        return Session(running=True, sessions=2, error="several daemons run")
    return None


def _one_session(answer: dict[str, Any]) -> Session:
    user = (
        answer.get("daemon") or answer.get("user_daemon") or {}
    )  # "daemon": one process in both roles, in a container
    manager = answer.get("traffic_manager") or {}
    running = bool(user.get("running") or user.get("status"))
    return Session(
        running=running,
        state=str(user.get("status", "")),
        name=str(user.get("name", "")),
        server=str(user.get("kubernetes_server", "")),
        context=str(user.get("kubernetes_context", "")),
        namespace=str(user.get("namespace", "")),
        manager_namespace=str(user.get("manager_namespace", "")),
        mapped_namespaces=tuple(user.get("mapped_namespaces") or ()),
        client_version=str(user.get("version", "")).removeprefix("v"),
        manager_version=str(manager.get("version", "")).removeprefix("v"),
        intercepts=_engaged(user),
        root=_root_daemon_runs(answer),
        sessions=1 if running else 0,
        error=str(user.get("error", "")),
    )


def _engaged(user: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return name and client of intercepts and replacements."""
    engaged = [*(user.get("intercepts") or []), *(user.get("replacements") or [])]
    return tuple((str(item.get("name", "")), str(item.get("client", ""))) for item in engaged)


def _root_daemon_runs(answer: dict[str, Any]) -> bool:
    root = answer.get("root_daemon") or {}
    return bool(answer.get("daemon") or root.get("running") or root.get("subnets"))


_DISPOSITIONS = {
    1: "ACTIVE",
    2: "WAITING",
    3: "NO_CLIENT",
    4: "NO_AGENT",
    5: "NO_MECHANISM",
    6: "NO_PORTS",
    7: "AGENT_ERROR",
    8: "BAD_ARGS",
    9: "REMOVED",
}


def workload(item: dict[str, Any]) -> Workload:
    """Read one workload of `list`."""
    must_be(_Listed, item, said="telepresence list", fix="inv tp.status")
    held = [
        *(item.get("intercept_infos") or []),
        *(item.get("intercept_info") or []),
        *(item.get("replacements") or []),
    ]
    return Workload(
        name=str(item.get("name", "")),
        kind=str(item.get("workload_resource_type", ""))
        .capitalize()
        .replace("Statefulset", "StatefulSet")
        .replace("Replicaset", "ReplicaSet"),
        agent=bool(item.get("sidecar") or item.get("agent_version") or held),
        reason=str(item.get("not_interceptable_reason", "")),
        held=tuple(_held(info) for info in held if isinstance(info, dict)),
    )


def made(info: Any) -> dict[str, Any]:
    """Return the answer of `intercept` or `replace`, if it has the form of one."""
    answer: dict[str, Any] = must_be(_Made, info, said="telepresence intercept", fix="inv tp.status")
    return answer


def _held(info: dict[str, Any]) -> Held:
    spec = info.get("spec") or {}
    return Held(
        name=str(spec.get("name", "")),
        workload=str(spec.get("agent", "")),
        id=str(info.get("id", "")),
        disposition=_DISPOSITIONS.get(info.get("disposition") or 0, "unknown"),
        message=str(info.get("message", "")),
        client=str(spec.get("client", "")),
        local_port=int(spec.get("target_port") or 0),
        remote_port=str(spec.get("port_identifier") or spec.get("service_port_identifier") or ""),
        headers={str(k): str(v) for k, v in (spec.get("header_filters") or info.get("headers") or {}).items()},
        environment={str(k): str(v) for k, v in (info.get("environment") or {}).items()},
    )
