"""Connect to an API server with a kubeconfig context and its credentials. Each program formats the failure itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sandbox.protocol.call import Call
from sandbox.standins.credentials import Authenticator, Plugin, PluginError
from sandbox.standins.kubeconfig import Kubeconfig
from sandbox.world.cluster import Cluster
from sandbox.world.state import OutOfTime, World


class Unreachable(Exception):
    """The API server could not be reached.

    kind: refused, dns, silent, exec, unauthorized
    text: Go's error text; stderr: of the credential plug-in
    """

    def __init__(self, kind: str, text: str, stderr: str = "") -> None:
        super().__init__(text)
        self.kind, self.text, self.stderr = kind, text, stderr


@dataclass(frozen=True)
class Session:
    """An authenticated connection."""

    cluster: Cluster
    name: str  # the API server's user name
    role: str  # admin, edit, none


def reach(
    world: World,
    call: Call,
    config: Kubeconfig,
    context: str,
    timeout: float = 30.0,
    authenticator: Authenticator | None = None,
) -> Session:
    """Connect with the context's server and user, by one request.

    authenticator: of a process that lives longer than this call; otherwise the plug-in is a child of the client.
    """
    plugin = Plugin.of(config, context)
    if authenticator is None and plugin is not None:
        authenticator = Authenticator(plugin, call.line)
    token = _token(world, call, authenticator) if authenticator else str(config.user(context).get("token") or "")
    cluster = _answering(world, call, config.server(context), timeout)
    bearer = world.bearer(token)
    if bearer is None:
        raise Unreachable(
            "unauthorized",
            "the server has asked for the client to provide credentials",
            _refresh(world, call, authenticator) if authenticator else "",
        )
    person = world.person(bearer.name)
    role = person.role if person else "edit"
    if world.fault("rbac") and (person is None or person.key == "developer"):
        role = "none"
    return Session(cluster, bearer.name, role)


def _answering(world: World, call: Call, server: str, timeout: float) -> Cluster:
    """The cluster of this API server, if it answers. Raises Unreachable."""
    host = server.split("://", 1)[-1].split("/", 1)[0]
    name = host.rsplit(":", 1)[0]
    cluster = world.cluster_at(server)
    if cluster is None and name in ("127.0.0.1", "localhost", "::1"):
        raise Unreachable("refused", f"dial tcp {host}: connect: connection refused")
    if cluster is None or not cluster.running or world.fault("dns"):
        raise Unreachable("dns", f"dial tcp: lookup {name} on 10.98.0.1:53: no such host")
    if world.fault("api-refused"):
        raise Unreachable("refused", f"dial tcp {host}: connect: connection refused")
    if world.silent():
        world.wait(call, timeout)
        raise Unreachable("silent", "context deadline exceeded")
    return cluster


def _token(world: World, call: Call, authenticator: Authenticator) -> str:
    try:
        return authenticator.token(world, call)
    except PluginError as why:
        raise Unreachable("exec", f"getting credentials: {why.text}", why.stderr) from None
    except OutOfTime:
        raise Unreachable("silent", "context deadline exceeded") from None


def _refresh(world: World, call: Call, authenticator: Authenticator) -> str:
    """Ask the plug-in again after a 401. The request fails nevertheless; the next one of this process has the new token.

    Returns what client-go writes to stderr.
    """
    try:
        authenticator.ask(world, call)
        return ""
    except PluginError as why:
        stamp = f"{time.strftime('E%m%d %H:%M:%S')}.000000 {call.pid:7} exec.go:359]"
        return f"{why.stderr}{stamp} refreshing credentials: {why.text}\n"
