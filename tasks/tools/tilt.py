"""Tilt: what the Tiltfile declares, what a running Tilt says of its resources, and how it is started.

A running Tilt is asked at its port. Neither its exit code nor its line "Tilt started" says that anything is ready
(Tilt 0.37 stays alive on a Tiltfile error, and prints that line before it finds its port taken): resources do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.process.tool import Tool, clean
from tasks.tools import base

TILTFILE = "(Tiltfile)"
_TILTFILE_ERROR = 5  # exit code of `tilt alpha tiltfile-result`, from its help
_MOMENT = 15.0


@dataclass(frozen=True)
class Resource:
    """A resource of a running Tilt. ready: its condition; update, runtime: ok, pending, error, in_progress, none,
    not_applicable or "" (not known yet); enabled: not switched off; error: of its last update."""

    name: str
    ready: bool = False
    update: str = ""
    runtime: str = ""
    enabled: bool = True
    waits: bool = False  # only for somebody to start it
    waiting: str = ""
    error: str = ""
    pid: int = 0

    @property
    def failed(self) -> bool:
        """Did its update or what it runs fail?"""
        return "error" in (self.update, self.runtime)


class Refusal(ToolError):
    """The Tiltfile ended with an error; `said` of it is in `what`."""


class NotRunning(ToolError):
    """No Tilt answers at this port."""


def tool(s: Settings, port: int = 0, env: Mapping[str, str] | None = None) -> Tool:
    """tilt. port: of the running Tilt that is meant, or of the one to start; 0 where none is."""
    at = {"TILT_PORT": str(port)} if port else {}
    return base.tool(s, "tilt", timeout=_MOMENT, env={**at, **(env or {})})


def declared(s: Settings, tiltfile: Path, args: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """The names of the resources that would be enabled. Evaluates the Tiltfile, and touches nothing.

    Raises Refusal with the Tiltfile's error. Of the answer only names are kept: it holds secrets in clear.
    """
    words = ("alpha", "tiltfile-result", "--file", str(tiltfile), "--context", s.cluster.context, "--", *args)
    program = tool(s, env=env)
    done = program.call(*words, timeout=60, cwd=str(tiltfile.parent))
    if done.exit == _TILTFILE_ERROR:
        said = clean(done.stderr)
        raise Refusal(_error_in(said), tool="tilt", exit=done.exit, stderr=said)
    if done.exit != 0:
        raise program.failed(words, done)
    import json

    try:
        return [str(name) for name in json.loads(done.stdout).get("EnabledManifests") or []]
    except (ValueError, AttributeError):
        raise ToolError("tilt alpha tiltfile-result: the answer is not JSON", tool="tilt", exit=0) from None


def resources(s: Settings, port: int) -> list[Resource]:
    """The resources of the running Tilt, the Tiltfile itself among them. Raises NotRunning."""
    return [_resource(item) for item in _get(s, port, "uiresources").get("items") or []]


def up(s: Settings, tiltfile: Path, *, port: int, flags: Sequence[str], args: Sequence[str]) -> list[str]:
    """The argv of `tilt up`. It streams: its own screen would need a terminal of its own."""
    return ["tilt", "up", *_start(s, tiltfile, port), "--stream=true", *flags, "--", *args]


def ci(s: Settings, tiltfile: Path, *, port: int, flags: Sequence[str], args: Sequence[str]) -> list[str]:
    """The argv of `tilt ci`: it ends with 0 when all is ready, and with 1 when anything fails."""
    return ["tilt", "ci", *_start(s, tiltfile, port), *flags, "--", *args]


def _start(s: Settings, tiltfile: Path, port: int) -> tuple[str, ...]:
    place = ("--context", s.cluster.context, "--namespace", s.cluster.namespace)
    return ("--file", str(tiltfile), *place, "--port", str(port))


def _get(s: Settings, port: int, kind: str) -> dict[str, Any]:
    program = tool(s, port)
    words = ("get", kind, "--output", "json")
    done = program.call(*words)
    if done.exit != 0:
        if re.search(r"No tilt apiserver found|was refused|Could not connect to Tilt", done.stderr):
            raise NotRunning(f"no Tilt answers at port {port}", tool="tilt", exit=done.exit, fix="inv tilt.up")
        raise program.failed(words, done)
    import json

    try:
        found = json.loads(done.stdout or "{}")
    except ValueError:
        raise ToolError(f"tilt get {kind}: the answer is not JSON", tool="tilt", exit=0) from None
    return found if isinstance(found, dict) else {}


def _resource(item: Mapping[str, Any]) -> Resource:
    """Every key of the status may be absent: in the first second all are."""
    status = item.get("status") or {}
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or []}
    history = status.get("buildHistory") or [{}]
    update = str(status.get("updateStatus", ""))
    return Resource(
        name=str((item.get("metadata") or {}).get("name", "")),
        ready=conditions.get("Ready") == "True",
        update=update,
        runtime=str(status.get("runtimeStatus", "")),
        enabled=(status.get("disableStatus") or {}).get("state") != "Disabled",
        waits=update == "none" and int(status.get("triggerMode") or 0) in {2, 3},
        waiting=str((status.get("waiting") or {}).get("reason", "")),
        error=str(history[0].get("error", "") or "").strip(),
        pid=int((status.get("localResourceInfo") or {}).get("pid") or 0),
    )


def _error_in(said: str) -> str:
    """The error of a Tiltfile without the traceback: from `Error in fail: ` to the end, or the last lines."""
    text = re.sub(r"\ALoading Tiltfile at: .*\n", "", said).strip()
    found = re.search(r"^Error in ([\w.]+): (.*)\Z", text, re.MULTILINE | re.DOTALL)
    if found:
        return found[2].strip() if found[1] == "fail" else f"{found[1]}: {found[2].strip()}"
    return text or "the Tiltfile ended with an error"
