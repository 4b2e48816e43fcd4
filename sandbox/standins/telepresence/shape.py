"""The text and JSON output of intercepts and workloads in each version."""

from __future__ import annotations

import base64
import time
from typing import Any

from sandbox.standins.telepresence.run import Run
from sandbox.world.cluster import Intercept, Port, Workload


def columns(rows: list[tuple[str, str]], indent: str) -> str:
    """Format keys and values in two columns, as telepresence does."""
    width = max(len(k) for k, _ in rows)
    return "".join(f"{indent}{k.ljust(width)}: {v}\n" for k, v in rows)


def filter_text(intercept: Intercept) -> str:
    """The text for the requests that an intercept takes."""
    filters = [f"header '{_canonical(k)}: {v}'" for k, v in intercept.headers.items()]
    filters += [f"path {kind} {value}" for kind, value in intercept.paths]
    return f"HTTP requests with {' and '.join(filters)}" if filters else "all TCP connections"


def _canonical(header: str) -> str:
    return "-".join(p[:1].upper() + p[1:].lower() for p in header.split("-"))


def engaged_text(run: Run, intercept: Intercept, workload: Workload) -> str:
    """The indented block of an intercept, as after `Using Deployment x` and in `list`."""
    name = "Container name" if intercept.kind == "replace" else "Intercept name"
    shown = intercept.name.split("/")[-1] if intercept.kind == "replace" else intercept.name
    rows = [(name, shown), ("State", "ACTIVE"), ("Workload kind", workload.kind)]
    if run.old:
        rows.append(("Destination", f"{intercept.address}:{intercept.local_port}"))
        if intercept.by_service:
            rows.append(("Service Port Identifier", intercept.port.name or str(intercept.port.port)))
        if intercept.mount:
            rows.append(("Volume Mount Point", intercept.mount))
        rows.append(("Intercepting", filter_text(intercept)))
        return columns(rows, "   ")
    verb = "Port forwards" if intercept.kind == "replace" else "Intercepting"
    rows.append(
        (
            verb,
            f"{intercept.pod_ip} -> {intercept.address}\n       {intercept.port.container} -> {intercept.local_port} TCP",
        )
    )
    if intercept.mount:
        rows.insert(3, ("Volume Mount Point", intercept.mount))
    if intercept.headers or intercept.paths:
        rows.append((verb, filter_text(intercept)))
    return columns(rows, "   ")


def engaged_object(run: Run, intercept: Intercept, workload: Workload, environment: dict[str, str]) -> dict[str, Any]:
    """The JSON of `--detailed-output`."""
    port_id = intercept.port.name if not isinstance(intercept.port.target, int) else str(intercept.port.port)
    document: dict[str, Any] = {
        "id": intercept.id,
        "name": intercept.name,
        "disposition": "ACTIVE",
        "workload_kind": workload.kind,
        "target_host": intercept.address,
        "target_port": intercept.local_port,
    }
    if intercept.by_service:
        if not run.old:
            document["service_uid"] = workload.service_uid
        document["service_port_id"] = port_id
    if not run.old:
        if intercept.by_service:
            document["port_id"] = port_id
        document |= {
            "container_name": workload.container,
            "container_port": intercept.port.container,
            "protocol": "TCP",
        }
    document["environment"] = dict(sorted(environment.items()))
    mount: dict[str, Any] = {
        "remote_dir": f"/tel_app_exports/{workload.container}",
        "pod_ip": intercept.pod_ip,
        "port": 35603,
    }
    if run.old:
        document["mount"] = {
            **({"local_dir": intercept.mount} if intercept.mount else {}),
            **mount,
            "mounts": workload.mounts,
        }
    elif intercept.mount:
        states = dict.fromkeys(workload.mounts, "Remote")
        document["mount"] = {"local_dir": intercept.mount, **mount, "mounts": states, "read_only": False}
    document["filter_desc"] = filter_text(intercept)
    if intercept.headers:
        document["header_filters"] = {k.lower(): v for k, v in intercept.headers.items()}
    document["global"] = not (intercept.headers or intercept.paths)
    if not run.old:
        document |= {"replace": intercept.kind == "replace", "wiretap": False, "pod_ip": intercept.pod_ip}
    return document


