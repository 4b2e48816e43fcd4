"""telepresence connect, explicit and implicit: daemons, credentials, traffic manager, session."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Answer, CallerGone
from sandbox.standins.telepresence.args import helps
from sandbox.standins.telepresence.child import start_child
from sandbox.standins.telepresence.credentials import keep_alive
from sandbox.standins.telepresence.daemon import Daemon, launch, stop
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.standins.telepresence.target import Wanted, authenticate, find_manager, same, set_up_network, wanted
from sandbox.world.cluster import new_id

_DIES_AFTER = 2.0  # seconds, with the fault container-root
_REFUSED_OF_FOUR = 3
CHANGED = "Cluster configuration changed, please quit telepresence and reconnect"


def connect(run: Run) -> Answer:
    """Run `telepresence connect`."""
    if run.parsed.arguments and not run.old:
        raise Failure(f'unknown command "{run.parsed.arguments[0]}" for "telepresence connect"')
    is_new = establish(run)
    if run.parsed.rest:
        return start_child(run, run.parsed.rest, {}, "connect" if is_new else "keep")
    return run.answer("")


def require(run: Run) -> Daemon:
    """The session that a command uses. Without one, telepresence connects implicitly, to the current context."""
    if len(run.user.notes.get("telepresence-names", [])) > 1 and not run.parsed.value("use"):
        first, second = run.user.notes["telepresence-names"][:2]
        raise Failure(f"multiple daemons are running, please select {first} or {second} using the --use <match> flag")
    daemon = run.session()
    if daemon is not None:
        if daemon.lost_network:
            raise Failure("rpc error: code = Unavailable desc = no active session", logs=True)
        _cross_network(run)
        return daemon
    if run.new and run.world.fault("status-wrong"):
        run.world.hang(run.call)
    if run.new and run.lost():
        raise Failure("telepresence user daemon is not running")
    establish(run, implicit=True)
    daemon = run.session()
    assert daemon is not None
    return daemon


def _cross_network(run: Run) -> None:
    """What the traffic manager must answer: without the API server nothing comes, and 2.31 gives up after 30 s or never."""
    if run.is_silent():
        run.world.hang(run.call)
    if run.world.fault("api-refused") or run.world.fault("dns") or not run.cluster.running:
        run.world.wait(run.call, 30.0)
        raise Failure("rpc error: code = DeadlineExceeded desc = context deadline exceeded")


def establish(run: Run, implicit: bool = False) -> bool:
    """Connect. Returns True for a new session, False for an existing one."""
    error = "" if run.new else "connector.Connect: "
    _dial_stale_socket(run)
    want = wanted(run)
    there = run.session()
    if there is not None and isinstance(want, Wanted) and _is_connected(run, there, want, error):
        return False
    if run.new and run.lost() and not implicit:
        run.world.wait(run.call, 0.1)
    began = time.monotonic()
    daemon, lines = _daemon(run)
    try:
        if lines:
            run.say("\n".join(lines))
        if implicit:
            _warn_implicit(run, want)
        end = began + _reach_cluster(run, daemon, want, error) + _duration(run)
        run.world.wait(run.call, max(0.0, end - time.monotonic()))
    except CallerGone:
        with run.world.lock:  # the CLI was killed: its daemons keep running
            daemon.orphan = run.new
            daemon.state = "connecting" if run.new else "idle"
        raise
    except Failure:
        _end_failed_daemon(run, daemon, want)
        raise
    _session(run, daemon, want, implicit)
    run.say(_connected(daemon))
    return True


def _duration(run: Run) -> float:
    """The seconds from start to end, without those of the credential plugin (recordings 60 and 61)."""
    return run.world.profile.connect + (3.0 if run.world.fault("connect-slow") else 0.0)


def _reach_cluster(run: Run, daemon: Daemon, want: Wanted | str, error: str) -> float:
    """Log in, find the traffic manager and set up the network. Returns the seconds of the login.

    `want` is the error text of an unusable kubeconfig.
    """
    if not isinstance(want, Wanted):
        raise Failure(want if want.startswith("stat ") else error + want)
    began = time.monotonic()
    session = authenticate(run, want, daemon)
    seconds = time.monotonic() - began
    find_manager(run, want, session)
    set_up_network(run, daemon)
    return seconds


def _end_failed_daemon(run: Run, daemon: Daemon, want: Wanted | str) -> None:
    """After a failed connect the daemons end, but those with Unix sockets keep running without a session."""
    if run.unix_sockets:
        daemon.state, daemon.name = "idle", want.name if isinstance(want, Wanted) else "in-cluster-default"
    else:
        stop(run.world, daemon)
        run.user.daemons.remove(daemon)


def _dial_stale_socket(run: Run) -> None:
    """Before 2.26, the first call after a container restart waits for a socket that no process serves."""
    if not run.new and run.unix_sockets and run.world.fault("stale-sockets") and not run.user.notes.get("unstuck"):
        run.world.wait(run.call, 3.0)
        run.user.notes["unstuck"] = True


def _is_connected(run: Run, there: Daemon, want: Wanted, error: str) -> bool:
    """Is the existing session the wanted one? Raises Failure if this version allows only one session."""
    if same(there, want, run):
        if not run.old:
            run.say(_connected(there))
        return True
    if run.unix_sockets or there.implicit:
        names = run.user.notes.setdefault("telepresence-names", [there.name])
        if run.old and want.name not in names:
            names.append(want.name)
        raise Failure(error + CHANGED, logs=True)
    return False


def _daemon(run: Run) -> tuple[Daemon, list[str]]:
    """Start the daemons, or use idle ones. Also returns what the CLI says about it."""
    there = run.idle()
    if there is not None:
        there.state, there.cli = "connecting", run.call.line
        return there, []
    home = run.call.home
    run.writes = True
    environ = dict(run.call.env)
    title, root = _titles(run, home)
    widow = next((d for d in run.user.daemons if d.root is not None and d.root.poll() is None), None)
    if widow is not None and run.world.fault("root-daemon-busy"):
        _reconnect_to_root_daemon(run)
    daemon = launch(run.world, run.user, environ, title, () if widow else root, run.call.line)
    lines = ["Launching Telepresence User Daemon"] if run.old else ["Launched Daemon"]
    if widow is not None:  # the root daemon of a killed user daemon serves the next one
        daemon.root, widow.root = widow.root, None
    elif run.old:
        lines.append("Launching Telepresence Root Daemon")
    _files(run, daemon)
    return daemon, lines


def _reconnect_to_root_daemon(run: Run) -> None:
    """Refuse in three of four tries, as 2.31 did when it connected elsewhere (facts-2.md)."""
    tries = run.user.notes["root-daemon-tries"] = run.user.notes.get("root-daemon-tries", 0) + 1
    if tries % (_REFUSED_OF_FOUR + 1):
        raise Failure("unable to reconnect to root daemon" if tries % 2 else "root daemon is reconnecting")


def _titles(run: Run, home: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arguments of the user daemon and of the root daemon, as an ordinary user's process table shows them."""
    if not run.new:
        return ("connector-foreground",), (
            "daemon-foreground",
            f"{home}/.cache/telepresence/logs",
            f"{home}/.config/telepresence",
        )
    config = ("--config", f"{home}/.config/telepresence/config.yml")
    cache = f"{home}/.cache/telepresence"
    user = ("userd", *config, "--address", f":{random.randint(33000, 46000)}")
    logs = ("--logfile", f"{cache}/logs/daemon.log", "--address", f":{random.randint(46000, 60000)}")
    return user, ("rootd", "--cache", cache, *config, *logs)


