"""The port and the requests of an intercept, and conflicts with other intercepts."""

from __future__ import annotations

import re

from sandbox.standins.telepresence.run import Failure, Run
from sandbox.world.cluster import Cluster, Intercept, Port, Workload

_SPEC = "port must be of the format --port <local-port>[:<svcPortIdentifier>]"


def local_port(run: Run) -> tuple[int, str]:
    """The local port (0 if not given) and the Service port's name or number from `--port`."""
    text = run.parsed.value("port")
    if not text or text == "all":
        return 0, ""
    parts = text.split(":")
    shown = f'{_SPEC}, was "{text}"' if not run.old else _SPEC
    if len(parts) > 2 or not re.fullmatch(r"\d+", parts[0]) or not 0 < int(parts[0]) < 65536 or "" in parts:
        raise Failure(shown)
    return int(parts[0]), parts[1].split("/")[0] if len(parts) > 1 else ""


def first_port(workload: Workload) -> Port:
    return workload.ports[0] if workload.ports else Port("", 0, 0, 0)


def service_port(run: Run, workload: Workload, title: str, wanted: str, error: str) -> Port:
    """The Service port to intercept. Raises Failure if no port or more than one matches."""
    service = run.parsed.value("service")
    if workload.service is None:
        if run.old:
            raise Failure(
                f"{error}unable to find services that selects pod {workload.name}.{workload.namespace}", logs=True
            )
        raise Failure(f"{error}{title} has no interceptable port", bare=True)
    ports = _matching_ports(run, workload, wanted) if service in ("", workload.service) else []
    if not ports:
        criteria = ", ".join(f"{k} {v}" for k, v in (("service", service), ("port", wanted)) if v)
        raise Failure(f"{error}{title} has no interceptable port matching {criteria}", bare=True)
    if len(ports) > 1:
        what, how = ("service port", "svcPortName") if run.old else ("port", "portName/portNumber")
        raise Failure(
            f"{error}{title} has multiple interceptable {what}s.\nPlease specify the service and/or {what} you want to intercept "
            f"by passing the --service=<svc> and/or --port=<local:{how}> flag.",
            bare=True,
        )
    return ports[0]


def _matching_ports(run: Run, workload: Workload, wanted: str) -> list[Port]:
    """The ports with this name or number. 2.31 also accepts the container's port number."""
    ports = [p for p in workload.ports if wanted in ("", p.name, str(p.port))]
    if wanted and not ports and run.new:
        ports = [p for p in workload.ports if wanted == str(p.container)]
    return ports


def filters(run: Run) -> tuple[dict[str, str], list[tuple[str, str]]]:
    headers: dict[str, str] = {}
    for pair in run.parsed.values("http-header"):
        match = re.fullmatch(r"([^=:]+)(?:=|:\s*)(.*)", pair)
        if not match:
            raise Failure(
                f'invalid argument "{pair}" for "--http-header" flag: must be in the form KEY=VALUE or KEY: VALUE'
            )
        headers[match.group(1).strip()] = match.group(2)
    paths = [(k, v) for k in ("equal", "prefix", "regex") for v in run.parsed.values(f"http-path-{k}")]
    return headers, paths


def refuse_conflict(run: Run, cluster: Cluster, workload: Workload, intercept: Intercept, error: str) -> None:
    """Raise Failure if another intercept conflicts. An intercept of an ended client counts too."""
    with run.world.lock:
        others = [i for i in cluster.engaged(workload) if i.id != intercept.id]
    for other in others:
        if other.port.name != intercept.port.name and "replace" not in (intercept.kind, other.kind):
            continue
        if run.old:
            text = f'intercept in error state AGENT_ERROR: Conflicts with the currently-served intercept "{other.id}"'
            raise Failure(f"{error}Failed to establish intercept: {text}", logs=True)
        overlap = _overlap(run, intercept, other)
        if overlap:
            place = f'{other.id} on port {other.port.port} created by client "{other.client}"'
            raise Failure(f"{error}conflict with intercept {place}: {overlap}", bare=True)


def _overlap(run: Run, intercept: Intercept, other: Intercept) -> str:
    """Why the filters of two intercepts take the same requests, as 2.22 and newer say it. "" if they do not."""
    if not (other.headers or other.paths) or not (intercept.headers or intercept.paths):
        return "one intercept has no filters (intercepts all traffic)"
    mine, theirs = _lower(intercept.headers).items(), _lower(other.headers).items()
    if intercept.paths == other.paths and (mine <= theirs or theirs <= mine):
        return "header filters overlap" if run.new else "header filters form a subset"
    return ""


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {k.lower(): v for k, v in headers.items()}
