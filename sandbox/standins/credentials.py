"""The credential plug-in of a kubeconfig's user, asked as client-go does (plugin/pkg/client/auth/exec/exec.go).

The plug-in is a child of the process that the user sees: the client's, or Telepresence's user daemon. Its stderr goes
where that process writes. Only a plug-in that is itself a stand-in is called directly, and its stderr is returned.
The texts were seen on kubectl 1.33.1.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.protocol.call import Call
from sandbox.protocol.line import NotStarted
from sandbox.standins.kubeconfig import Kubeconfig
from sandbox.world.state import Outcome, World

INFO = "KUBERNETES_EXEC_INFO"
_MISSING = """exec: executable {name} not found

It looks like you are trying to use a client-go credential plugin that is not installed.

To learn more about this feature, consult the documentation available at:
      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

{hint}"""


def no_refusal(world: World, call: Call, command: str) -> str:
    """Every plug-in may run: what a program without a policy of its own says."""
    return ""


class PluginError(Exception):
    """The plug-in gave no credential. text: client-go's; stderr: the plug-in's, if it is not printed yet."""

    def __init__(self, text: str, stderr: str = "") -> None:
        super().__init__(text)
        self.text, self.stderr = text, stderr


@dataclass(frozen=True)
class Plugin:
    """The `exec` entry of a user."""

    command: str
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    version: str
    hint: str
    server: str  # sent to the plug-in if the entry asks for it

    @classmethod
    def of(cls, config: Kubeconfig, context: str) -> Plugin | None:
        """The plug-in of this context's user; None for a user without one. A relative path starts at the file's folder."""
        entry = config.user(context).get("exec")
        if not isinstance(entry, dict) or config.user(context).get("token"):
            return None
        command = str(entry.get("command") or "")
        if "/" in command:
            file = config.origin.get(("users", str(config.contexts[context].get("user"))), "")
            command = os.path.normpath(os.path.join(os.path.dirname(file), command))
        return cls(
            command,
            tuple(str(a) for a in entry.get("args") or []),
            tuple((str(pair["name"]), str(pair["value"])) for pair in entry.get("env") or []),
            str(entry.get("apiVersion") or ""),
            str(entry.get("installHint") or ""),
            config.server(context) if entry.get("provideClusterInfo") else "",
        )

    def environment(self, given: dict[str, str], informed: bool) -> dict[str, str]:
        """The plug-in's environment: that of its parent, the entry's variables, and client-go's information."""
        env = {**given, **dict(self.env)}
        if informed:
            spec = {"interactive": False, **({"cluster": {"server": self.server}} if self.server else {})}
            info = {"kind": "ExecCredential", "apiVersion": self.version, "spec": spec}
            env[INFO] = json.dumps(info, separators=(",", ":")) + "\n"
        return env


class Authenticator:
    """Asks one plug-in for one process, and keeps the token until it expires, is refused, or `margin` seconds are left.

    parent: the line of the process that starts the plug-in
    informed: whether the plug-in gets KUBERNETES_EXEC_INFO, as from client-go
    limit: the seconds that it may take, if the process has a limit
    refusal: why the process may not start this command; empty if it may
    """

    def __init__(
        self,
        plugin: Plugin,
        parent: Any,
        *,
        informed: bool = True,
        margin: float = 0.0,
        limit: float | None = None,
        refusal: Callable[[World, Call, str], str] = no_refusal,
    ) -> None:
        self._refusal = refusal
        self.plugin, self._parent, self._informed, self._margin, self._limit = plugin, parent, informed, margin, limit
        self._token, self._expires = "", 0.0

    @property
    def is_due(self) -> bool:
        """Must the plug-in be asked before the next request?"""
        return not self._token or time.time() > self._expires - self._margin

    def forget(self) -> None:
        """Ask the plug-in before the next request."""
        self._token = ""

    def token(self, world: World, call: Call) -> str:
        """The token, cached or new. Raises PluginError, or OutOfTime."""
        if self.is_due:
            self.ask(world, call)
        return self._token

    def ask(self, world: World, call: Call) -> None:
        """Ask the plug-in, as after a 401. Raises PluginError, or OutOfTime."""
        plugin = self.plugin
        refused = self._refusal(world, call, plugin.command)
        if refused:
            raise PluginError(refused)
        try:
            done = self._run(world, call)
        except FileNotFoundError:
            hint = f"\n{plugin.hint}" if plugin.hint else ""
            raise PluginError(_MISSING.format(name=plugin.command, hint=hint)) from None
        except NotStarted as why:
            raise PluginError(f"exec: fork/exec {why.path}: {why.reason}") from None
        if done.exit:
            code = max(done.exit, -1)  # Go has -1 for every signal
            raise PluginError(f"exec: executable {plugin.command} failed with exit code {code}", done.stderr)
        status = _status(done.stdout, plugin.version, done.stderr)
        self._token, self._expires = str(status["token"]), _expiry(status, done.stderr)

    def _run(self, world: World, call: Call) -> Outcome:
        plugin = self.plugin
        env = plugin.environment(call.env, self._informed)
        path = plugin.command if "/" in plugin.command else world.which(call, plugin.command)
        if path is None:
            raise FileNotFoundError(plugin.command)
        if os.path.realpath(path) == str(world.box / "client"):
            return world.run(call, path, plugin.args, env=env, timeout=self._limit)
        exit, stdout = self._parent.plugin(path, (plugin.command, *plugin.args), env, self._limit)
        return Outcome(exit, stdout.decode("utf-8", "replace"), "")


def _status(stdout: str, version: str, stderr: str) -> dict[str, Any]:
    """The status of an ExecCredential, with a token."""
    try:
        answer = json.loads(stdout or "{}")
        returned, status = answer.get("apiVersion") or "client.authentication.k8s.io/__internal", answer.get("status")
    except (ValueError, AttributeError):
        text = "decoding stdout: couldn't get version/kind; json parse error: invalid character"
        raise PluginError(text, stderr) from None
    if returned != version:
        text = f"exec plugin is configured to use API version {version}, plugin returned version {returned}"
        raise PluginError(text, stderr)
    if not isinstance(status, dict):
        raise PluginError("exec plugin didn't return a status field", stderr)
    if not status.get("token"):
        raise PluginError("exec plugin didn't return a token or cert/key pair", stderr)
    return status


def _expiry(status: dict[str, Any], stderr: str) -> float:
    text = status.get("expirationTimestamp")
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else float("inf")
    except ValueError:
        raise PluginError(f'decoding stdout: parsing time "{text}" as "2006-01-02T15:04:05Z07:00"', stderr) from None
