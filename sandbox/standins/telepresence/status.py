"""telepresence status and version."""

from __future__ import annotations

import time
from typing import Any

from sandbox.protocol.call import Answer
from sandbox.standins.telepresence import shape
from sandbox.standins.telepresence.daemon import Daemon
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.world import rollout
from sandbox.world.cluster import Intercept

_SUBNETS = ["10.0.0.0/16", "10.244.0.0/16"]
_EXCLUDED = [".com", ".io", ".net", ".org", ".ru"]
# The root daemon's network in the JSON, from 2.29 and before (recorded with 2.31.0 and 2.19.1).
_ROOT_2_29: dict[str, Any] = {
    "dns": {"error": "", "local_addresses": ["127.0.0.1:41190"], "vif_address": "10.244.0.13:53",
            "exclude_suffixes": _EXCLUDED, "include_suffixes": [], "excludes": [], "mappings": [],
            "lookup_timeout": "4s", "recursion_check": False, "use_complex_lookup": False},
    "tunnel_transport": "grpc", "subnets": _SUBNETS, "also_proxy_subnets": [], "never_proxy_subnets": [],
    "allow_conflicting_subnets": [], "virtual_subnet": "246.246.0.0/16", "auto_resolve_conflicts": True,
    "managed": False, "use_tap": False,
}  # fmt: skip
_ROOT_BEFORE_2_29: dict[str, Any] = {
    "dns": {
        "local_ip": "10.98.0.1",
        "remote_ip": "10.244.0.13",
        "exclude_suffixes": _EXCLUDED,
        "lookup_timeout": 8000000000,
    },
    "subnets": _SUBNETS,
    "never_proxy_subnets": ["20.50.1.2/32"],
}


def status(run: Run) -> Answer:
    """Print the status. The exit code is always 0; no daemon is started."""
    if run.unix_sockets and run.world.fault("stale-sockets") and not run.user.notes.get("unstuck"):
        run.world.wait(run.call, 3.0)
        run.user.notes["unstuck"] = True
    if run.is_silent():
        run.world.hang(run.call)
    daemon = run.session()
    if daemon is None and run.new and (starting := run.starting()):
        if time.monotonic() - starting.launched < run.world.profile.connect / 2 + 1.0:
            raise Failure(f"open {run.call.home}/.cache/telepresence/rootd/daemon.json: no such file or directory")
        daemon = starting  # connected, without a namespace yet
    text, data = _status(run, daemon)
    names = run.user.notes.get("telepresence-names", [])
    if len(names) > 1:
        return run.object({"connections": [data] * len(names)}, text * len(names), clean=True)
    if run.parsed.on("multi-daemon"):
        return run.object({"connections": [data]}, text, clean=True)
    return run.object(data, text, clean=True)


def _status(run: Run, daemon: Daemon | None) -> tuple[str, dict[str, Any]]:
    lead = "" if run.old else "OSS "
    empty_manager = {"name": "", "traffic_agent": "", "version": ""}
    idle = run.idle()
    if daemon is None and idle is None:
        text = f"{lead}User Daemon: Not running\n{lead if run.new else ''}Root Daemon: Not running\nTraffic Manager: Not connected\n"
        if run.new:
            user: dict[str, Any] = {"running": False, "in_docker": False, "daemon_port": 0}
            return text, {
                "user_daemon": user,
                "root_daemon": {"managed": False, "running": False, "api_version": 0},
                "traffic_manager": empty_manager,
            }
        return text, {"root_daemon": {}, "traffic_manager": empty_manager, "user_daemon": {}}
    if daemon is None or daemon.lost_network:
        return _disconnected(run, daemon or idle)
    return _connected(run, daemon)


def _disconnected(run: Run, daemon: Any) -> tuple[str, dict[str, Any]]:
    rows = [
        ("Version", run.version),
        ("Executable", str(run.world.box / "bin/telepresence")),
        ("Install ID", run.user.install_id),
        ("Status", "Not connected"),
        ("Kubernetes server", ""),
        ("Kubernetes context", ""),
        ("Namespace", ""),
        ("Manager namespace", ""),
        ("Intercepts", "0 total"),
    ]
    text = "OSS User Daemon: Running\n" + shape.columns(rows, "  ")
    text += f"OSS Root Daemon: Running\n  Version: v{run.version}\nTraffic Manager: Not connected\n"
    return text, {
        "root_daemon": {"api_version": 3, "name": "OSS Root Daemon", "running": True, "version": f"v{run.version}"},
        "traffic_manager": {"name": "", "traffic_agent": "", "version": ""},
        "user_daemon": {
            "executable": str(run.world.box / "bin/telepresence"),
            "install_id": run.user.install_id,
            "name": daemon.name,
            "running": True,
            "status": "Not connected",
            "version": run.version,
        },
    }


