"""Tilt: what the Tiltfile declares, what a running Tilt says of its resources, and how it is started.

A running Tilt is asked at its port. Only its resources say that something is ready: Tilt 0.37 stays alive after an
error of the Tiltfile, and prints "Tilt started" before it notices that its port is in use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.process.output import clean
from tasks.core.process.tool import Tool
from tasks.core.shape import Shape, must_be
from tasks.core.yaml.bounded import loader
from tasks.tools import base

TILTFILE = "(Tiltfile)"
_TILTFILE_ERROR = 5  # exit code of `tilt alpha tiltfile-result`, from its help
_MOMENT = 15.0  # seconds
_CRASHES = {  # Kubernetes' reasons why a container does not stay up, as `kubectl get pods` shows them
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "OOMKilled",
    "RunContainerError",
    "StartError",
}
_NOT_RUNNING = re.compile(r"No tilt apiserver found|was refused|Could not connect to Tilt")  # tilt-0.37.6.yaml


@dataclass(frozen=True)
class Resource:
    """A resource of a running Tilt."""

    name: str
    ready: bool = False
    update: str = ""
    """Tilt's word for its last update: ok, pending, error, in_progress, none, not_applicable; empty when not known yet."""

    runtime: str = ""
    """Tilt's word for what it runs, from the same words."""

    enabled: bool = True
    waits: bool = False
    """It waits for a person who starts it."""

    waiting: str = ""
    """Tilt's reason why its update waits."""

    error: str = ""
    """The error of its last update."""

    pid: int = 0

    pod: str = ""
    """Its newest pod; empty for what is not in the cluster."""

    pod_status: str = ""
    """The pod's state, as `kubectl get pods` shows it."""

    pod_message: str = ""
    """What Kubernetes adds to it."""

    @property
    def crash(self) -> str:
        """Kubernetes' reason why the pod does not stay up; empty while it may still start.

        `runtime` does not say it: in a crash loop it is pending for ever.
        """
        return self.pod_status if self.pod_status.removeprefix("Init:") in _CRASHES else ""

    @property
    def failed(self) -> bool:
        """Did its update or what it runs fail?"""
        return "error" in (self.update, self.runtime) or bool(self.crash)


@dataclass(frozen=True)
class Applied:
    """An object of k8s_yaml, which Tilt applies without Helm."""

    kind: str
    name: str
    namespace: str
    """Empty for the one of the session."""


class _Target(Shape):
    yaml: str | None = None


class _Manifest(Shape):
    Name: str | None = None
    DeployTarget: _Target | None = None


class _Declared(Shape):
    EnabledManifests: list[str] | None = None
    Manifests: list[_Manifest] | None = None


class _Build(Shape):
    error: str | None = None


class _Condition(Shape):
    type: str | None = None
    status: str | None = None


class _Status(Shape):
    conditions: list[_Condition] | None = None
    buildHistory: list[_Build] | None = None
    disableStatus: dict[str, Any] | None = None
    triggerMode: int | None = None
    waiting: dict[str, Any] | None = None
    localResourceInfo: _Local | None = None
    k8sResourceInfo: dict[str, Any] | None = None


class _Local(Shape):
    pid: int | None = None


class _Item(Shape):
    metadata: dict[str, Any] | None = None
    status: _Status | None = None


class _Resources(Shape):
    """The form of `tilt get uiresources`."""

    items: list[_Item] | None = None


class Refusal(ToolError):
    """The Tiltfile ended with an error, which is `what`."""


class NotRunning(ToolError):
    """No Tilt answers at this port."""


def tool(s: Settings, port: int = 0, env: Mapping[str, str] | None = None) -> Tool:
    """Return tilt. port: of the running Tilt, or of the one to start; 0 for neither."""
    at = {"TILT_PORT": str(port)} if port else {}
    return base.tool(s, "tilt", timeout=_MOMENT, env={**at, **(env or {})})


def declared(s: Settings, tiltfile: Path, args: Sequence[str], env: Mapping[str, str]) -> dict[str, list[Applied]]:
    """Return the resources that would be enabled, with the objects that Tilt itself would apply.

    Evaluates the Tiltfile and changes nothing. Raises Refusal with the Tiltfile's error. Only names of the answer are
    kept, because it holds secrets.
    """
    command = tool(s, env=env)["alpha", "tiltfile-result", "--file", str(tiltfile), "--context", s.cluster.context]
    command = command["--", *args]
    done = command.call(timeout=60, cwd=str(tiltfile.parent))
    if done.exit == _TILTFILE_ERROR:
        stderr = clean(done.stderr)
        raise Refusal(_error_in(stderr), tool="tilt", exit=done.exit, stderr=stderr)
    if done.exit != 0:
        raise command.failed(done)
    answer = command.parsed(done.stdout)
    must_be(_Declared, answer, said=command.name)
    targets = {m.get("Name"): m.get("DeployTarget") or {} for m in answer.get("Manifests") or []}
    return {str(name): _applied(targets.get(name, {}).get("yaml")) for name in answer.get("EnabledManifests") or []}


