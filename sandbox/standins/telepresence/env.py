"""The pod's environment, and the files with it."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

from sandbox.standins.telepresence.daemon import Daemon
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.world.cluster import Intercept, Workload


def pod_environment(run: Run, daemon: Daemon, workload: Workload, intercept: Intercept) -> dict[str, str]:
    """The pod's variables and telepresence's own."""
    own = {
        "TELEPRESENCE_CONTAINER": workload.container,
        "TELEPRESENCE_MOUNTS": ":".join(workload.mounts),
        "TELEPRESENCE_ROOT": intercept.mount,
        "TELEPRESENCE_INTERCEPT_ID": intercept.id,
    }
    if not run.old:
        own["TELEPRESENCE_API_HOST"] = daemon.name
    skipped = {"PATH", "HOME", "HOSTNAME"}  # the agent omits variables that the image or the kubelet sets
    return {**{k: v for k, v in workload.env.items() if k not in skipped}, "POD_NAME": intercept.pod, **own}


def write_files(run: Run, environment: dict[str, str]) -> None:
    """Write --env-json and --env-file with mode 0644."""
    parsed = run.parsed
    if path := parsed.value("env-json"):
        text = json.dumps(dict(sorted(environment.items())), indent=2, ensure_ascii=False)
        _write(run, path, text + "\n")
    if path := parsed.value("env-file"):
        syntax = "plain" if run.old else parsed.value("env-syntax", "docker")
        _write(run, path, "")
        lines = [_line(k, v, syntax) for k, v in sorted(environment.items())]
        _write(run, path, "\n".join(lines) + "\n" if syntax != "json" else json.dumps(environment, indent=2) + "\n")


def _line(key: str, value: str, syntax: str) -> str:
    kind, _, export = syntax.partition(":")
    if kind in ("docker", "cmd") and "\n" in value:
        raise Failure(f"docker run/build does not support multi-line environment values: key: {key}, value {value}\n\n")
    if kind == "sh":
        return f"{'export ' if export else ''}{key}={shlex.quote(value)}"
    if kind == "csh":
        return f"{'setenv' if export else 'set'} {key}{' ' if export else '='}{shlex.quote(value)}"
    if kind == "ps":
        quoted = value.replace("'", "''")
        return f"$Env:{key}='{quoted}'"
    if kind == "compose" and any(c in value for c in "\n\t\r \"'#$"):
        return f"{key}={json.dumps(value, ensure_ascii=False)}"
    return f"{'set ' if kind == 'cmd' else ''}{key}={value}"


def _write(run: Run, path: str, text: str) -> None:
    if run.world.fault("env-file-fails"):
        raise Failure(f"failed to create environment file {path}: open {path}: permission denied")
    if run.world.fault("disk-full"):
        raise Failure(f"write {path}: no space left on device")
    try:
        handle: Any = os.open(os.path.join(run.call.cwd, path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as why:
        raise Failure(
            f"failed to create environment file {path}: open {path}: {(why.strerror or '').lower()}"
        ) from None
