"""telepresence connect, also the implicit one: daemons, credentials, traffic manager, session."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.sandbox import kubeconfig
from tasks.sandbox.api import Session, Unreachable, reach
from tasks.sandbox.call import Answer, CallerGone
from tasks.sandbox.cluster import new_id
from tasks.sandbox.standins.telepresence_args import helps
from tasks.sandbox.standins.telepresence_daemon import Daemon, launch, stop
from tasks.sandbox.standins.telepresence_run import Failure, Run

CHANGED = "Cluster configuration changed, please quit telepresence and reconnect"
NO_MANAGER = (
    "traffic manager not found, if it is not installed, please run 'telepresence helm install'. If it is installed, try "
    "connecting with a --manager-namespace to point telepresence to the namespace it's installed in."
)


@dataclass(frozen=True)
class Wanted:
    """What a connect asks for."""

    context: str
    namespace: str
    server: str
    manager: str
    manager_asked: bool
    mapped: tuple[str, ...]
    files: str

    @property
    def name(self) -> str:
        """The connection's name."""
        return f"{self.context}-{self.namespace}".replace("/", "-").replace(":", "-")


def connect(run: Run) -> Answer:
    """The command."""
    if run.parsed.arguments and not run.old:
        raise Failure(f'unknown command "{run.parsed.arguments[0]}" for "telepresence connect"')
    found = establish(run)
    if run.parsed.rest:
        from tasks.sandbox.standins.telepresence_child import start_child

        return start_child(run, run.parsed.rest, {}, "connect" if found else "keep")
    return run.answer("")


def require(run: Run) -> Daemon:
    """The session that this command works with; without one the program connects by itself, to wherever it points."""
    if len(run.user.notes.get("telepresence-names", [])) > 1 and not run.parsed.one("use"):
        first, second = run.user.notes["telepresence-names"][:2]
        raise Failure(f"multiple daemons are running, please select {first} or {second} using the --use <match> flag")
    daemon = run.session()
    if daemon is not None:
        if daemon.lost_network:
            raise Failure("rpc error: code = Unavailable desc = no active session", logs=True)
        return daemon
    if run.new and run.world.fault("status-lies"):
        run.world.hang(run.call)
    if run.new and run.lost():
        raise Failure("telepresence user daemon is not running")
    establish(run, implicit=True)
    made = run.session()
    assert made is not None
    return made


def establish(run: Run, implicit: bool = False) -> bool:
    """Connect. True when this call made the session, False when it was there."""
    error = "" if run.new else "connector.Connect: "
    if not run.new and run.unix_sockets and run.world.fault("stale-sockets") and not run.user.notes.get("unstuck"):
        run.world.wait(run.call, 3.0)  # the dial to a socket without a process
        run.user.notes["unstuck"] = True
    want = _wanted(run)
    there = run.session()
    if there is not None and isinstance(want, Wanted):
        if _same(there, want, run):
            if not run.old:
                run.say(_connected(there))
            return False
        if run.unix_sockets or there.implicit:
            names = run.user.notes.setdefault("telepresence-names", [there.name])
            if run.old and want.name not in names:
                names.append(want.name)
            raise Failure(error + CHANGED, logs=True)
    if run.new and run.lost() and not implicit:
        run.world.wait(run.call, 0.1)
    began = time.monotonic()
    daemon = _daemon(run)
    if implicit:
        _warn_implicit(run, want)
    try:
        if not isinstance(want, Wanted):
            raise Failure(error + want if not want.startswith("stat ") else want)
        session = _reach(run, want)
        _manager(run, want, session)
        _network(run, daemon)
        run.world.wait(run.call, max(0.0, run.world.profile.connect - (time.monotonic() - began)))
    except CallerGone:
        with run.world.lock:  # the CLI was killed: its daemons live on
            daemon.orphan = run.new
            daemon.state = "connecting" if run.new else "idle"
        raise
    except Failure:
        if run.unix_sockets:
            daemon.state, daemon.name = "idle", want.name if isinstance(want, Wanted) else "in-cluster-default"
        else:
            stop(run.world, daemon)
            run.user.daemons.remove(daemon)
        raise
    _session(run, daemon, want, implicit)
    run.say(_connected(daemon))
    return True


