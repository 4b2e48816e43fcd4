"""Changes of a workload's pods: an agent is injected, a template changes, a Deployment is scaled."""

from __future__ import annotations

import time

from sandbox.world.cluster import Pod, Workload
from sandbox.world.seed import pod_name
from sandbox.world.state import World


def inject(world: World, workload: Workload, active: float, evicts: bool) -> float:
    """Replace the workload's pods by pods with a traffic-agent. Returns when requests reach an intercept (time.monotonic()).

    active: when telepresence will report ACTIVE; evicts: the old pod ends before the new one is ready (2.22 and newer),
    otherwise the template is patched and the old pod serves until the new one is ready.
    """
    now = time.monotonic()
    profile = world.profile
    with world.lock:
        old = [p for p in workload.pods if p.gone is None]
        if old and all(p.agent for p in old):
            workload.agent = True
            return active + profile.routed / 8
        workload.agent = True
        routed = active + profile.routed
        if not evicts:
            workload.generation += 1
            workload.annotations["telepresence.getambassador.io/restartedAt"] = _stamp()
        stuck = world.fault("agent-never")
        for number, pod in enumerate(old):
            ready = routed + number * profile.gap
            replace_pod(
                world, workload, pod, ready, gone=max(now, ready - profile.gap) if evicts else ready, stuck=stuck
            )
            if stuck and not evicts:
                pod.gone = None  # the rollout never completes
        return routed if old else float("inf")


def replace_pod(world: World, workload: Workload, pod: Pod, ready: float, gone: float, stuck: bool = False) -> Pod:
    """Replace a pod by a new one with the workload's current template."""
    forget(workload)
    number = len(workload.pods)
    name = pod.name if workload.kind == "StatefulSet" else pod_name(workload, number)
    head, _, tail = pod.ip.rpartition(".")
    made = Pod(name, f"{head}.{(int(tail) + 37) % 250 + 1}", ready=ready, agent=workload.agent, stuck=stuck)
    made.crashes = _crashes(world, workload)
    pod.gone = gone
    workload.pods.append(made)
    _event(world, workload, "Killing", pod.name, f"Stopping container {workload.container}")
    _event(world, workload, "SuccessfulCreate", workload.name, f"Created pod: {made.name}")
    if stuck:
        _event(
            world, workload, "Failed", made.name, f'Failed to pull image "{agent_image(world)}": not found', "Warning"
        )
    return made


def restart(world: World, workload: Workload) -> None:
    """Roll out: replace every pod; none ends before its successor is ready."""
    with world.lock:
        workload.generation += 1
        ready = time.monotonic() + world.profile.rollout
        for pod in [p for p in workload.pods if p.gone is None]:
            replace_pod(world, workload, pod, ready, gone=ready)


def scale(world: World, workload: Workload, replicas: int) -> None:
    """Set the number of pods."""
    with world.lock:
        workload.replicas = replicas
        workload.generation += 1
        now = time.monotonic()
        live = [p for p in workload.pods if p.gone is None]
        for pod in live[replicas:]:
            pod.gone = now
        for number in range(len(live), replicas):
            name = f"{workload.name}-{number}" if workload.kind == "StatefulSet" else pod_name(workload, number)
            workload.pods.append(
                Pod(
                    name,
                    f"10.244.200.{number + 5}",
                    ready=now + world.profile.rollout,
                    agent=workload.agent,
                    crashes=_crashes(world, workload),
                )
            )


def forget(workload: Workload) -> None:
    """Remove ended pods from the list."""
    now = time.monotonic()
    workload.pods = [p for p in workload.pods if p.exists(now)]


def _crashes(world: World, workload: Workload) -> bool:
    """Does the fault crash-loop concern this workload? It leaves the baseline alone, which Argo CD deploys."""
    return world.fault("crash-loop") and not workload.instance


def agent_image(world: World) -> str:
    """The traffic-agent's image."""
    return f"ghcr.io/telepresenceio/tel2:{world.telepresence}"


def _stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _event(world: World, workload: Workload, reason: str, thing: str, message: str, kind: str = "Normal") -> None:
    cluster = next(c for c in world.clusters.values() if workload in c.workloads)
    cluster.events.append(
        {
            "reason": reason,
            "object": thing,
            "kind": "Pod" if thing != workload.name else workload.kind,
            "namespace": workload.namespace,
            "message": message,
            "type": kind,
            "time": _stamp(),
        }
    )
