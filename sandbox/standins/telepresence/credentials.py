"""Which processes of Telepresence ask the credential plug-in, and when. All asks are children of the user daemon.

2.31 asks four times at a connect (pkg/client of v2.31.0):
* client-go in the user daemon, with KUBERNETES_EXEC_INFO: userd/k8s `check`
* the user daemon's connection to the traffic manager: k8s/manager_token.go runs the plug-in itself, without that variable
* client-go in the root daemon: its kubeconfig names `telepresence kubeauth` (authenticator/patcher), which lets the user
  daemon run the plug-in (authenticator/exec.go)
* the root daemon's connection to the traffic manager, in the same way
Before, the connections to the traffic manager carried no token: two asks.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from sandbox.protocol.call import CallerGone
from sandbox.standins.api_server import Session, Unreachable, reach
from sandbox.standins.credentials import Authenticator, Plugin, PluginError
from sandbox.standins.kubeconfig import Kubeconfig
from sandbox.standins.telepresence.daemon import Daemon
from sandbox.standins.telepresence.run import Run
from sandbox.world.state import OutOfTime

_LIMIT, _SHORT = 20.0, 5.0  # seconds for the plug-in up to 2.25: `timeouts.clusterConnect`; shortened without latencies
_MARGIN = 60.0  # manager_token.go: execTokenSafetyMargin
_REMAIN = 5.0  # seconds between two calls to the traffic manager, each with a token


def connect(run: Run, daemon: Daemon, config: Kubeconfig, context: str) -> Session:
    """Authenticate to the API server as the daemons do. Raises Unreachable."""
    plugin = Plugin.of(config, context)
    if plugin is None:
        return reach(run.world, run.call, config, context, timeout=20.0)
    daemon.log = _log(run)
    users, *others = _authenticators(run, daemon, plugin)
    session = reach(run.world, run.call, config, context, timeout=20.0, authenticator=users)
    for other in others:
        _ask(run, daemon, other)
    return session


def _ask(run: Run, daemon: Daemon, authenticator: Authenticator) -> None:
    try:
        authenticator.token(run.world, run.call)
    except PluginError as why:
        if authenticator not in daemon.managers:
            raise Unreachable("exec", f"getting credentials: {why.text}", why.stderr) from None
        run.log(f"WARN unable to obtain a bearer token for the traffic-manager: {why.text}")
    except OutOfTime:
        raise Unreachable("silent", "context deadline exceeded") from None


def of_client_go(daemon: Daemon) -> Authenticator | None:
    """client-go's authenticator in the user daemon; None for a session whose kubeconfig has a token."""
    return next(reversed(daemon.authenticators.values()), None)


def keep_alive(run: Run, daemon: Daemon) -> None:
    """Call the traffic manager every few seconds, as 2.31 does: a token that is about to expire is renewed by that."""
    if run.new and daemon.managers:
        threading.Thread(target=_remain, args=(run, daemon), daemon=True).start()


def _remain(run: Run, daemon: Daemon) -> None:
    call = run.call.with_line(None)  # the CLI has ended
    while not daemon.ended.wait(_REMAIN):
        for authenticator in daemon.managers if daemon.state == "connected" else ():
            with suppress(PluginError, OutOfTime, CallerGone):  # the daemon logs it and goes on without a token
                authenticator.token(run.world, call)


def _authenticators(run: Run, daemon: Daemon, plugin: Plugin) -> list[Authenticator]:
    """One for each ask. client-go keeps its own as long as the process lives."""
    limit = (_LIMIT if run.world.profile.connect > 1 else _SHORT) if run.unix_sockets else None
    if plugin not in daemon.authenticators:
        daemon.authenticators[plugin] = Authenticator(plugin, daemon, limit=limit)
        daemon.of_root[plugin] = Authenticator(plugin, daemon, informed=False, limit=limit)
    daemon.managers = [
        Authenticator(plugin, daemon, informed=False, margin=_MARGIN) for _ in range(2 if run.new else 0)
    ]
    root = daemon.of_root[plugin]
    return [daemon.authenticators[plugin], *daemon.managers[:1], root, *daemon.managers[1:]]


def _log(run: Run) -> str:
    """The file that the plug-ins' stderr goes to."""
    path = Path(run.call.home, ".cache/telepresence/logs/connector.log")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(path) if os.access(path, os.W_OK) else os.devnull
