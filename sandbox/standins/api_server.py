"""Connect to an API server with a kubeconfig context and its credentials. Each program formats the failure itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sandbox.protocol.call import Call
from sandbox.standins.kubeconfig import Kubeconfig
from sandbox.world.cluster import Cluster
from sandbox.world.state import OutOfTime, World

_MISSING = """exec: executable {name} not found

It looks like you are trying to use a client-go credential plugin that is not installed.

To learn more about this feature, consult the documentation available at:
      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

{hint}"""


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


def reach(world: World, call: Call, config: Kubeconfig, context: str, timeout: float = 30.0) -> Session:
    """Connect with the context's server and user. Runs the credential plug-in through the caller's PATH."""
    server = config.server(context)
    host = server.split("://", 1)[-1].split("/", 1)[0]
    name = host.rsplit(":", 1)[0]
    cluster = world.cluster_at(server)
    token = _credentials(
        world, call, config.user(context), config.clusters.get(str(config.contexts[context].get("cluster")), {})
    )
    if cluster is None and name in ("127.0.0.1", "localhost", "::1"):
        raise Unreachable("refused", f"dial tcp {host}: connect: connection refused")
    if cluster is None or not cluster.running or world.fault("dns"):
        raise Unreachable("dns", f"dial tcp: lookup {name} on 10.98.0.1:53: no such host")
    if world.fault("api-refused"):
        raise Unreachable("refused", f"dial tcp {host}: connect: connection refused")
    if world.silent():
        world.wait(call, timeout)
        raise Unreachable("silent", "context deadline exceeded")
    bearer = world.bearer(token)
    if bearer is None:
        raise Unreachable("unauthorized", "the server has asked for the client to provide credentials")
    person = world.person(bearer.name)
    role = person.role if person else "edit"
    if world.fault("rbac") and (person is None or person.key == "developer"):
        role = "none"
    return Session(cluster, bearer.name, role)


def _credentials(world: World, call: Call, user: dict[str, Any], cluster: dict[str, Any]) -> str:
    if user.get("token"):
        return str(user["token"])
    plugin = user.get("exec")
    if not isinstance(plugin, dict):
        return ""
    command = str(plugin.get("command") or "")
    argv = tuple(str(a) for a in plugin.get("args") or [])
    try:
        done = world.run(call, command, argv, env=_plugin_environment(call, plugin, cluster))
    except FileNotFoundError:
        hint = f"\n{plugin['installHint']}" if plugin.get("installHint") else ""
        raise Unreachable("exec", "getting credentials: " + _MISSING.format(name=command, hint=hint)) from None
    except OutOfTime:
        raise Unreachable("silent", "context deadline exceeded") from None
    if done.exit != 0:
        text = f"getting credentials: exec: executable {command} failed with exit code {done.exit}"
        raise Unreachable("exec", text, done.stderr)
    try:
        return str(json.loads(done.stdout)["status"]["token"])
    except (ValueError, KeyError, TypeError):
        text = "getting credentials: decoding stdout: couldn't get version/kind; json parse error: invalid character"
        raise Unreachable("exec", text, done.stderr) from None


def _plugin_environment(call: Call, plugin: dict[str, Any], cluster: dict[str, Any]) -> dict[str, str]:
    """The environment of the credential plug-in: the caller's, client-go's information, and the kubeconfig's."""
    info: dict[str, Any] = {
        "apiVersion": plugin.get("apiVersion"),
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    if plugin.get("provideClusterInfo"):
        info["spec"]["cluster"] = {"server": cluster.get("server")}
    env = {**call.env, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    for pair in plugin.get("env") or []:
        env[str(pair["name"])] = str(pair["value"])
    return env
