"""What every child process of the suite is given: the frozen kubeconfig, no colours, no telemetry, no foreign login."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.process.tool import Tool
from tasks.core.state import store
from tasks.tools import private_caches

# kubelogin obeys these over the kubeconfig, so a variable of another project would log in to another tenant.
FOREIGN = ("AAD_LOGIN_METHOD", "AZURE_AUTHORITY_HOST", "KUBERNETES_EXEC_INFO")


def session_folder(s: Settings) -> Path:
    """The folder of this context and namespace below the state folder; not made here."""
    return store.folder("sessions", re.sub(r"[^A-Za-z0-9_.-]", "_", f"{s.cluster.context}.{s.cluster.namespace}"))


def frozen_kubeconfig(s: Settings) -> Path:
    """The session's own kubeconfig: one context, mode 0600. Every child gets it; it may not be there yet."""
    return session_folder(s) / "kubeconfig"


def environment(s: Settings) -> dict[str, str]:
    """The variables that every child gets on top of the developer's own."""
    return {
        "KUBECONFIG": str(frozen_kubeconfig(s)),
        "NO_COLOR": "1",
        "AZURE_CORE_NO_COLOR": "true",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
        "SCOUT_DISABLE": "1",
        **private_caches.variables(),
    }


def tool(
    s: Settings, name: str, *base: str, timeout: float, env: Mapping[str, str] | None = None, drop: tuple[str, ...] = ()
) -> Tool:
    """The program with its pinned arguments and environment. `timeout` in seconds, for calls that name none."""
    return Tool(
        name,
        fix=how_to_get(s, name),
        base=base,
        env={**environment(s), **(env or {})},
        drop=(*FOREIGN, *drop),
        timeout=timeout,
    )


def how_to_get(s: Settings, name: str) -> str:
    """What a person does when the program is not there."""
    pin = s.tools.get(name)
    where = (
        f" {pin.container} from {pin.source.format(version=pin.container, arch='amd64')}" if pin and pin.source else ""
    )
    return f"install {name}{where}, or rebuild the dev container"