def _connected(run: Run, daemon: Daemon) -> tuple[str, dict[str, Any]]:
    engaged = run.engaged_by(daemon)
    intercepts = [i for i in engaged if i.kind == "intercept"]
    replacements = [i for i in engaged if i.kind == "replace"]
    root_name = "OSS Root Daemon"
    image = rollout.agent_image(run.world)
    text = (
        "OSS User Daemon: Running\n"
        + shape.columns(_user_rows(run, daemon, intercepts), "  ")
        + f"{root_name}: Running\n"
        + shape.columns(_root_rows(run), "  ")
        + f"OSS Traffic Manager: Connected\n  Version      : v{run.version}\n  Traffic Agent: {image}\n"
    )
    root = {"running": True, "name": root_name, "version": f"v{run.version}", "api_version": 3}
    return text, {
        "user_daemon": _user_object(run, daemon, {"intercepts": intercepts, "replacements": replacements}),
        "root_daemon": root | (_ROOT_2_29 if run.new else _ROOT_BEFORE_2_29),
        "traffic_manager": {"name": "OSS Traffic Manager", "traffic_agent": image, "version": f"v{run.version}"},
    }


def _user_rows(run: Run, daemon: Daemon, intercepts: list[Intercept]) -> list[tuple[str, str]]:
    """The user daemon's lines in the text."""
    rows = [
        ("Version", run.version),
        ("Executable", str(run.world.box / "bin/telepresence")),
        ("Install ID", run.user.install_id),
        ("Status", "Connected"),
        ("Kubernetes server", daemon.server),
        ("Kubernetes context", daemon.context),
        ("Namespace", daemon.namespace),
        ("Manager namespace", daemon.manager_namespace),
    ]
    if not run.old or daemon.mapped_explicitly:
        rows.append(("Mapped namespaces", f"[{' '.join(daemon.mapped)}]"))
    if intercepts or run.old:
        names = "".join(f"\n    {i.name}: {i.client}" for i in intercepts)
        rows.append(("Intercepts", f"{len(intercepts)} total{names}"))
    return rows


def _user_object(run: Run, daemon: Daemon, groups: dict[str, list[Intercept]]) -> dict[str, Any]:
    """The user daemon's JSON."""
    user: dict[str, Any] = {
        "executable": str(run.world.box / "bin/telepresence"),
        "install_id": run.user.install_id,
        "kubernetes_context": daemon.context,
        "kubernetes_server": daemon.server,
        "manager_namespace": daemon.manager_namespace,
        "name": daemon.name,
        "namespace": daemon.namespace,
        "running": True,
        "status": "Connected",
        "version": run.version,
    }
    if not run.old or daemon.mapped_explicitly:
        user["mapped_namespaces"] = list(daemon.mapped)
    for key, members in groups.items():
        if members:
            user[key] = [{"name": i.name, "client": i.client} for i in members]
    if run.new:
        user |= {"in_docker": False, "daemon_port": 0}
    return user


def _root_rows(run: Run) -> list[tuple[str, str]]:
    """The root daemon's lines in the text."""
    if run.new:
        addresses = [("Local addresses", "[127.0.0.1:41190]"), ("VIF Address", "10.244.0.13:53")]
    else:
        addresses = [("Local IP", "10.98.0.1"), ("Remote IP", "10.244.0.13")]
    dns = [
        *addresses,
        ("Exclude suffixes", f"[{' '.join(_EXCLUDED)}]"),
        ("Include suffixes", "[]"),
        ("Timeout", "4s" if run.new else "8s"),
    ]
    dns_text = "".join(f"\n    {line}" for line in shape.columns(dns, "").splitlines())
    subnets = f"({len(_SUBNETS)} subnets)" + "".join(f"\n    - {subnet}" for subnet in _SUBNETS)
    rows = [("Version", f"v{run.version}"), ("DNS", dns_text)]
    if run.new:
        return [*rows, ("Tunnel transport", "grpc"), ("Subnets", subnets)]
    return [*rows, ("Subnets", subnets), ("Never Proxy", "(1 subnets)\n    - 20.50.1.2/32")]


def version(run: Run) -> Answer:
    """Print the versions of client, daemons and manager."""
    daemon, v = run.session(), f"v{run.version}"
    image = rollout.agent_image(run.world)
    if daemon is not None and run.new:
        rows = [("OSS Client", v), ("OSS User Daemon", v), ("OSS Traffic Manager", v), ("Traffic Agent", image)]
        data = {"client": v, "user_daemon": v, "traffic_manager": v, "traffic_agent": image}
    elif daemon is not None:
        rows = [
            ("OSS Client", v),
            ("OSS Root Daemon", v),
            ("OSS User Daemon", v),
            ("OSS Traffic Manager", v),
            ("Traffic Agent", image),
        ]
        data = {}
    elif run.idle() is not None:
        rows = [("OSS Client", v), ("OSS Root Daemon", v), ("OSS User Daemon", v), ("Traffic Manager", "not connected")]
        data = {}
    else:
        text = f"OSS Client : {v}\nRoot Daemon: not running\nUser Daemon: not running\n"
        data = {"client": v, "root_daemon": "not running", "user_daemon": "not running"}
        return run.object(data, text) if run.bare_json else run.text(text)
    text = shape.columns(rows, "")
    return run.object(data, text) if run.bare_json else run.text(text)
