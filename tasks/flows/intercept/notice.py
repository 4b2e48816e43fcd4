"""Notices in the cluster for the team: who intercepts what, from where, since when.

Telepresence names the holder only in the conflict itself, and before 2.25 not even there. So each intercept has a small
ConfigMap. It informs people and is never the basis of a decision: it may be missing (no right to write it)
or stale (the workstation crashed).
"""

from __future__ import annotations

import getpass
import hashlib
import json
import math
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Thread

from tasks.core import strict_json
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import perform
from tasks.core.state.cached_status import age
from tasks.flows.intercept.plan import describe_traffic
from tasks.tools import base, developer, kubectl, telepresence

_LABEL = "app.kubernetes.io/managed-by"
_MANAGER = "remote-first"
_TIMEOUT = 8.0  # seconds that writing or deleting a notice may take
_writing: dict[str, Thread] = {}


@dataclass(frozen=True)
class Notice:
    """What a notice says."""

    workload: str
    name: str

    client: str
    """user@host, as Telepresence calls its clients."""

    since: float
    """Seconds since the epoch."""

    mode: str
    """The headers of a personal intercept, or `all traffic`, for people."""

    headers: dict[str, str] | None = None
    """The headers of a personal intercept, empty for all traffic; None in a notice of an earlier version."""

    mine: bool = False
    """Written by this workstation."""

    person: str = ""
    """The developer's name where the client's does not say it, as in a dev container."""

    @property
    def holder(self) -> str:
        """Whom to ask, for people."""
        return f"{self.person} ({self.client})" if self.person and self.person not in self.client else self.client

    @property
    def age(self) -> str:
        """How old it is, for people."""
        return age(time.time() - self.since)


def put(s: Settings, workload: str, name: str, headers: dict[str, str]) -> Thread:
    """Write the notice, in the background.

    headers: those of a personal intercept, empty for all traffic
    """
    since = time.time()

    def write() -> None:
        traffic = describe_traffic(headers)
        notice = Notice(workload, name, _client(s, name), since, traffic, headers, person=developer.name(s))
        perform(kubectl.put(s, _manifest(s, notice), timeout=_TIMEOUT))

    _writing[name] = _in_background(write)
    return _writing[name]


def remove(s: Settings, name: str) -> Thread:
    """Delete the notice, in the background, after it has been written."""

    def delete() -> None:
        if name in _writing:
            _writing[name].join()
        perform(kubectl.delete(s, "configmap", _object_name(s, name), destroys="", timeout=_TIMEOUT))

    return _in_background(delete)


def read(s: Settings, workload: str = "") -> list[Notice]:
    """Return the namespace's notices, all or of one workload; an empty list when they may not be read."""
    try:
        return ask(s, workload)
    except Trouble:
        return []


def ask(s: Settings, workload: str = "") -> list[Notice]:
    """Return the same. Raises Trouble when they may not be read."""
    selector = f"{_LABEL}={_MANAGER}" + (f",{_MANAGER}/workload={workload}" if workload else "")
    objects = kubectl.get(s, "configmaps", selector=selector)
    notices = [(o["metadata"]["name"], _parse(o.get("data") or {})) for o in objects]
    return [replace(n, mine=object_name == _object_name(s, n.name)) for object_name, n in notices if n is not None]


def _client(s: Settings, name: str) -> str:
    """Return this client's name as Telepresence shows it to others."""
    listed = dict(telepresence.status(s).intercepts).get(name)
    return listed or f"{_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # this uid has no entry in the container's /etc/passwd
        return "unknown"


def _parse(data: dict[str, str]) -> Notice | None:
    try:
        fields = strict_json.mapping(data["notice"])
        since = float(fields["since"])
        if not math.isfinite(since):
            return None
        return Notice(
            workload=str(fields["workload"]),
            name=str(fields["name"]),
            client=str(fields["client"]),
            since=since,
            mode=str(fields["mode"]),
            headers=_headers(fields.get("headers")),
            person=str(fields.get("person") or ""),
        )
    except (KeyError, TypeError, ValueError):
        return None  # written by hand, or by a later version


def _headers(found: object) -> dict[str, str] | None:
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else None


def _manifest(s: Settings, notice: Notice) -> kubectl.Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": _object_name(s, notice.name),
            "namespace": s.cluster.namespace,
            "labels": {_LABEL: _MANAGER, f"{_MANAGER}/workload": notice.workload},
        },
        "data": {"notice": json.dumps({k: v for k, v in vars(notice).items() if k != "mine"})},
    }


def _object_name(s: Settings, name: str) -> str:
    """Return the ConfigMap's name. It contains user, host and state folder, so that nobody deletes another's notice."""
    identity = f"{_user()} {socket.gethostname()} {base.session_folder(s)} {name}"
    return f"{_MANAGER}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


def _in_background(work: Callable[[], object]) -> Thread:
    """Start the work in a thread. It is not a daemon thread: the end of the run waits for it."""

    def run() -> None:
        try:
            work()
        except Trouble:
            pass  # the intercept works without a notice

    thread = Thread(target=run)
    thread.start()
    return thread
