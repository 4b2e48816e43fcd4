"""The target of a connect and its checks: kubeconfig, API server, authorization, traffic manager, network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sandbox.standins import kubeconfig
from sandbox.standins.api_server import Session, Unreachable
from sandbox.standins.telepresence import credentials
from sandbox.standins.telepresence.daemon import Daemon
from sandbox.standins.telepresence.run import Failure, Run

NO_MANAGER = (
    "traffic manager not found, if it is not installed, please run 'telepresence helm install'. If it is installed, try "
    "connecting with a --manager-namespace to point telepresence to the namespace it's installed in."
)


@dataclass(frozen=True)
class Wanted:
    """The parameters of a connect."""

    context: str
    namespace: str
    server: str
    manager: str
    manager_given: bool
    mapped: tuple[str, ...]
    files: str

    @property
    def name(self) -> str:
        """The connection's name."""
        return f"{self.context}-{self.namespace}".replace("/", "-").replace(":", "-")


def wanted(run: Run) -> Wanted | str:
    """The parameters; or, as text, the error that the daemon reports."""
    flag = run.parsed.value("kubeconfig")
    try:
        config = kubeconfig.load(run.call, flag)
    except kubeconfig.Broken as why:
        raise Failure(str(why)) from None
    context = run.parsed.value("context") or config.current
    if context and context not in config.contexts:
        if config.empty and not run.parsed.value("context"):
            return "kubeconfig has no context definition"
        raise Failure(f"invalid configuration: context was not found for specified context: {context}")
    if config.empty:
        return "kubeconfig has no context definition"
    if not context:
        return 'context "" does not exist in the kubeconfig'
    manager = run.parsed.value("manager-namespace")
    requested = run.parsed.value("namespace") if run.parsed.command == "connect" else ""
    return Wanted(
        context,
        requested or config.namespace(context) or "default",
        config.server(context),
        manager or "ambassador",
        bool(manager),
        tuple(run.parsed.values("mapped-namespaces")),
        ":".join(config.files),
    )


def same(there: Daemon, want: Wanted, run: Run) -> bool:
    if there.implicit or there.context != want.context or there.namespace != want.namespace:
        return False
    if want.mapped and run.new and list(want.mapped) != there.mapped:
        return False
    return not run.unix_sockets or there.kubeconfig == want.files


def authenticate(run: Run, want: Wanted, daemon: Daemon) -> Session:
    """Authenticate to the API server. Raises Failure."""
    config = kubeconfig.load(run.call, run.parsed.value("kubeconfig"))
    try:
        return credentials.connect(run, daemon, config, want.context)
    except Unreachable as why:
        if why.stderr:
            run.log(why.stderr.rstrip("\n"))
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


def find_manager(run: Run, want: Wanted, session: Session) -> None:
    """Find the traffic manager, if the user may read it."""
    world, cluster = run.world, session.cluster
    error = "connector.Connect: " if run.unix_sockets else ""
    if session.role == "none":
        raise Failure(f"{error}unable to determine the traffic-manager namespace")
    if world.fault("rbac-manager"):
        if not want.manager_given:
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
            raise Failure(
                f"{error}traffic manager version 2.14.0 is too old. Minimum supported version is 2.21.0, please upgrade"
            )
        run.say(
            "The Traffic Manager version (v2.14.0) is more than 3 minor versions diff from client version "
            f"(v{run.version}), please consider upgrading."
        )
    if want.namespace not in cluster.namespaces:
        raise Failure(
            f'{error}namespace "{want.namespace}" not found'
            if not run.new
            else f'namespaces "{want.namespace}" not found'
        )


def set_up_network(run: Run, daemon: Daemon) -> None:
    error = "connector.Connect: " if run.unix_sockets else ""
    if run.world.fault("net-admin-missing"):
        raise Failure(f"{error}NewTunnelVIF: netlink.RuleAdd: operation not permitted", logs=True)
    if run.world.fault("tun-missing"):
        raise Failure(
            f"{error}NewTunnelVIF: failed to open TUN device /dev/net/tun: no such file or directory", logs=True
        )
    if run.world.fault("iptables-missing"):
        daemon.lost_network = True
        run.log('ERROR daemon/session/dns: exec: "iptables": executable file not found in $PATH', "daemon")


def check_config(run: Run) -> None:
    """Raise Failure for a broken config.yml: it fails every command."""
    path = Path(run.parsed.value("config") or Path(run.call.home, ".config/telepresence/config.yml"))
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
