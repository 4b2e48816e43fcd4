"""Decide what answers a request: nothing, a pod, or the process behind an intercept. Does no I/O."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.world.cluster import Cluster, Intercept, Pod, Workload


@dataclass(frozen=True)
class Route:
    """Where a request goes: to the intercept's client, else to the pod.

    workload: None if no workload has this host; pod: None if no pod is ready"""

    workload: Workload | None = None
    pod: Pod | None = None
    intercept: Intercept | None = None
    path: str = "/"


_OWN_NAMES = {"127.0.0.1", "localhost"}


def route(cluster: Cluster, namespace: str, host: str, path: str, headers: Mapping[str, str]) -> Route:
    """Route one request. `headers` has lower-case names."""
    workload, inner = _addressed(cluster, namespace, host, path)
    if workload is None:
        return Route(path=inner)
    now = time.monotonic()
    pods = [p for p in workload.pods if p.answers(now)]
    if not pods:
        return Route(workload, path=inner)
    pod = _turn(workload, pods)
    return Route(workload, pod, _engaged(cluster, workload, pod, inner, headers, now), inner)


def _addressed(cluster: Cluster, namespace: str, host: str, path: str) -> tuple[Workload | None, str]:
    mark = "/__service/"
    name = host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host
    if path.startswith(mark):
        if name not in _OWN_NAMES:
            return None, path  # a page of another site whose name resolves to this machine
        name, _, rest = path[len(mark) :].partition("/")
        name, question, query = name.partition("?")
        target = cluster.workload(namespace, name) or next(
            (w for w in cluster.in_namespace(namespace) if w.service == name), None
        )
        return (target if target and target.service else None), "/" + rest + question + query
    for workload in cluster.in_namespace(namespace):
        service = workload.service
        cluster_names = (service, f"{service}.{namespace}", f"{service}.{namespace}.svc.cluster.local")
        if name in workload.hosts or (service and name in cluster_names):
            return workload, path
    return None, path


_turns: dict[str, int] = {}  # workload uid -> number of requests so far


def _turn(workload: Workload, pods: list[Pod]) -> Pod:
    """Choose among the ready pods, round robin."""
    count = _turns[workload.uid] = _turns.get(workload.uid, -1) + 1
    return pods[count % len(pods)]


def _engaged(
    cluster: Cluster, workload: Workload, pod: Pod, path: str, headers: Mapping[str, str], now: float
) -> Intercept | None:
    if workload.headless or not pod.agent:
        return None  # clients of a headless Service connect to the pod's own port and bypass the agent
    unfiltered: Intercept | None = None
    for i in cluster.intercepts:
        if (i.namespace, i.workload) != (workload.namespace, workload.name):
            continue
        if i.port.name != workload.ports[0].name and i.kind != "replace":
            continue  # the ingress routes to the first port
        if not i.routed <= now or (i.ends is not None and now >= i.ends):
            continue
        if i.headers or i.paths:
            if matches(i, path, headers):
                return i
        else:
            unfiltered = i
    return unfiltered


def matches(intercept: Intercept, path: str, headers: Mapping[str, str]) -> bool:
    """Do all filters of a personal intercept match this request?"""
    for key, wanted in intercept.headers.items():
        value = headers.get(key.lower())
        if value is None or not (value == wanted or _fits(wanted, value)):
            return False
    bare = path.split("?", 1)[0]
    tests: dict[str, Any] = {
        "equal": lambda w: bare == w,
        "prefix": lambda w: bare.startswith(w),
        "regex": lambda w: _fits(w, bare),
    }
    return all(tests[kind](wanted) for kind, wanted in intercept.paths)


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return False
