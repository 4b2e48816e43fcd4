"""The JSON of `tilt alpha tiltfile-result`: the keys recorded from 0.37.6 that a caller could use."""

from __future__ import annotations

from typing import Any

import yaml

from starlark_harness import Manifest, Result
from starlark_harness.model import Command


def document(result: Result) -> dict[str, Any]:
    """The document of one evaluation."""
    return {
        "Manifests": [_manifest(m, result) for m in result.manifests.values()] or None,
        "EnabledManifests": result.enabled or None,
        "Tiltignore": {"LocalPath": "", "Source": "", "Patterns": None},
        "ConfigFiles": sorted(set(result.watched)),
        "TeamID": "",
        "Secrets": {},
        "Error": None,
        "VersionSettings": {"CheckUpdates": True},
        "UpdateSettings": {"SuppressUnusedImageWarnings": None},
        "WatchSettings": {"Ignores": None},
        "DefaultRegistry": {"host": result.registry} if result.registry else None,
        "ObjectSet": {},
        "CISettings": {"timeout": "30m0s", "readinessTimeout": "5m0s"},
    }


def _manifest(m: Manifest, result: Result) -> dict[str, Any]:
    local = m.kind == "local"
    return {
        "Name": m.name,
        "ImageTargets": None if local else [{"Name": name, "selector": name} for name in m.images],
        "DeployTarget": _local(m) if local else _cluster(m, result),
        "TriggerMode": int(m.trigger),
        "ResourceDependencies": list(m.resource_deps) or None,
        "SourceTiltfile": "",
        "Labels": {label: label for label in m.labels},
    }


def _local(m: Manifest) -> dict[str, Any]:
    serve = m.serve
    return {
        "UpdateCmdSpec": _spec(m.update),
        "Name": m.name,
        "ServeCmd": {
            "Argv": list(serve.argv) if serve else None,
            "Dir": serve.folder if serve else "",
            "Env": [f"{k}={v}" for k, v in serve.env.items()] if serve else None,
            "EchoOff": False,
        },
        "Deps": list(m.deps) or None,
        "AllowParallel": m.allow_parallel,
    }


def _cluster(m: Manifest, result: Result) -> dict[str, Any]:
    return {
        **({"yaml": yaml.safe_dump_all(m.objects)} if m.objects else {}),
        "timeout": _duration(int(result.settings.get("upsert_timeout", 30))),
        "applyCmd": _spec(m.apply),
        "deleteCmd": _spec(m.delete),
        "imageMaps": list(m.images) or None,
        "Name": m.name,
    }


def _duration(seconds: int) -> str:
    """A duration as Go writes it: 30s, 5m0s, 1h0m0s."""
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours}h" * bool(hours) + f"{minutes}m" * bool(hours or minutes) + f"{seconds % 60}s"


def _spec(command: Command | None) -> dict[str, Any] | None:
    if command is None:
        return None
    spec: dict[str, Any] = {"args": list(command.argv), "dir": command.folder}
    return spec | ({"env": [f"{k}={v}" for k, v in command.env.items()]} if command.env else {})
