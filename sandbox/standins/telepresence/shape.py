"""The text and JSON output of intercepts and workloads in each version."""

from __future__ import annotations

import base64
import time
from typing import Any

from sandbox.standins.telepresence.run import Run
from sandbox.world.cluster import Intercept, Workload


def columns(rows: list[tuple[str, str]], indent: str) -> str:
    """Format keys and values in two columns, as telepresence does."""
    width = max(len(k) for k, _ in rows)
    return "".join(f"{indent}{k.ljust(width)}: {v}\n" for k, v in rows)


def filter_text(made: Intercept) -> str:
    """The text for the requests that an intercept takes."""
    found = [f"header '{_canonical(k)}: {v}'" for k, v in made.headers.items()]
    found += [f"path {kind} {value}" for kind, value in made.paths]
    return f"HTTP requests with {' and '.join(found)}" if found else "all TCP connections"


def _canonical(header: str) -> str:
    return "-".join(p[:1].upper() + p[1:].lower() for p in header.split("-"))


def engaged_text(run: Run, made: Intercept, workload: Workload) -> str:
    """The indented block of an intercept, as after `Using Deployment x` and in `list`."""
    name = "Container name" if made.kind == "replace" else "Intercept name"
    shown = made.name.split("/")[-1] if made.kind == "replace" else made.name
    rows = [(name, shown), ("State", "ACTIVE"), ("Workload kind", workload.kind)]
    if run.old:
        rows.append(("Destination", f"{made.address}:{made.local_port}"))
        if made.by_service:
            rows.append(("Service Port Identifier", made.port.name or str(made.port.port)))
        if made.mount:
            rows.append(("Volume Mount Point", made.mount))
        rows.append(("Intercepting", filter_text(made)))
        return columns(rows, "   ")
    verb = "Port forwards" if made.kind == "replace" else "Intercepting"
    rows.append((verb, f"{made.pod_ip} -> {made.address}\n       {made.port.container} -> {made.local_port} TCP"))
    if made.mount:
        rows.insert(3, ("Volume Mount Point", made.mount))
    if made.headers or made.paths:
        rows.append((verb, filter_text(made)))
    return columns(rows, "   ")


def engaged_object(run: Run, made: Intercept, workload: Workload, environment: dict[str, str]) -> dict[str, Any]:
    """The JSON of `--detailed-output`."""
    port_id = made.port.name if not isinstance(made.port.target, int) else str(made.port.port)
    found: dict[str, Any] = {
        "id": made.id,
        "name": made.name,
        "disposition": "ACTIVE",
        "workload_kind": workload.kind,
        "target_host": made.address,
        "target_port": made.local_port,
    }
    if made.by_service:
        if not run.old:
            found["service_uid"] = workload.service_uid
        found["service_port_id"] = port_id
    if not run.old:
        if made.by_service:
            found["port_id"] = port_id
        found |= {"container_name": workload.container, "container_port": made.port.container, "protocol": "TCP"}
    found["environment"] = dict(sorted(environment.items()))
    mount: dict[str, Any] = {
        "remote_dir": f"/tel_app_exports/{workload.container}",
        "pod_ip": made.pod_ip,
        "port": 35603,
    }
    if run.old:
        found["mount"] = {**({"local_dir": made.mount} if made.mount else {}), **mount, "mounts": workload.mounts}
    elif made.mount:
        states = dict.fromkeys(workload.mounts, "Remote")
        found["mount"] = {"local_dir": made.mount, **mount, "mounts": states, "read_only": False}
    found["filter_desc"] = filter_text(made)
    if made.headers:
        found["header_filters"] = {k.lower(): v for k, v in made.headers.items()}
    found["global"] = not (made.headers or made.paths)
    if not run.old:
        found |= {"replace": made.kind == "replace", "wiretap": False, "pod_ip": made.pod_ip}
    return found


def workload_object(
    run: Run, workload: Workload, mine: list[Intercept], environments: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """The JSON of one element of `list`. Its environments contain all secrets of the pod."""
    found: dict[str, Any] = {"name": workload.name, "namespace": workload.namespace}
    if workload.injection == "disabled":
        found["not_interceptable_reason"] = "Unknown" if not run.old else "disabled by annotation"
    if mine:
        key = "intercept_infos" if run.old else "intercept_info"
        found[key] = [_info(run, i, workload, environments[i.id]) for i in mine]
    kind = workload.kind if not run.new else workload.kind.upper()
    found["workload_resource_type"] = kind
    agent = workload.agent
    if run.old:
        if workload.service:
            ports = [
                {**({"name": p.name} if not isinstance(p.target, int) else {}), "port": p.port} for p in workload.ports
            ]
            service = {"name": workload.service, "namespace": workload.namespace, "ports": ports}
            found["services"] = {workload.service_uid: service}
        found["uid"] = workload.uid
        if agent:
            found["sidecar"] = _sidecar(run, workload)
        return found
    found["uid"] = workload.uid
    if agent:
        found["agent_version"] = f"v{run.version}" if run.new else run.version
    if run.new:
        now = time.monotonic()
        found["desired_replicas"] = workload.replicas
        found["ready_replicas"] = sum(p.answers(now) for p in workload.pods)
        if agent and workload.service:
            ports = [{"name": p.name, "port": p.port, "target_port": str(p.target)} for p in workload.ports]
            found["services"] = [{"name": workload.service, "ports": ports}]
    return found


def _info(run: Run, made: Intercept, workload: Workload, environment: dict[str, str]) -> dict[str, Any]:
    port = made.port
    spec: dict[str, Any] = {
        "name": made.name,
        "client": made.client,
        "agent": workload.name,
        "workload_kind": workload.kind,
        "namespace": made.namespace,
        "mechanism": "http" if made.headers or made.paths else "tcp",
        "target_host": made.address,
        "target_port": made.local_port,
    }
    if made.by_service:
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
            "replace": made.kind == "replace",
            "wiretap": False,
            "no_default_port": made.kind == "replace",
        }
        if made.headers:
            spec["header_filters"] = {k.lower(): v for k, v in made.headers.items()}
        spec["plaintext"] = False
    if run.new:
        packed = bytes(int(p) for p in workload.service_ip.split("."))
        spec |= {"service_ips": [base64.b64encode(packed).decode()], "node_agent": False}
    manager = "cluster_id" if run.old else "manager_install_id"
    found: dict[str, Any] = {
        "spec": spec,
        "id": made.id,
        "client_session": {
            "session_id": made.session,
            manager: run.world.users["developer"].oid,
            "install_id": run.user.install_id,
        },
        "disposition": 1,
        "pod_name": made.pod,
        "pod_ip": made.pod_ip,
        "sftp_port": 35603,
        "ftp_port": 36611,
        "mount_point": f"/tel_app_exports/{workload.container}",
        "mechanism_args_desc": filter_text(made),
        "environment": environment,
        "modified_at": {"seconds": int(made.created), "nanos": int(made.created % 1 * 1e9)},
    }
    if not run.old:
        found |= {"api_port": 0, "mounts": dict.fromkeys(workload.mounts, 0)}
    return found


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
