"""The state of each resource, and its form in `tilt get uiresources -o json`."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlark_harness import Manifest

TILTFILE = "(Tiltfile)"


@dataclass
class State:
    """One resource. update: none, pending, in_progress, ok, error, not_applicable; runtime: the same, and unknown."""

    manifest: Manifest
    order: int
    enabled: bool = True
    update: str = "none"
    runtime: str = "not_applicable"
    probed: bool = True  # whether its readiness probe has passed, if it has one
    ever: bool = False  # whether it was ever ready or done
    error: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    pid: int = 0
    deployed: bool = False  # whether this Tilt deployed it
    pod: dict[str, Any] = field(default_factory=dict)  # its newest pod, as k8sResourceInfo shows it
    waiting: tuple[str, ...] = ()
    changed: float = field(default_factory=time.time)
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def ready(self) -> bool:
        """The status of the condition `Ready`."""
        if not self.enabled or self.update not in {"ok", "not_applicable"}:
            return False
        return self.runtime == "not_applicable" or (self.runtime == "ok" and self.probed)

    @property
    def reason(self) -> str:
        """The reason of the condition `Ready` if it is not met."""
        if not self.enabled:
            return "Disabled"
        if self.update == "error":
            return "UpdateError"
        if self.runtime == "error":
            return "RuntimeError"
        return {"pending": "UpdatePending", "in_progress": "UpdateInProgress"}.get(self.update, "Unknown")

    def set(self, **values: Any) -> None:
        """Change fields, and record whether it was ever ready."""
        for name, value in values.items():
            setattr(self, name, value)
        self.changed = time.time()
        self.ever = self.ever or self.ready or (self.manifest.serve is None and self.update == "ok")

    def built(self, began: float, number: int, error: str = "") -> None:
        """Record the end of an update."""
        entry = {"finishTime": stamp(), "spanID": f"build:{number}", "startTime": stamp(began)}
        self.history.insert(0, {**({"error": error} if error else {}), **entry})

    def document(self) -> dict[str, Any]:
        """Its UIResource object."""
        name = self.manifest.name
        kind = "local" if self.manifest.kind == "local" else "k8s"
        up_to_date = self.enabled and self.update in {"ok", "not_applicable"}
        status: dict[str, Any] = {"buildHistory": self.history[:5]} if self.history else {}
        status["conditions"] = [
            self._condition("UpToDate", up_to_date),
            self._condition("Ready", self.ready),
        ]
        status["disableStatus"] = {
            "disabledCount": int(not self.enabled),
            "enabledCount": int(self.enabled),
            "sources": [{"configMap": {"key": "isDisabled", "name": f"{name}-disable"}}],
            "state": "Enabled" if self.enabled else "Disabled",
        }
        status["lastDeployTime"] = self.history[0]["finishTime"] if self.history and not self.error else None
        status |= self._info()
        status["order"] = self.order
        status["pendingBuildSince"] = None
        status["runtimeStatus"] = self.runtime if self.enabled else "none"
        status["specs"] = [{"id": f"{kind}:{name}", "type": kind}]
        if self.manifest.trigger:
            status["triggerMode"] = int(self.manifest.trigger)
        status["updateStatus"] = self.update if self.enabled else "none"
        status |= self._waiting()
        labels = {label: label for label in self.manifest.labels}
        return resource(name, status, labels, self.uid)

    def _info(self) -> dict[str, Any]:
        """The part that depends on the kind of resource."""
        if self.manifest.kind == "local":
            return {"localResourceInfo": {"pid": self.pid} if self.pid else {}}
        return {"k8sResourceInfo": {"displayNames": [self.manifest.name], "podName": "", **self.pod}}

    def _waiting(self) -> dict[str, Any]:
        """The resources that a pending update waits for, if any."""
        if not self.waiting or self.update != "pending":
            return {}
        api = {"apiVersion": "v1alpha1", "group": "tilt.dev", "kind": "UIResource"}
        return {"waiting": {"on": [{**api, "name": name} for name in self.waiting], "reason": "waiting-for-dep"}}

    def _condition(self, kind: str, good: bool) -> dict[str, Any]:
        reason = {} if good else {"reason": self.reason}
        return {
            "lastTransitionTime": stamp(self.changed),
            **reason,
            "status": "True" if good else "False",
            "type": kind,
        }


@dataclass
class Tiltfile:
    """The Tiltfile's own resource."""

    update: str = "in_progress"
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    ended: float = 0.0

    def document(self) -> dict[str, Any]:
        """The UIResource object named (Tiltfile)."""
        good = self.update == "ok"
        status: dict[str, Any] = {}
        if self.ended:
            entry: dict[str, Any] = {"error": self.error} if self.error else {}
            entry |= {
                "finishTime": stamp(self.ended),
                "spanID": "tiltfile:(Tiltfile):1",
                "startTime": stamp(self.began),
            }
            if self.warnings:
                entry["warnings"] = [f"{w}\n" for w in self.warnings]
            status["buildHistory"] = [entry]
        why = {} if good else {"reason": "UpdateError" if self.error else "UpdateInProgress"}
        status["conditions"] = [
            {
                "lastTransitionTime": stamp(self.ended or self.began),
                **why,
                "status": "True" if good else "False",
                "type": kind,
            }
            for kind in ("UpToDate", "Ready")
        ]
        status["disableStatus"] = {"disabledCount": 0, "enabledCount": 0, "sources": None, "state": "Enabled"}
        status["lastDeployTime"] = stamp(self.ended) if self.ended else None
        status |= {"order": 1, "pendingBuildSince": None, "runtimeStatus": "not_applicable"}
        status["updateStatus"] = self.update
        return resource(TILTFILE, status, {}, "e6ef1388-52ab-455c-bf5e-cb56292333a0")


class Log:
    """Tilt's stream: each line starts with the name of its resource, cut to 12 characters."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def say(self, text: str, name: str = "") -> None:
        """Print one or more lines of a resource or of Tilt itself."""
        import sys

        with self._lock:
            for line in text.split("\n"):
                try:
                    sys.stdout.write(f"{prefix(name)}{line}\n")
                    sys.stdout.flush()
                except (BrokenPipeError, ValueError):
                    return  # the reader has closed the pipe


def prefix(name: str) -> str:
    """The prefix of a line: `         name │ `."""
    if not name:
        return ""
    short = name if len(name) <= 13 else name[:12] + "…"
    return f"{short.rjust(13)} │ "


def resource(name: str, status: dict[str, Any], labels: dict[str, str], uid: str) -> dict[str, Any]:
    """A UIResource object as Tilt's API returns it."""
    meta: dict[str, Any] = {
        "annotations": {"tilt.dev/resource": name},
        "creationTimestamp": stamp()[:19] + "Z",
        "name": name,
        "resourceVersion": "1",
        "uid": uid,
    }
    if labels:
        meta["labels"] = labels
    if name != TILTFILE:
        owner = {"apiVersion": "tilt.dev/v1alpha1", "kind": "Tiltfile", "name": TILTFILE}
        meta["ownerReferences"] = [{**owner, "blockOwnerDeletion": True, "controller": True}]
    return {"apiVersion": "tilt.dev/v1alpha1", "kind": "UIResource", "metadata": meta, "spec": {}, "status": status}


def stamp(when: float | None = None) -> str:
    """A time as Kubernetes writes it, with microseconds."""
    when = time.time() if when is None else when
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f".{int(when % 1 * 1e6):06d}Z"
