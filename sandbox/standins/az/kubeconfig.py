"""How az merges a cluster into a kubeconfig file: checks, prompts and side effects. It differs from kubectl."""

from __future__ import annotations

import os
import stat
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.standins.az.cloud import CLIENT_APP, SERVER_APP, Cloud
from sandbox.standins.az.parser import AzError
from sandbox.standins.az.session import Session
from sandbox.world.cluster import Cluster

_HINT = (
    "\nkubelogin is not installed which is required to connect to AAD enabled cluster.\n\n"
    "To learn more, please go to https://azure.github.io/kubelogin/\n"
)


def credentials(cloud: Cloud, cluster: Cluster, certificate: str, form: str = "exec") -> dict[str, Any]:
    """The kubeconfig in ARM's answer to listClusterUserCredential: kubelogin with a device code."""
    api = {"certificate-authority-data": certificate, "server": cluster.server}
    user = f"clusterUser_{cluster.resource_group}_{cluster.name}"
    return {
        "apiVersion": "v1",
        "clusters": [{"name": cluster.name, "cluster": api}],
        "contexts": [{"name": cluster.name, "context": {"cluster": cluster.name, "user": user}}],
        "current-context": cluster.name,
        "kind": "Config",
        "preferences": {},
        "users": [{"name": user, "user": _exec(cloud) if form == "exec" else _auth_provider(cloud)}],
    }


def _exec(cloud: Cloud) -> dict[str, Any]:
    args = ["get-token", "--environment", "AzurePublicCloud", "--server-id", SERVER_APP, "--client-id", CLIENT_APP]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "args": [*args, "--tenant-id", cloud.tenant, "--login", "devicecode"],
            "command": "kubelogin",
            "env": None,
            "installHint": _HINT,
            "provideClusterInfo": False,
        }
    }


def _auth_provider(cloud: Cloud) -> dict[str, Any]:
    config = {
        "apiserver-id": SERVER_APP,
        "client-id": CLIENT_APP,
        "config-mode": "1",
        "environment": "AzurePublicCloud",
    }
    return {"auth-provider": {"name": "azure", "config": {**config, "tenant-id": cloud.tenant}}}


def renamed(addition: dict[str, Any], context: str | None) -> dict[str, Any]:
    """Apply `--context`: it renames the context and the cluster, not the user."""
    if context:
        addition["clusters"][0]["name"] = context
        addition["contexts"][0]["name"] = addition["contexts"][0]["context"]["cluster"] = context
        addition["current-context"] = context
    return addition


def target(az: Session) -> str:
    """The file to write: from -f, else the first entry of KUBECONFIG, else ~/.kube/config."""
    default = os.path.join(az.call.home, ".kube", "config")
    given = az.parsed["file"]
    if given is not None and given != default:
        return str(given).replace("~", az.call.home, 1) if str(given).startswith("~") else str(given)
    listed = az.call.env.get("KUBECONFIG")
    if listed is None:
        return default
    first = listed.split(os.pathsep)[0]
    if not first:
        az.warn(f"Invalid path '{first}' defined in KUBECONFIG.")
        return default
    return first


def merge(az: Session, path: str, addition: dict[str, Any], overwrite: bool) -> None:
    """Merge into the file and report it. Raises AzError if a different entry of the same name exists."""
    import yaml

    file = Path(az.call.cwd, path)
    if file.is_symlink():
        raise AzError(
            f'Kubeconfig path "{path}" is a symbolic link. Refusing to write to prevent symlink-following attacks.'
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = not file.exists()
    if fresh:
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    existing = _load(file, path)
    merged = addition if existing is None else _merged(existing, addition, overwrite)
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode != 0o600:
        az.warn(f'{path} has permissions "{mode:o}".\nIt should be readable and writable only by its owner.')
    beside = file.with_name(f"tmp{uuid.uuid4().hex[:8]}")
    handle = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode)
    with os.fdopen(handle, "w") as out:
        yaml.safe_dump(merged, out, default_flow_style=False)
    beside.replace(file)
    az.wrote = True
    az.warn(f'Merged "{addition["current-context"]}" as current context in {path}')


def _load(file: Path, path: str) -> dict[str, Any] | None:
    import yaml

    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as why:
        raise AzError(f"Error parsing {path} ({why})") from None
    return content if content is None or isinstance(content, dict) else {}


def _merged(existing: dict[str, Any], addition: dict[str, Any], overwrite: bool) -> dict[str, Any]:
    for key in ("clusters", "users", "contexts"):
        if key not in existing:
            raise AzError(
                f"No such key '{key}' in existing config, please confirm whether it is a valid config file. May back up "
                "this config file, delete it and retry the command."
            )
        known = existing[key] or []
        for new in addition[key]:
            for old in [entry for entry in known if entry.get("name") == new["name"]]:
                if not overwrite and old != new:
                    raise AzError(
                        f"A different object named {new['name']} already exists in {key} in your kubeconfig file."
                    )
                known.remove(old)
            known.append(new)
        existing[key] = known
    existing["current-context"] = addition["current-context"]
    return existing


def convert(az: Session, path: str, addition: dict[str, Any]) -> None:
    """Run kubelogin, as az does after it merged a device code user: on the default kubeconfig, even if the target is another file."""
    if addition["users"][0]["user"].get("exec", {}).get("command") != "kubelogin":
        return
    if az.world.which(az.call, "kubelogin") is None:
        az.warn(
            "The kubeconfig uses devicecode authentication which requires kubelogin. Please install kubelogin from "
            "https://github.com/Azure/kubelogin or run 'az aks install-cli' to install both kubectl and kubelogin. If "
            "devicecode login fails, try running 'kubelogin convert-kubeconfig -l azurecli' to unblock yourself."
        )
        return
    folder = os.path.dirname(path)
    if not folder:
        az.warn("Error running kubelogin: [Errno 2] No such file or directory: ''")
        return
    argv = ("convert-kubeconfig", "-l", "azurecli")
    inner = replace(az.call, cwd=os.path.join(az.call.cwd, folder))
    done = az.world.run(inner, "kubelogin", argv)
    if done.exit:
        command = ["kubelogin", *argv]
        az.warn(
            f"Failed to convert kubeconfig with kubelogin: Command '{command}' returned non-zero exit status {done.exit}."
        )
        return
    az.warn("Converted kubeconfig to use Azure CLI authentication.")
