"""Does the session carry anything? `connect` exits with 0 although the daemon resolves no name and soon ends.

2.31 does so as root in a container: it takes that container for its own, and nothing asks its DNS server
(recordings azure-live/telepresence/2.31.0/40 to 43).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from tasks.checks.devcontainer import machine
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Problem, ToolError
from tasks.tools import kubectl

_SECONDS = 6.0  # for all names: longer than Telepresence's own lookup (4 s)
_PAUSE = 0.05  # seconds between two attempts
_NAMES = 5  # so many Services are tried


def doubt() -> Problem | None:
    """Return why a session may be dead although `connect` says that it is open; None when nothing speaks for that."""
    return machine.root_in_container(machine.Machine.this())


def must_carry(hosts: Sequence[str]) -> None:
    """Resolve one of these names through the tunnel. Raises ToolError when none resolves and there is a doubt.

    hosts: names of Services; without any the tunnel is not tried

    Without a doubt it is a warning: the resolver of a workstation may be set up in ways that the suite does not know,
    and intercepts work without it.
    """
    if not hosts or _any_resolves(hosts):
        return
    reason = doubt()
    what = f"the session is open, but {hosts[0]} does not resolve through it"
    if reason:
        raise ToolError(f"telepresence connect: {what}", tool="telepresence", why=reason.what, fix=reason.fix)
    ui.warn(f"{what}: programs here cannot reach the cluster's services by name (telepresence status shows its DNS)")


def hosts(s: Settings) -> list[str]:
    """Return the names of some Services of the namespace; empty when they cannot be listed. Needs no session."""
    try:
        services = kubectl.get(s, "services")
    except ToolError:
        return []
    names = sorted(str((item.get("metadata") or {}).get("name")) for item in services)
    return [f"{name}.{s.cluster.namespace}" for name in names[:_NAMES]]


def _any_resolves(hosts: Sequence[str]) -> bool:
    """Does one of the names get an address in time? A thread asks for each, because the resolver has no deadline."""
    resolved = threading.Event()
    give_up = time.monotonic() + _SECONDS

    def attempt(host: str) -> None:
        while not resolved.is_set() and time.monotonic() < give_up:
            with suppress(OSError, UnicodeError):
                socket.getaddrinfo(host, None)
                resolved.set()
            resolved.wait(_PAUSE)

    for host in hosts:
        threading.Thread(target=attempt, args=(host,), daemon=True).start()
    return resolved.wait(_SECONDS)
