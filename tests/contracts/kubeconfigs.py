"""Kubeconfigs for the contracts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from tasks.core.config.settings import Settings
from tasks.tools import base
from tests.contracts.programs import Program


def config(server: str, token: str, context: str = "dev", namespace: str = "team") -> str:
    """A kubeconfig of one context with a token."""
    return yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": context,
        "clusters": [{"name": context, "cluster": {"server": server}}],
        "users": [{"name": context, "user": {"token": token} if token else {}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context, "namespace": namespace}}],
    })  # fmt: skip


def frozen(s: Settings, text: str) -> Path:
    """Make this the session's kubeconfig."""
    path = base.frozen_kubeconfig(s)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def fetched(program: Program, s: Settings, env: Mapping[str, str] | None = None) -> str:
    """The kubeconfig that az returns for a user of the sandbox. env: the environment of another user."""
    person = {**program.env, **(env or {})}
    file = Path(person["HOME"]) / "fetched"
    group, name = s.cluster.resource_group, s.cluster.name
    program.call("login", "--use-device-code", tool="az", env=person)
    program.call("aks", "get-credentials", "-g", group, "-n", name, "--file", str(file), tool="az", env=person)
    program.call("convert-kubeconfig", "-l", "azurecli", "--kubeconfig", str(file), tool="kubelogin", env=person)
    data = yaml.safe_load(file.read_text())
    data["contexts"][0]["context"]["namespace"] = s.cluster.namespace
    data["contexts"][0]["name"] = data["current-context"] = s.cluster.context
    return str(yaml.safe_dump(data))


def unaccepted(text: str) -> str:
    """The kubeconfig with a token that the cluster rejects."""
    data = yaml.safe_load(text)
    for user in data["users"]:
        user["user"] = {"token": "not-a-token"}
    return str(yaml.safe_dump(data))
