"""The cluster and the registry as Azure knows them: power, node pools, start and stop, who may pull and push."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, ToolError
from tasks.core.plan.change import Change
from tasks.core.shape import Shape, must_be
from tasks.tools import az

_REGISTRY_DENIED = re.compile(r"denied|Unable to authenticate|don't have access")  # words of az
_HOSTS = ("fqdn", "privateFqdn", "azurePortalFqdn")
_TO_SWITCH = 1200  # seconds: AKS starts and stops in 2 to 10 minutes


class _Power(Shape):
    code: str | None = None


class _ShownPool(Shape):
    name: str | None = None
    mode: str | None = None
    vmSize: str | None = None
    scaleSetPriority: str | None = None
    enableAutoScaling: bool | None = None
    count: int | None = None
    minCount: int | None = None
    maxCount: int | None = None
    powerState: _Power | None = None


class _Shown(Shape):
    """The form of `az aks show`."""

    powerState: _Power | None = None
    agentPoolProfiles: list[_ShownPool] | None = None
    tags: dict[str, str] | None = None


class RegistryDenied(ToolError):
    """This login may not log in to the registry."""


@dataclass(frozen=True)
class Pool:
    """A node pool."""

    name: str
    mode: str
    size: str
    spot: bool
    count: int
    """Its nodes now."""

    low: int = 0
    high: int = 0
    """The bounds of the autoscaler, both 0 without one."""

    power: str = "Running"

    @property
    def scales(self) -> bool:
        """Does its number of nodes follow the load?"""
        return self.high > 0

    @property
    def burstable(self) -> bool:
        """Is it of the B-series, which is cheap while it is idle?"""
        return self.size.lower().startswith("standard_b")


@dataclass(frozen=True)
class Cluster:
    """The cluster as Azure knows it."""

    power: str
    """Azure's word: Running or Stopped."""

    state: str
    version: str
    location: str
    pools: tuple[Pool, ...] = ()
    tags: dict[str, str] | None = None

    resource_group: str = ""

    hosts: tuple[str, ...] = ()
    """The names of its API server, in lower case: the public and the private one."""

    @property
    def running(self) -> bool:
        """Is it switched on?"""
        return self.power == "Running"


def show(s: Settings) -> Cluster:
    """Return the cluster with its pools, from one call. Raises ToolError, also when the role to read it is missing."""
    shown = must_be(_Shown, _answer(s, "aks", "show", *_names(s)), said="az aks show")
    return Cluster(
        power=str((shown.get("powerState") or {}).get("code") or ""),
        state=str(shown.get("provisioningState") or ""),
        version=str(shown.get("currentKubernetesVersion") or shown.get("kubernetesVersion") or ""),
        location=str(shown.get("location") or ""),
        pools=tuple(_pool(item) for item in shown.get("agentPoolProfiles") or []),
        tags=dict(shown.get("tags") or {}),
        resource_group=str(shown.get("resourceGroup") or ""),
        hosts=tuple(str(shown[key]).lower().rstrip(".") for key in _HOSTS if shown.get(key)),
    )


def power(s: Settings, *, timeout: float) -> str:
    """Return Azure's word for the power of the cluster: Running or Stopped; empty when az cannot say it in time."""
    command = az.tool(s)["aks", "show", *_names(s), *az.subscription(s), "--query", "powerState.code"]
    try:
        return str(command["--output", "json"].json(timeout=timeout) or "")
    except ToolError:
        return ""


def start(s: Settings) -> Change[None]:
    """Start the cluster. az returns when it runs, minutes later."""
    return _switch(s, "start", f"start the cluster {s.cluster.name}", "")


def stop(s: Settings) -> Change[None]:
    """Stop the cluster, for everybody."""
    return _switch(
        s,
        "stop",
        f"stop the cluster {s.cluster.name}",
        "every session, intercept and unsaved in-memory state of the team",
    )


def registry_login(s: Settings) -> str:
    """Return the registry's host. Raises RegistryDenied when this login may not log in to it. The token is not read."""
    args = ("acr", "login", "--name", az.registry_name(s), "--expose-token", "--query", "loginServer")
    try:
        return str(_answer(s, *args))
    except (ToolError, Blocked) as why:
        if _REGISTRY_DENIED.search(why.text()):
            raise RegistryDenied(why.what, tool="az", why=why.why, fix=why.fix) from None
        raise


def roles(s: Settings, assignee: str) -> list[str]:
    """Return the names of the user's roles on the registry, those from groups and from parent scopes too."""
    scope = str(_answer(s, "acr", "show", "--name", az.registry_name(s), "--query", "id"))
    names = _answer(
        s, "role", "assignment", "list", "--assignee", assignee, "--scope", scope,
        "--include-groups", "--include-inherited", "--query", "[].roleDefinitionName",
    )  # fmt: skip
    return sorted({str(name) for name in names}) if isinstance(names, list) else []


def _switch(s: Settings, verb: str, text: str, destroys: str) -> Change[None]:
    command = az.tool(s)["aks", verb, *_names(s), *az.subscription(s)]

    def run() -> None:
        done = command.call(timeout=_TO_SWITCH)
        if done.exit != 0:
            raise az.failed(command, done)

    return Change(text, command.argv, run, destroys)


def _names(s: Settings) -> tuple[str, ...]:
    return ("--resource-group", s.cluster.resource_group, "--name", s.cluster.name)


def _answer(s: Settings, *args: str) -> Any:
    """The JSON that az prints for these arguments."""
    command = az.tool(s)[*args, *az.subscription(s), "--output", "json"]
    done = command.call()
    if done.exit != 0:
        raise az.failed(command, done)
    return command.parsed(done.stdout)


def _pool(item: dict[str, Any]) -> Pool:
    scales = bool(item.get("enableAutoScaling"))
    return Pool(
        name=str(item.get("name") or ""),
        mode=str(item.get("mode") or ""),
        size=str(item.get("vmSize") or ""),
        spot=item.get("scaleSetPriority") == "Spot",
        count=int(item.get("count") or 0),
        low=int(item.get("minCount") or 0) if scales else 0,
        high=int(item.get("maxCount") or 0) if scales else 0,
        power=str((item.get("powerState") or {}).get("code") or "Running"),
    )
