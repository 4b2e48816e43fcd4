"""telepresence intercept, replace, leave and revoke."""

from __future__ import annotations

import os
import shutil
import signal
import time
from typing import Any

from sandbox.protocol.call import Answer
from sandbox.standins import kubeconfig
from sandbox.standins.api_server import Unreachable, reach
from sandbox.standins.telepresence import shape
from sandbox.standins.telepresence.child import start_child
from sandbox.standins.telepresence.connect import require
from sandbox.standins.telepresence.daemon import Daemon
from sandbox.standins.telepresence.env import pod_environment, write_files
from sandbox.standins.telepresence.ports import filters, first_port, local_port, refuse_conflict, service_port
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.world import rollout
from sandbox.world.cluster import Cluster, Intercept


def engage(run: Run) -> Answer:
    """Create an intercept or a replacement."""
    _arguments(run)
    daemon = require(run)
    intercept = _create(run, daemon)
    cluster = run.cluster
    workload = cluster.workload(intercept.namespace, intercept.workload)
    assert workload is not None
    environment = pod_environment(run, daemon, workload, intercept)
    run.say(f"Using {workload.kind} {workload.name}")
    try:
        write_files(run, environment)
    except Failure:  # the intercept already exists and stays
        run.writes = True
        raise
    if run.parsed.rest:
        text = shape.engaged_text(run, intercept, workload)
        run.world.emit(run.call, text)
        return start_child(run, run.parsed.rest, environment, f"leave {intercept.id}")
    detail = shape.engaged_object(run, intercept, workload, environment)
    if run.format and run.parsed.on("detailed-output"):
        return run.object(detail, "", clean=True)
    if run.format and run.old:
        return run.text(f"Using {workload.kind} {workload.name}\n{shape.engaged_text(run, intercept, workload)}")
    if run.format:
        return run.answer("")
    return run.answer(shape.engaged_text(run, intercept, workload))


def _arguments(run: Run) -> None:
    """Check the arguments before any daemon is started."""
    parsed = run.parsed
    if len(parsed.arguments) > 1:
        if run.old:
            raise Failure("commands to be run with intercept must come after options")
        raise Failure(
            f'{parsed.command} expects exactly one argument (flags and arguments to docker must be added after "--"'
        )
    syntax = parsed.value("env-syntax", "docker")
    if syntax.split(":")[0] not in ("docker", "compose", "sh", "csh", "ps", "cmd", "json"):
        raise Failure(f'invalid argument "{syntax}" for "--env-syntax" flag: invalid env syntax: {syntax}')
    if parsed.command == "intercept" and "replace" in parsed.flags and not run.old:
        run.err.append("Flag --replace has been deprecated, Use the replace command.\n")
    for name in ("namespace", "local-only"):
        if run.old and name in parsed.flags:
            run.say(f"Flag --{name} has been deprecated, use telepresence connect to set the namespace")


def _create(run: Run, daemon: Daemon) -> Intercept:
    kind = run.parsed.command
    error = "connector.CreateIntercept: "
    world, cluster = run.world, run.cluster
    name = run.parsed.arguments[0]
    namespace = run.parsed.value("namespace") or daemon.namespace
    workload = cluster.workload(namespace, run.parsed.value("workload") or name)
    local, wanted = local_port(run)
    if workload is None:
        raise Failure(f'{error}workload "{run.parsed.value("workload") or name}.{namespace}" not found', bare=True)
    if kind == "replace":
        name = f"{workload.name}/{run.parsed.value('container') or workload.container}"
    title = f"{workload.kind} {workload.name}.{namespace}"
    with world.lock:
        mine = [i for i in cluster.intercepts if i.session == daemon.session and i.ends is None]
    if any(i.name == name and i.kind == kind for i in mine):
        capital = "I" if run.old else "i"
        raise Failure(f'{error}{capital}ntercept with name "{name}" already exists', bare=True)
    port = service_port(run, workload, title, wanted, error) if kind == "intercept" else first_port(workload)
    local = local or (port.container if not run.old else 8080)
    address = run.parsed.value("address") or "127.0.0.1"
    taken = next((i for i in mine if i.local_port == local and i.address == address), None)
    if taken is not None:
        tail = f': id = "{taken.id}"' if run.old else ""
        capital = "P" if run.old else "p"
        raise Failure(
            f"{error}{capital}ort {address}:{local} is already in use by intercept {taken.name}{tail}", bare=True
        )
    if workload.injection == "disabled":
        raise Failure(f"{error}{title} is not interceptable", bare=True)
    headers, paths = filters(run)
    intercept = Intercept(
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
        kind=kind,
        by_service=kind != "replace",
    )
    refuse_conflict(run, cluster, workload, intercept, error)
    _expired(run, daemon, error)
    began = time.monotonic()
    run.writes = True
    fresh = not (workload.pods and all(p.agent for p in workload.pods if p.gone is None))
    took = world.profile.first_intercept if fresh else world.profile.intercept
    intercept.routed = rollout.inject(world, workload, began + took, evicts=not run.old)
    with world.lock:
        live = [p for p in workload.pods if p.gone is None]
        if live:
            intercept.pod, intercept.pod_ip = live[-1].name, live[-1].ip
        waiting = fresh and world.fault("agent-never") and not run.old
        no_agent = not live or waiting
        if not no_agent:
            cluster.intercepts.append(intercept)
    if no_agent:
        world.wait(run.call, 30.0 if world.profile.connect > 1 else 1.0)
        raise Failure(
            f"{error}request timed out while waiting for agent {workload.name}.{namespace} to arrive", bare=True
        )
    if run.old and world.fault("agent-never"):
        intercept.routed = float("inf")  # the intercept is ACTIVE, but all traffic stays with the old pod
    try:
        world.wait(run.call, max(0.0, began + took - time.monotonic()))
    finally:  # the intercept stays if the CLI is killed meanwhile
        _mount(run, intercept)
    return intercept


