"""A note in the cluster for the team: who intercepts what, from where, since when.

Telepresence tells that only to whoever runs into it, and before 2.25 not even then. One small ConfigMap for each
intercept, made and removed with it, is help for people and never a basis for a decision: it may be missing (no right to
write it) or left over (a workstation that died).
"""

from __future__ import annotations

import getpass
import hashlib
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Thread

from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import perform
from tasks.tools import base, kubectl, telepresence

_LABEL = "app.kubernetes.io/managed-by"
_OWNER = "remote-first"
_PATIENCE = 8.0  # seconds that a note may take
_writing: dict[str, Thread] = {}


@dataclass(frozen=True)
class Notice:
    """client: user@host, as Telepresence calls it; since: epoch seconds; mode: all traffic, or the header with its
    value; mine: left by this workstation."""

    workload: str
    name: str
    client: str
    since: float
    mode: str
    mine: bool = False

    @property
    def age(self) -> str:
        """How long it stands, as people say it."""
        from tasks.core.state.cached_status import age

        return age(time.time() - self.since)


def _client(s: Settings, name: str) -> str:
    """This developer as Telepresence calls its clients; its own way to tell is the one that others meet."""
    known = dict(telepresence.status(s).intercepts).get(name)
    return known or f"{_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in the container's passwd file
        return "unknown"


def put(s: Settings, workload: str, name: str, mode: str) -> Thread:
    """Leave the note, in the background."""
    since = time.time()

    def work() -> None:
        notice = Notice(workload, name, _client(s, name), since, mode)
        perform(kubectl.put(s, _manifest(s, notice), timeout=_PATIENCE))

    _writing[name] = _aside(work)
    return _writing[name]


def remove(s: Settings, name: str) -> Thread:
    """Take the note away, in the background; not before it is written."""

    def work() -> None:
        if name in _writing:
            _writing[name].join()
        perform(kubectl.delete(s, "configmap", _object(s, name), destroys="", timeout=_PATIENCE))

    return _aside(work)


def read(s: Settings, workload: str = "") -> list[Notice]:
    """The notes of the namespace, of one workload or all; none when they may not be read."""
    selector = f"{_LABEL}={_OWNER}" + (f",{_OWNER}/workload={workload}" if workload else "")
    try:
        found = kubectl.get(s, "configmaps", selector=selector)
    except Trouble:
        return []
    notices = [(o["metadata"]["name"], _parsed(o.get("data") or {})) for o in found]
    return [replace(n, mine=place == _object(s, n.name)) for place, n in notices if n is not None]


def _parsed(data: dict[str, str]) -> Notice | None:
    try:
        told = json.loads(data["notice"])
        return Notice(
            str(told["workload"]), str(told["name"]), str(told["client"]), float(told["since"]), str(told["mode"])
        )
    except (KeyError, TypeError, ValueError):
        return None  # written by hand, or by a version to come


def _manifest(s: Settings, notice: Notice) -> kubectl.Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": _object(s, notice.name),
            "namespace": s.cluster.namespace,
            "labels": {_LABEL: _OWNER, f"{_OWNER}/workload": notice.workload},
        },
        "data": {"notice": json.dumps({k: v for k, v in vars(notice).items() if k != "mine"})},
    }


def _object(s: Settings, name: str) -> str:
    """The ConfigMap's name: of this user, host and state folder, so that nobody takes away another's."""
    mine = f"{_user()} {socket.gethostname()} {base.session_folder(s)} {name}"
    return f"{_OWNER}-{hashlib.sha256(mine.encode()).hexdigest()[:12]}"


def _aside(work: Callable[[], object]) -> Thread:
    def run() -> None:
        try:
            work()
        except Trouble:
            pass  # a note that cannot be written or removed stops nobody

    thread = Thread(target=run)  # no daemon: the end of the run waits for it, and nothing else does
    thread.start()
    return thread