def _wanted(run: Run) -> Wanted | str:
    """What is asked for; a text is the error that only the daemon finds out."""
    flag = run.parsed.one("kubeconfig")
    try:
        config = kubeconfig.load(run.call, flag)
    except kubeconfig.Broken as why:
        raise Failure(str(why)) from None
    context = run.parsed.one("context") or config.current
    if context and context not in config.contexts:
        if config.empty and not run.parsed.one("context"):
            return "kubeconfig has no context definition"
        raise Failure(f"invalid configuration: context was not found for specified context: {context}")
    if config.empty:
        return "kubeconfig has no context definition"
    if not context:
        return 'context "" does not exist in the kubeconfig'
    manager = run.parsed.one("manager-namespace")
    asked = run.parsed.one("namespace") if run.parsed.command == "connect" else ""
    return Wanted(
        context,
        asked or config.namespace(context) or "default",
        config.server(context),
        manager or "ambassador",
        bool(manager),
        tuple(run.parsed.many("mapped-namespaces")),
        ":".join(config.files),
    )


def _same(there: Daemon, want: Wanted, run: Run) -> bool:
    if there.implicit or there.context != want.context or there.namespace != want.namespace:
        return False
    if want.mapped and run.new and list(want.mapped) != there.mapped:
        return False
    return not run.unix_sockets or there.kubeconfig == want.files


def _daemon(run: Run) -> Daemon:
    """Start the daemons, or take those that run without a session."""
    there = run.idle()
    if there is not None:
        there.state = "connecting"
        return there
    home = run.call.home
    run.writes = True
    environ = dict(run.call.env)
    if run.new:
        import random

        port = random.randint(33000, 60000)
        title = ("userd", "--config", f"{home}/.config/telepresence/config.yml", "--embed-network", "--address", f":{port}")
        made = launch(run.world, run.user, environ, title)
        run.say("Launched Daemon")
    else:
        root = ("daemon-foreground", f"{home}/.cache/telepresence/logs", f"{home}/.config/telepresence")
        made = launch(run.world, run.user, environ, ("connector-foreground",), root)
        run.say("Launching Telepresence User Daemon\nLaunching Telepresence Root Daemon" if run.old else "Launched Daemon")
    _files(run, made)
    return made


def _files(run: Run, daemon: Daemon) -> None:
    """What the daemons leave in HOME; a HOME that cannot be written is ignored, as by the real ones."""
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
    run.log(f"{time.strftime('%Y-%m-%d %H:%M:%S')}.0000 INFO  userd: Telepresence User Daemon v{run.version} starting...")


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


def _reach(run: Run, want: Wanted) -> Session:
    """Ask the API server, as the program does: it starts the credential plug-in four times in a row."""
    config = kubeconfig.load(run.call, run.parsed.one("kubeconfig"))
    try:
        for _ in range(3 if config.user(want.context).get("exec") else 0):
            reach(run.world, run.call, config, want.context, timeout=20.0)
        return reach(run.world, run.call, config, want.context, timeout=20.0)
    except Unreachable as why:
        if why.said:
            run.log(why.said.rstrip("\n"))
        run.log(f"ERROR unable to track k8s cluster: {why.text}")
        raise Failure(_unreachable(run, want, why), logs=True) from None


