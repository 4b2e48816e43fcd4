"""Evaluates a stranger's Tiltfile: what the harness does not have (extensions, charts, other built-ins) does nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import starlark

from starlark_harness import TiltfileError

harness = import_module("starlark_harness.evaluate")  # the package has a function of this name

# Of https://docs.tilt.dev/api.html, with what each returns here.
_TEXTS = ("helm", "kustomize", "encode_json", "encode_yaml_stream", "local_git_repo", "filter_yaml")
_NOTHING: tuple[str, ...] = (
    "set_team",
    "trigger_mode",
    "docker_compose",
    "dc_resource",
    "include",
    "k8s_kind",
    "version_settings",
)
_NOTHING += ("workload_to_resource_function", "analytics_settings", "secret_settings", "watch_settings", "ci_settings")
_NOTHING += (
    "k8s_image_json_path",
    "link",
    "update_settings",
    "docker_prune_settings",
    "disable_snapshots",
    "warn",
    "sync",
)
_NOTHING += (
    "run",
    "fall_back_on",
    "restart_container",
    "initial_sync",
    "experimental_telemetry_cmd",
    "k8s_custom_deploy",
)
_NOTHING += (
    "custom_build",
    "enable_feature",
    "default_registry",
    "test",
    "probe",
    "exec_action",
    "http_get_action",
    "read_json",
)
_LISTS = ("read_yaml_stream", "decode_yaml_stream", "listdir")


class _Lenient(harness._Evaluation):  # type: ignore[misc, name-defined]
    """An evaluation in which an unknown built-in and an extension do nothing."""

    def _functions(self) -> dict[str, Callable[..., Any]]:
        known = super()._functions()
        more: dict[str, Callable[..., Any]] = {name: lambda *_, **__: "" for name in _TEXTS}
        more |= {name: lambda *_, **__: None for name in _NOTHING}
        more |= {name: lambda *_, **__: [] for name in _LISTS}
        return {**more, **known}

    def _load(self, base: Path, name: str) -> Any:
        if "://" not in name:
            return super()._load(base, name)
        module = starlark.Module()
        tree = starlark.parse(str(base), base.read_text(), harness._dialect())
        for load in tree.loads():
            for symbol in load.symbols.values() if load.module_id == name else ():
                module.add_callable(symbol, lambda *_, **__: None)
        return module.freeze()


def resources(tiltfile: Path, context: str) -> tuple[set[str] | None, str]:
    """Return the resources that the Tiltfile declares, or why it cannot be evaluated."""
    evaluation = _Lenient(tiltfile, (), context, "default", {"HOME": "/home/trial"}, "up", lambda *_: "/usr/bin/tool")
    try:
        return set(evaluation.result().manifests), ""
    except (TiltfileError, OSError, ValueError, RecursionError) as why:
        lines = str(why).strip().splitlines() or [type(why).__name__]
        return None, lines[-1].replace(str(tiltfile.parent) + "/", "")[:160]


_DECLARES = re.compile(
    r"^[ \t]*(?:\w+ = )?(docker_build\w*|custom_build\w*|\w*_resource|k8s_yaml|docker_compose|include|load)\(\s*(?:\w+\s*=\s*)?([^,)\n]*)",
    re.MULTILINE,
)


def declarations(tiltfile: Path) -> tuple[set[str] | None, str]:
    """Return the declarations that are written in the Tiltfile, or why it cannot be parsed."""
    text = tiltfile.read_text(errors="replace")
    try:
        starlark.parse(tiltfile.name, text, harness._dialect())
    except starlark.StarlarkError as why:
        return None, str(why).strip().splitlines()[-1][:160]
    return {f"{call}({first.strip()})" for call, first in _DECLARES.findall(text)}, ""