def _applied(text: str | None) -> list[Applied]:
    import yaml

    try:
        documents = [d for d in yaml.load_all(text or "", Loader=loader()) if isinstance(d, dict)]
    except yaml.YAMLError as why:
        raise ToolError(f"tilt: {str(why).splitlines()[0]}", tool="tilt", exit=0, fix="correct the k8s_yaml") from None
    found = [(d.get("kind"), m if isinstance(m := d.get("metadata"), dict) else {}) for d in documents]
    return [Applied(str(kind), str(meta.get("name")), str(meta.get("namespace") or "")) for kind, meta in found]


def resources(s: Settings, port: int) -> list[Resource]:
    """Return the resources of the running Tilt, one of which is the Tiltfile. Raises NotRunning."""
    return [_resource(item) for item in _get(s, port, "uiresources").get("items") or []]


def up(s: Settings, tiltfile: Path, *, port: int, flags: Sequence[str], args: Sequence[str]) -> list[str]:
    """Return the command line of `tilt up`. It streams: its own screen would need a terminal of its own."""
    return ["tilt", "up", *_start(s, tiltfile, port), "--stream=true", *flags, "--", *args]


def ci(s: Settings, tiltfile: Path, *, port: int, flags: Sequence[str], args: Sequence[str]) -> list[str]:
    """Return the command line of `tilt ci`: it ends with 0 when all is ready, with 1 when anything fails."""
    return ["tilt", "ci", *_start(s, tiltfile, port), *flags, "--", *args]


def _start(s: Settings, tiltfile: Path, port: int) -> tuple[str, ...]:
    place = ("--context", s.cluster.context, "--namespace", s.cluster.namespace)
    return ("--file", str(tiltfile), *place, "--port", str(port))


def _get(s: Settings, port: int, kind: str) -> dict[str, Any]:
    command = tool(s, port)["get", kind, "--output", "json"]
    done = command.call()
    if done.exit != 0:
        if _NOT_RUNNING.search(done.stderr):
            raise NotRunning(f"no Tilt answers at port {port}", tool="tilt", exit=done.exit, fix="inv tilt.up")
        raise command.failed(done)
    answer: dict[str, Any] = must_be(_Resources, command.parsed(done.stdout), said=command.name)
    return answer


def _resource(item: Mapping[str, Any]) -> Resource:
    """Read one resource. Every key of its status may be absent; in the first second all of them are."""
    status = item.get("status") or {}
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or []}
    update = str(status.get("updateStatus", ""))
    return Resource(
        name=str((item.get("metadata") or {}).get("name", "")),
        ready=conditions.get("Ready") == "True",
        update=update,
        runtime=str(status.get("runtimeStatus", "")),
        enabled=(status.get("disableStatus") or {}).get("state") != "Disabled",
        waits=update == "none" and int(status.get("triggerMode") or 0) in {2, 3},
        waiting=str((status.get("waiting") or {}).get("reason", "")),
        error=_last_error(status),
        pid=int((status.get("localResourceInfo") or {}).get("pid") or 0),
        **_pod(status.get("k8sResourceInfo") or {}),
    )


def _last_error(status: Mapping[str, Any]) -> str:
    history = status.get("buildHistory") or [{}]
    return str(history[0].get("error") or "").strip()


def _pod(info: Mapping[str, Any]) -> dict[str, Any]:
    keys = {"pod": "podName", "pod_status": "podStatus", "pod_message": "podStatusMessage"}
    return {field: str(info.get(key) or "") for field, key in keys.items()}


def _error_in(stderr: str) -> str:
    """The error of a Tiltfile without the traceback: from `Error in fail: ` to the end, or all lines."""
    text = re.sub(r"\ALoading Tiltfile at: .*\n", "", stderr).strip()
    match = re.search(r"^Error in ([\w.]+): (.*)\Z", text, re.MULTILINE | re.DOTALL)
    if match:
        return match[2].strip() if match[1] == "fail" else f"{match[1]}: {match[2].strip()}"
    return text or "the Tiltfile ended with an error"