def _unreachable(run: Run, want: Wanted, why: Unreachable) -> str:
    url = f"{want.server}/version"
    if run.unix_sockets:
        if why.kind == "silent":
            config = f"{run.call.home}/.config/telepresence/config.yml"
            return (
                "connector.Connect: the cluster connect timed out.  The current timeout 20s can be configured as "
                f'"timeouts.clusterConnect" in "{config}"'
            )
        body = why.text if why.kind == "unauthorized" else f'Get "{url}": {why.text}'
        return f"connector.Connect: initial cluster check failed: {body}"
    reason = {
        "refused": "the API server refused the connection",
        "unauthorized": "authentication was rejected; your cluster credentials may have expired",
    }.get(why.kind, f'Get "{url}": {why.text}')
    return (
        f'unable to reach the Kubernetes cluster for context "{want.context}" at {want.server}: {reason}. Verify that the '
        f'cluster still exists and that your kubeconfig context "{want.context}" points at it (try `kubectl --context '
        f"{want.context} cluster-info`)."
    )


def _manager(run: Run, want: Wanted, session: Session) -> None:
    """Find the traffic manager, with the user's rights."""
    world, cluster = run.world, session.cluster
    error = "connector.Connect: " if run.unix_sockets else ""
    if session.role == "none":
        raise Failure(f"{error}unable to determine the traffic-manager namespace")
    if world.fault("rbac-manager"):
        if not want.manager_asked:
            raise Failure(error + NO_MANAGER)
        lead = f"{error}unable to get service traffic-manager in {want.manager}: " if run.old else error
        raise Failure(
            f'{lead}services "traffic-manager" is forbidden: User "{session.name}" cannot get resource "services" in API '
            f'group "" in the namespace "{want.manager}"'
        )
    if world.fault("manager-missing") or not cluster.manager or want.manager != cluster.manager_namespace:
        raise Failure(error + NO_MANAGER)
    if world.fault("manager-old"):
        if not run.old:
            raise Failure(f"{error}traffic manager version 2.14.0 is too old. Minimum supported version is 2.21.0, please upgrade")
        run.say(
            "The Traffic Manager version (v2.14.0) is more than 3 minor versions diff from client version "
            f"(v{run.version}), please consider upgrading."
        )
    if want.namespace not in cluster.namespaces:
        raise Failure(f'{error}namespace "{want.namespace}" not found' if not run.new else f'namespaces "{want.namespace}" not found')


def _network(run: Run, daemon: Daemon) -> None:
    error = "connector.Connect: " if run.unix_sockets else ""
    if run.world.fault("net-admin-missing"):
        raise Failure(f"{error}NewTunnelVIF: netlink.RuleAdd: operation not permitted", logs=True)
    if run.world.fault("tun-missing"):
        raise Failure(f"{error}NewTunnelVIF: failed to open TUN device /dev/net/tun: no such file or directory", logs=True)
    if run.world.fault("iptables-missing"):
        daemon.lost_network = True
        run.log('ERROR daemon/session/dns: exec: "iptables": executable file not found in $PATH', "daemon")


def _session(run: Run, daemon: Daemon, want: Any, implicit: bool) -> None:
    with run.world.lock:
        key = (want.context, want.namespace, want.mapped)
        daemon.session = run.user.sessions.setdefault(key, new_id())
        daemon.key = key
        daemon.context, daemon.namespace, daemon.server = want.context, want.namespace, want.server
        daemon.manager_namespace, daemon.kubeconfig, daemon.name = want.manager, want.files, want.name
        daemon.mapped_asked = bool(want.mapped)
        cluster = run.world.cluster_at(want.server) or run.world.cluster
        daemon.mapped = list(want.mapped) or sorted(cluster.namespaces)
        daemon.implicit = implicit
        daemon.state = "connected"
        run.world.alive_sessions.add(daemon.session)
        run.writes = True


def _connected(daemon: Daemon) -> str:
    return f"Connected to context {daemon.context}, namespace {daemon.namespace} ({daemon.server})"


def check_config(run: Run) -> None:
    """A broken config.yml fails every command."""
    path = Path(run.parsed.one("config") or Path(run.call.home, ".config/telepresence/config.yml"))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return
    import yaml

    try:
        yaml.safe_load(text)
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)
        raise Failure(f"yaml: line {mark.line + 1 if mark else 1}: {getattr(why, 'problem', '') or why}") from None
