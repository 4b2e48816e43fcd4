"""`kubelogin convert-kubeconfig`: it rewrites the credential plug-in of users in a kubeconfig file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Call
from sandbox.world.state import World

METHODS = ("devicecode", "interactive", "spn", "ropc", "msi", "azurecli", "azd", "workloadidentity", "azurepipelines")


class KubeloginError(Exception):
    """An error of kubelogin. The text follows `Error: `."""


def convert(call: Call, world: World, flags: dict[str, Any]) -> bool:
    """Rewrite the users that call kubelogin. Returns whether a file was written. A missing default file is not an error."""
    method = _method(call, flags)
    if method not in METHODS:
        raise KubeloginError(
            f"'{method}' is not a supported login method. Supported method is one of {', '.join(METHODS)}"
        )
    loaded = {
        path: data for path in _paths(call, flags) if (data := _load(path, explicit="kubeconfig" in flags)) is not None
    }
    only = _user_of(loaded, flags["context"]) if flags.get("context") else None
    # Every user is converted before the first file is written: an error leaves all files as they were.
    changed = [path for path, data in loaded.items() if _convert_users(data, only, method, flags)]
    for path in changed:
        _write(Path(flags["outfile"]) if flags.get("outfile") else path, loaded[path], world)
    return bool(changed)


def _convert_users(data: dict[str, Any], only: str | None, method: str, flags: dict[str, Any]) -> bool:
    """Convert the users of a kubeconfig, or only the one with this name. Returns whether any changed."""
    changed = False
    for user in data.get("users") or []:
        if only is not None and user.get("name") != only:
            continue
        new = _converted(user.get("user") or {}, method, flags)
        if new is not None and new != user.get("user"):  # client-go does not write an unchanged file
            user["user"] = new
            changed = True
    return changed


def _method(call: Call, flags: dict[str, Any]) -> str:
    named = "" if flags.get("disable-environment-override") else call.env.get("AAD_LOGIN_METHOD", "")
    return str(named or flags.get("login") or "devicecode")


def _paths(call: Call, flags: dict[str, Any]) -> list[Path]:
    if "kubeconfig" in flags:
        return [Path(call.cwd, flags["kubeconfig"])]
    listed = [name for name in call.env.get("KUBECONFIG", "").split(os.pathsep) if name]
    return [Path(call.cwd, name) for name in dict.fromkeys(listed)] or [Path(call.home, ".kube", "config")]


def _load(path: Path, explicit: bool) -> dict[str, Any] | None:
    import yaml

    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        if explicit:
            raise KubeloginError(f"unable to load kubeconfig: stat {path}: no such file or directory") from None
        return None
    except yaml.MarkedYAMLError as why:
        line = why.problem_mark.line + 1 if why.problem_mark else 1
        raise KubeloginError(
            f'unable to load kubeconfig: error loading config file "{path}": yaml: line {line}: {_go_words(why.problem)}'
        ) from None
    return data if isinstance(data, dict) else None


def _go_words(problem: str | None) -> str:
    """The error text of Go's YAML parser."""
    return "did not find expected ',' or ']'" if "',' or ']'" in (problem or "") else str(problem)


def _user_of(loaded: dict[Path, dict[str, Any]], context: str) -> str:
    for data in loaded.values():
        for entry in data.get("contexts") or []:
            if entry.get("name") == context:
                return str((entry.get("context") or {}).get("user", ""))
    raise KubeloginError(f'no context exists with the name: "{context}"')


def _converted(user: dict[str, Any], method: str, flags: dict[str, Any]) -> dict[str, Any] | None:
    """The converted user; None for one that kubelogin does not change."""
    known = _known(user)
    if known is None:
        return None
    plugin = user.get("exec") or {}
    new: dict[str, Any] = {
        "apiVersion": plugin.get("apiVersion") or "client.authentication.k8s.io/v1beta1",
        "args": _arguments(method, {**known, **{k: v for k, v in flags.items() if v}}, flags),
        "command": plugin.get("command") or "kubelogin",
        "env": plugin.get("env"),
        "provideClusterInfo": False,
    }
    if method == "azurecli" and flags.get("azure-config-dir"):
        new["env"] = [{"name": "AZURE_CONFIG_DIR", "value": flags["azure-config-dir"]}]
    if plugin.get("installHint"):
        new["installHint"] = plugin["installHint"]
    return {"exec": new}


def _known(user: dict[str, Any]) -> dict[str, Any] | None:
    """What the user's plug-in or auth provider says about the login; None if it is neither kubelogin nor azure."""
    plugin, provider = user.get("exec") or {}, user.get("auth-provider") or {}
    if "kubelogin" in str(plugin.get("command", "")).lower():
        return _flags_of(plugin.get("args") or [])
    if provider.get("name") != "azure":
        return None
    config = provider.get("config") or {}
    return {
        "server-id": config.get("apiserver-id"),
        "client-id": config.get("client-id"),
        "tenant-id": config.get("tenant-id"),
        "environment": config.get("environment"),
    }


def _flags_of(args: list[str]) -> dict[str, Any]:
    flags: dict[str, Any] = {}
    for name, value in zip(args, [*args[1:], ""], strict=True):
        if name.startswith("--"):
            key, equals, joined = name[2:].partition("=")
            flags[key] = joined if equals else value
    return flags


_NEED_CLIENT = ("devicecode", "interactive", "spn", "ropc")
_REQUIRED = ("client-id", "tenant-id")  # of the methods in _NEED_CLIENT
_OPTIONAL = {  # flags of convert-kubeconfig that each login method copies into the plug-in's arguments
    "spn": ("client-secret", "client-certificate"),
    "azurecli": ("tenant-id", "subscription"),
    "msi": ("client-id", "identity-resource-id"),
    "workloadidentity": ("client-id", "tenant-id", "authority-host", "federated-token-file"),
}


def _arguments(method: str, known: dict[str, Any], flags: dict[str, Any]) -> list[str]:
    if not known.get("server-id"):
        raise KubeloginError("--server-id is required")
    args = ["get-token", "--login", method, "--server-id", known["server-id"]]
    if flags.get("cache-dir"):
        args += ["--cache-dir", flags["cache-dir"]]
    for key in _REQUIRED if method in _NEED_CLIENT else ():
        if not known.get(key):
            raise KubeloginError(f"--{key} is required")
        args += [f"--{key}", known[key]]
    if method in _NEED_CLIENT and known.get("environment"):
        args += ["--environment", known["environment"]]
    for key in _OPTIONAL.get(method, ()):
        if flags.get(key):
            args += [f"--{key}", flags[key]]
    return args


def _write(path: Path, data: dict[str, Any], world: World) -> None:
    """Write in place under client-go's lock file. Follows a symlink and keeps the file's mode."""
    import yaml

    lock = Path(f"{path}.lock")
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0))
    except FileExistsError:
        raise KubeloginError(f"open {lock}: file exists") from None
    except OSError as why:
        raise KubeloginError(f"open {lock}: {(why.strerror or '').lower()}") from None
    try:
        if world.fault("disk-full"):
            raise KubeloginError(f"open {path}: no space left on device")
        text = yaml.safe_dump({**data, "kind": "Config", "apiVersion": "v1"}, default_flow_style=False)
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
    finally:
        lock.unlink(missing_ok=True)