def _expired(run: Run, daemon: Daemon, error: str) -> None:
    """Fail if the login expired during the session: a new intercept times out without naming the reason."""
    if not (run.world.login_fault() or run.world.fault("login-gone")):
        return
    try:
        reach(run.world, run.call, kubeconfig.load(run.call), daemon.context)
        return
    except (Unreachable, kubeconfig.Broken, KeyError) as why:
        run.log(getattr(why, "stderr", "") or str(why))
    run.world.wait(run.call, 32.0 if run.world.profile.connect > 1 else 1.0)
    config = f"{run.call.home}/.config/telepresence/config.yml"
    text = f'the intercept timed out.  The current timeout 30s can be configured as "timeouts.intercept" in "{config}"'
    raise Failure(f"{error}failed to establish intercept: {text}", bare=True)


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


def leave(run: Run) -> Answer:
    """End an intercept or replacement of this client."""
    if run.new and run.parsed.command == "leave":
        run.err.insert(0, 'Command "leave" is deprecated, use "telepresence detach" instead\n')
    daemon = require(run)
    name = run.parsed.arguments[0]
    with run.world.lock:
        mine = [i for i in run.cluster.intercepts if i.session == daemon.session and i.ends is None]
        to_end = [i for i in mine if i.name == name or (i.kind == "replace" and i.name.split("/")[0] == name)]
    if not to_end:
        missing = (
            f'Intercept named "{name}" not found'
            if run.old
            else f'Found no replace, intercept, or ingest named "{name}"'
        )
        raise Failure(missing)
    for intercept in to_end:
        end(run.world, run.cluster, intercept)
    run.writes = True
    return run.answer("")


def revoke(run: Run) -> Answer:
    """End any client's intercept by its id."""
    require(run)
    name = run.parsed.arguments[0]
    with run.world.lock:
        intercept = next((i for i in run.cluster.intercepts if i.id == name and i.ends is None), None)
    if intercept is None:
        raise Failure(f'rpc error: code = NotFound desc = Intercept named "{name}" not found')
    end(run.world, run.cluster, intercept)
    run.writes = True
    return run.answer("")


def end(world: Any, cluster: Cluster, intercept: Intercept) -> None:
    """Remove an intercept or replacement from the cluster, kill its child and delete its folders. The agent stays."""
    with world.lock:
        now = time.monotonic()
        intercept.ends = now + world.profile.back
        cluster.intercepts = [i for i in cluster.intercepts if i.ends is None or i.ends > now]
        if intercept.kind == "replace":  # the pod restarts without the replacement
            workload = cluster.workload(intercept.namespace, intercept.workload)
            for pod in [p for p in (workload.pods if workload else []) if p.gone is None]:
                assert workload is not None
                rollout.replace_pod(world, workload, pod, now + world.profile.gap, gone=now)
    if intercept.child:
        try:
            os.kill(intercept.child, signal.SIGTERM)
        except ProcessLookupError:
            pass  # it has already ended
    if intercept.mount.startswith(str(world.box)):
        shutil.rmtree(intercept.mount, ignore_errors=True)
