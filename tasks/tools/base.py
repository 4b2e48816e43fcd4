"""What every program of the suite gets: the frozen kubeconfig, no colours, no telemetry, no foreign login."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.errors import Absent
from tasks.core.plan.change import Change
from tasks.core.process.tool import Command, Tool
from tasks.core.state import store
from tasks.tools import assessed, private_caches

# kubelogin prefers these to the kubeconfig: a variable of another project would log in to another tenant.
CREDENTIALS = "SESSION_CREDENTIAL_CACHE"  # with `read` the credential helper writes nothing
FOREIGN = ("AAD_LOGIN_METHOD", "AZURE_AUTHORITY_HOST", "KUBERNETES_EXEC_INFO")


_private: list[Path] = []  # the folder of `private_session` while its block runs


@contextmanager
def private_session() -> Iterator[None]:
    """Use a session folder of its own in the block, which is deleted after it: for a look that must leave nothing."""
    with store.temporary() as folder:
        _private.append(folder)
        try:
            yield
        finally:
            _private.remove(folder)


def session_is_private() -> bool:
    """Is the session folder one of `private_session`?"""
    return bool(_private)


def session_folder(s: Settings) -> Path:
    """Return the folder of this context and namespace in the state folder, without creating it."""
    if _private:
        return _private[-1]
    return store.folder("sessions", re.sub(r"[^A-Za-z0-9_.-]", "_", f"{s.cluster.context}.{s.cluster.namespace}"))


def frozen_kubeconfig(s: Settings) -> Path:
    """Return the path of the session's own kubeconfig: one context, mode 0600. It may not exist yet."""
    return session_folder(s) / "kubeconfig"


def environment(s: Settings) -> dict[str, str]:
    """Return the variables that every program gets on top of the developer's own."""
    return {
        "KUBECONFIG": str(frozen_kubeconfig(s)),
        "NO_COLOR": "1",
        "AZURE_CORE_NO_COLOR": "true",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
        "SCOUT_DISABLE": "1",
        **private_caches.variables(),
        **({CREDENTIALS: "read"} if store.reads_only() else {}),
    }


def tool(
    s: Settings, name: str, *base: str, timeout: float, env: Mapping[str, str] | None = None, drop: tuple[str, ...] = ()
) -> Tool:
    """Return the program with its pinned arguments and environment. timeout: seconds, for calls that name none."""
    return Tool(
        name,
        fix=how_to_get(s, name),
        base=base,
        env={**environment(s), **(env or {})},
        drop=(*FOREIGN, *drop),
        timeout=timeout,
    )


def change(
    command: Command, text: str, *, destroys: str = "", timeout: float = 300, in_cluster: bool = True
) -> Change[str]:
    """Return the write that this command makes. Its result is the command's stdout.

    in_cluster: refuse the write when the session's kubeconfig has changed since this run assessed it
    """

    def run() -> str:
        if in_cluster:
            assessed.must_be_current(Path(command.tool.env["KUBECONFIG"]))
        return command.run(timeout=timeout)

    return Change(text, command.argv, run, destroys)


def must_be_installed(s: Settings, *names: str) -> None:
    """Raise Absent for the first of these programs that is not on PATH.

    Asked before a login or a file is called missing: without the program neither can be had.
    """
    for name in names:
        if shutil.which(name) is None:
            raise Absent(f"{name} is not installed", tool=name, fix=how_to_get(s, name))


def how_to_get(s: Settings, name: str) -> str:
    """Return how to get the program when it is absent."""
    pin = s.tools.get(name)
    where = (
        f" {pin.container} from {pin.source.format(version=pin.container, arch='amd64')}" if pin and pin.source else ""
    )
    return f"install {name}{where}, or rebuild the dev container"
