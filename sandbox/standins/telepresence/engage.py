"""telepresence intercept, replace, leave and revoke."""

from __future__ import annotations

import os
import shutil
import signal
import time
from typing import Any

from sandbox.protocol.call import Answer
from sandbox.standins.telepresence import shape
from sandbox.standins.telepresence.child import start_child
from sandbox.standins.telepresence.connect import require
from sandbox.standins.telepresence.create import create
from sandbox.standins.telepresence.env import pod_environment, write_files
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.world import rollout
from sandbox.world.cluster import Cluster, Intercept


def engage(run: Run) -> Answer:
    """Create an intercept or a replacement."""
    _arguments(run)
    daemon = require(run)
    intercept = create(run, daemon)
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


def leave(run: Run) -> Answer:
    """End an intercept or replacement of this client."""
    if run.new and run.parsed.command == "leave":
        run.err.insert(0, 'Command "leave" is deprecated, use "telepresence detach" instead\n')
    daemon = require(run)
    name = run.parsed.arguments[0]
    to_end = [i for i in run.engaged_by(daemon) if _is_called(i, name)]
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


def _is_called(intercept: Intercept, name: str) -> bool:
    """Whether `leave NAME` means this intercept. A replacement's name is WORKLOAD/CONTAINER; WORKLOAD is enough."""
    return intercept.name == name or (intercept.kind == "replace" and intercept.name.split("/")[0] == name)


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
        workload = cluster.workload(intercept.namespace, intercept.workload)
        if intercept.kind == "replace" and workload is not None:  # the pod restarts without the replacement
            for pod in [p for p in workload.pods if p.gone is None]:
                rollout.replace_pod(world, workload, pod, now + world.profile.gap, gone=now)
    if intercept.child:
        try:
            os.kill(intercept.child, signal.SIGTERM)
        except ProcessLookupError:
            pass  # it has already ended
    if intercept.mount.startswith(str(world.box)):
        shutil.rmtree(intercept.mount, ignore_errors=True)