def _files(run: Run, daemon: Daemon) -> None:
    """Write the daemons' files in HOME. Like the real ones, it ignores a read-only HOME."""
    home = Path(run.call.home)
    try:
        (home / ".config/telepresence").mkdir(parents=True, exist_ok=True)
        (home / ".config/telepresence/id").write_text(run.user.install_id, encoding="utf-8")
        (home / ".cache/telepresence/userd").mkdir(parents=True, exist_ok=True)
        if run.new:
            (home / ".cache/telepresence/userd/daemon.json").write_text(
                f'{{"pid":{daemon.process.pid},"port":{daemon.title[-1].lstrip(":")}}}', encoding="utf-8"
            )
    except OSError:
        return
    run.log(
        f"{time.strftime('%Y-%m-%d %H:%M:%S')}.0000 INFO  userd: Telepresence User Daemon v{run.version} starting..."
    )


def _warn_implicit(run: Run, want: Wanted | str) -> None:
    usage = next(
        (s.strip() for s in helps(run.version)[run.parsed.command].splitlines() if s.startswith("  telepresence ")),
        f"telepresence {run.parsed.command}",
    )
    where = "take place"
    if run.new:
        where = f'namespace "{want.namespace if isinstance(want, Wanted) else "default"}"'
    run.warn(
        f'Warning: You are executing the "{usage}" command without a preceding "telepresence connect", causing an implicit '
        f"connect to {where}. The implicit connect behavior is deprecated and will be removed in a future release."
    )


def _session(run: Run, daemon: Daemon, want: Any, implicit: bool) -> None:
    with run.world.lock:
        key = (want.context, want.namespace, want.mapped)
        daemon.session = run.user.sessions.setdefault(key, new_id())
        daemon.key = key
        daemon.context, daemon.namespace, daemon.server = want.context, want.namespace, want.server
        daemon.manager_namespace, daemon.kubeconfig, daemon.name = want.manager, want.files, want.name
        daemon.mapped_explicitly = bool(want.mapped)
        cluster = run.world.cluster_at(want.server) or run.world.cluster
        daemon.mapped = list(want.mapped) or sorted(cluster.namespaces)
        daemon.implicit = implicit
        daemon.state, daemon.cli = "connected", None
        run.world.alive_sessions.add(daemon.session)
        run.writes = True
    keep_alive(run, daemon)
    if run.world.fault("container-root"):
        dies = threading.Timer(_DIES_AFTER, daemon.process.kill)
        dies.daemon = True
        dies.start()


def _connected(daemon: Daemon) -> str:
    return f"Connected to context {daemon.context}, namespace {daemon.namespace} ({daemon.server})"
