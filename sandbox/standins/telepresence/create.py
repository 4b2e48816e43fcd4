"""The creation of an intercept or a replacement: what is refused, the agent's injection, the mounts."""

from __future__ import annotations

import os
import time

from sandbox.standins import kubeconfig
from sandbox.standins.api_server import Unreachable, reach
from sandbox.standins.telepresence.credentials import of_client_go
from sandbox.standins.telepresence.daemon import Daemon
from sandbox.standins.telepresence.ports import filters, first_port, local_port, refuse_conflict, service_port
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.world import rollout
from sandbox.world.cluster import Cluster, Intercept, Workload

_ERROR = "connector.CreateIntercept: "


def create(run: Run, daemon: Daemon) -> Intercept:
    """Create what the command line describes, and wait until this version reports it as active."""
    cluster = run.cluster
    workload, intercept = _requested(run, cluster, daemon)
    refuse_conflict(run, cluster, workload, intercept, _ERROR)
    _refuse_expired_login(run, daemon)
    active = _route(run, cluster, workload, intercept)
    try:
        run.world.wait(run.call, max(0.0, active - time.monotonic()))
    finally:  # the intercept stays if the CLI is killed meanwhile
        _mount(run, intercept)
    return intercept


def _requested(run: Run, cluster: Cluster, daemon: Daemon) -> tuple[Workload, Intercept]:
    """The workload and the intercept that the command line describes. Raises Failure for what telepresence refuses."""
    parsed = run.parsed
    replaces = parsed.command == "replace"
    namespace = parsed.value("namespace") or daemon.namespace
    wanted_workload = parsed.value("workload") or parsed.arguments[0]
    workload = cluster.workload(namespace, wanted_workload)
    local, wanted_port = local_port(run)
    if workload is None:
        raise Failure(f'{_ERROR}workload "{wanted_workload}.{namespace}" not found', bare=True)
    container = parsed.value("container") or workload.container
    name = f"{workload.name}/{container}" if replaces else parsed.arguments[0]
    engaged = run.engaged_by(daemon)
    _refuse_existing(run, engaged, name)
    title = f"{workload.kind} {workload.name}.{namespace}"
    port = first_port(workload) if replaces else service_port(run, workload, title, wanted_port, _ERROR)
    local = local or (8080 if run.old else port.container)
    address = parsed.value("address") or "127.0.0.1"
    _refuse_taken_port(run, engaged, address, local)
    if workload.injection == "disabled":
        raise Failure(f"{_ERROR}{title} is not interceptable", bare=True)
    headers, paths = filters(run)
    return workload, Intercept(
        id=f"{daemon.session}:{name}",
        name=name,
        workload=workload.name,
        namespace=namespace,
        client=run.user.client,
        session=daemon.session,
        user=run.user.key,
        port=port,
        local_port=local,
        address=address,
        headers=headers,
        paths=paths,
        kind=parsed.command,
        by_service=not replaces,
    )


def _refuse_existing(run: Run, engaged: list[Intercept], name: str) -> None:
    """Raise Failure if this session already has an intercept or a replacement with this name."""
    if any(i.name == name and i.kind == run.parsed.command for i in engaged):
        subject = "Intercept" if run.old else "intercept"
        raise Failure(f'{_ERROR}{subject} with name "{name}" already exists', bare=True)


def _refuse_taken_port(run: Run, engaged: list[Intercept], address: str, local: int) -> None:
    """Raise Failure if another intercept of this session leads to the same local port."""
    for intercept in engaged:
        if (intercept.address, intercept.local_port) != (address, local):
            continue
        subject, tail = ("Port", f': id = "{intercept.id}"') if run.old else ("port", "")
        raise Failure(
            f"{_ERROR}{subject} {address}:{local} is already in use by intercept {intercept.name}{tail}", bare=True
        )


def _route(run: Run, cluster: Cluster, workload: Workload, intercept: Intercept) -> float:
    """Inject the agent and add the intercept. Returns when it is reported as active (time.monotonic())."""
    world = run.world
    began = time.monotonic()
    run.writes = True
    has_agent = bool(workload.pods) and all(p.agent for p in workload.pods if p.gone is None)
    active = began + (world.profile.intercept if has_agent else world.profile.first_intercept)
    intercept.routed = rollout.inject(world, workload, active, evicts=not run.old)
    agent_never = world.fault("agent-never")
    if not _add(run, cluster, workload, intercept, awaits_agent=agent_never and not has_agent and not run.old):
        world.wait(run.call, 30.0 if world.profile.connect > 1 else 1.0)
        agent = f"{workload.name}.{intercept.namespace}"
        raise Failure(f"{_ERROR}request timed out while waiting for agent {agent} to arrive", bare=True)
    if run.old and agent_never:
        intercept.routed = float("inf")  # the intercept is ACTIVE, but all traffic stays with the old pod
    return active


def _add(run: Run, cluster: Cluster, workload: Workload, intercept: Intercept, awaits_agent: bool) -> bool:
    """Add the intercept to the cluster. Returns False if no agent serves it."""
    with run.world.lock:
        live = [p for p in workload.pods if p.gone is None]
        if live:
            intercept.pod, intercept.pod_ip = live[-1].name, live[-1].ip
        if not live or awaits_agent:
            return False
        cluster.intercepts.append(intercept)
        return True


def _refuse_expired_login(run: Run, daemon: Daemon) -> None:
    """Fail if the login expired during the session: a new intercept times out without naming the reason.

    While such a fault is on, the session's token counts as expired: a real one lives for more than an hour.
    """
    authenticator = of_client_go(daemon)
    if authenticator is None:
        return
    if run.world.login_fault() or run.world.fault("login-gone"):
        authenticator.forget()
    if not authenticator.is_due:
        return
    try:
        reach(run.world, run.call, kubeconfig.load(run.call), daemon.context, authenticator=authenticator)
        return
    except (Unreachable, kubeconfig.Broken, KeyError) as why:
        run.log(getattr(why, "stderr", "") or str(why))
    run.world.wait(run.call, 32.0 if run.world.profile.connect > 1 else 1.0)
    config = f"{run.call.home}/.config/telepresence/config.yml"
    text = f'the intercept timed out.  The current timeout 30s can be configured as "timeouts.intercept" in "{config}"'
    raise Failure(f"{_ERROR}failed to establish intercept: {text}", bare=True)


def _mount(run: Run, intercept: Intercept) -> None:
    """Create plain folders for the pod's volumes: a sandbox mounts nothing."""
    mount = run.parsed.value("mount", "true").removesuffix(":ro")
    if mount in ("false", "0", ""):
        return
    intercept.mount = (
        mount if mount.startswith("/") else str(run.world.box / "tmp" / f"telfs-{abs(hash(intercept.id)) % 10**9}")
    )
    workload = run.cluster.workload(intercept.namespace, intercept.workload)
    try:
        for volume in workload.mounts if workload else []:
            os.makedirs(intercept.mount + volume, exist_ok=True)
    except OSError as why:
        run.log(f"ERROR mount {intercept.mount}: {why}")