def workload_object(
    run: Run, workload: Workload, mine: list[Intercept], environments: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """The JSON of one element of `list`. Its environments contain all secrets of the pod."""
    document: dict[str, Any] = {"name": workload.name, "namespace": workload.namespace}
    if workload.injection == "disabled":
        document["not_interceptable_reason"] = "Unknown" if not run.old else "disabled by annotation"
    if mine:
        key = "intercept_infos" if run.old else "intercept_info"
        document[key] = [_info(run, i, workload, environments[i.id]) for i in mine]
    document["workload_resource_type"] = workload.kind if not run.new else workload.kind.upper()
    return document | (_workload_before_2_22(run, workload) if run.old else _workload(run, workload))


def _workload_before_2_22(run: Run, workload: Workload) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if workload.service:
        ports = [_port(p) for p in workload.ports]
        service = {"name": workload.service, "namespace": workload.namespace, "ports": ports}
        document["services"] = {workload.service_uid: service}
    document["uid"] = workload.uid
    if workload.agent:
        document["sidecar"] = _sidecar(run, workload)
    return document


def _port(port: Port) -> dict[str, Any]:
    """A Service port. A numeric one has no name here."""
    name = {} if isinstance(port.target, int) else {"name": port.name}
    return {**name, "port": port.port}


def _workload(run: Run, workload: Workload) -> dict[str, Any]:
    document: dict[str, Any] = {"uid": workload.uid}
    if workload.agent:
        document["agent_version"] = f"v{run.version}" if run.new else run.version
    if run.new:
        now = time.monotonic()
        document["desired_replicas"] = workload.replicas
        document["ready_replicas"] = sum(p.answers(now) for p in workload.pods)
        if workload.agent and workload.service:
            ports = [{"name": p.name, "port": p.port, "target_port": str(p.target)} for p in workload.ports]
            document["services"] = [{"name": workload.service, "ports": ports}]
    return document


def _info(run: Run, intercept: Intercept, workload: Workload, environment: dict[str, str]) -> dict[str, Any]:
    port = intercept.port
    spec: dict[str, Any] = {
        "name": intercept.name,
        "client": intercept.client,
        "agent": workload.name,
        "workload_kind": workload.kind,
        "namespace": intercept.namespace,
        "mechanism": "http" if intercept.headers or intercept.paths else "tcp",
        "target_host": intercept.address,
        "target_port": intercept.local_port,
    }
    if intercept.by_service:
        spec |= {
            ("service_port_identifier" if run.old else "port_identifier"): port.name,
            "service_port_name": port.name,
            "service_port": port.port,
            "service_uid": workload.service_uid,
            "service_name": workload.service,
        }
    else:
        spec["service_port"] = 0
    if not run.old:
        spec |= {"protocol": "TCP", "container_name": workload.container, "container_port": port.container}
    spec |= {"roundtrip_latency": 4000000000, "dial_timeout": 3000000000}
    if not run.old:
        spec |= {
            "replace": intercept.kind == "replace",
            "wiretap": False,
            "no_default_port": intercept.kind == "replace",
        }
        if intercept.headers:
            spec["header_filters"] = {k.lower(): v for k, v in intercept.headers.items()}
        spec["plaintext"] = False
    if run.new:
        packed = bytes(int(p) for p in workload.service_ip.split("."))
        spec |= {"service_ips": [base64.b64encode(packed).decode()], "node_agent": False}
    manager = "cluster_id" if run.old else "manager_install_id"
    document: dict[str, Any] = {
        "spec": spec,
        "id": intercept.id,
        "client_session": {
            "session_id": intercept.session,
            manager: run.world.users["developer"].oid,
            "install_id": run.user.install_id,
        },
        "disposition": 1,
        "pod_name": intercept.pod,
        "pod_ip": intercept.pod_ip,
        "sftp_port": 35603,
        "ftp_port": 36611,
        "mount_point": f"/tel_app_exports/{workload.container}",
        "mechanism_args_desc": filter_text(intercept),
        "environment": environment,
        "modified_at": {"seconds": int(intercept.created), "nanos": int(intercept.created % 1 * 1e9)},
    }
    if not run.old:
        document |= {"api_port": 0, "mounts": dict.fromkeys(workload.mounts, 0)}
    return document


def _sidecar(run: Run, workload: Workload) -> dict[str, Any]:
    ports = [
        {
            "containerPortName": p.name,
            "serviceName": workload.service,
            "serviceUID": workload.service_uid,
            "servicePortName": p.name,
            "protocol": "TCP",
            "containerPort": p.container,
            "servicePort": p.port,
            "agentPort": 9900 + number,
        }
        for number, p in enumerate(workload.ports)
    ]
    return {
        "agentImage": f"docker.io/datawire/tel2:{run.version}",
        "agentName": workload.name,
        "namespace": workload.namespace,
        "logLevel": "info",
        "workloadName": workload.name,
        "workloadKind": workload.kind,
        "managerHost": f"traffic-manager.{run.cluster.manager_namespace}",
        "managerPort": 8081,
        "containers": [{"name": workload.container, "intercepts": ports, "envPrefix": "A_"}],
    }
