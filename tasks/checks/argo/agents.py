"""The Traffic Agents in a workload's pods, and the traffic manager that they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.checks.finding import Finding, could_not_look, missing, ok
from tasks.checks.workload import PREFIXES, ClusterService, has_agent
from tasks.core import strict_json
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.repository import SETTINGS
from tasks.tools import kubectl
from tasks.tools.kubectl import Object


def read_manager(s: Settings) -> Object | ToolError:
    """Return the Service of the traffic manager, or why it could not be read."""
    try:
        return kubectl.get(s, "service", name="traffic-manager", namespace=s.cluster.manager_namespace)[0]
    except ToolError as why:
        return why


def agents(s: Settings, service: ClusterService, manager: Object | ToolError | None) -> Iterator[Finding]:
    """Yield the finding about the workload's agents. manager: see read_manager; read here when it is None."""
    with_agent = [pod for pod in service.pods if has_agent(pod)]
    if not with_agent:
        yield ok("traffic agent", "none in its pods yet")
        return
    ours = s.cluster.manager_namespace
    for pod in with_agent:
        theirs = manager_namespace(pod)
        if theirs and theirs != ours:
            yield _other_manager(service, pod, theirs, ours)
            return
    manager = read_manager(s) if manager is None else manager
    if isinstance(manager, kubectl.NotFound):
        names = " ".join(pod["metadata"]["name"] for pod in with_agent)
        yield missing(
            "traffic agent",
            f"orphaned: {names} has an agent, but there is no traffic manager in '{ours}'",
            fix=f"have the pods created again, without it: kubectl delete pod {names} -n {service.namespace}",
        )
    elif isinstance(manager, ToolError):
        yield could_not_look("traffic agent", manager)
    else:
        yield ok("traffic agent", f"in {len(with_agent)} of {len(service.pods)} pods, of the manager in '{ours}'")


def _other_manager(service: ClusterService, pod: Object, theirs: str, ours: str) -> Finding:
    name = pod["metadata"]["name"]
    return missing(
        "traffic agent",
        f"wrong manager namespace: the agent in {name} belongs to the traffic manager of '{theirs}', "
        f"you connect to the one of '{ours}'",
        fix=f"set cluster.manager_namespace to {theirs} in {SETTINGS}, or have the pod created again: "
        f"kubectl delete pod {name} -n {service.namespace}",
    )


def manager_namespace(pod: Object) -> str:
    """Return the namespace of the traffic manager that the pod's agent belongs to; empty when it is not known.

    Agents before 2.22 do not have it in an annotation.
    """
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    keys = [f"{prefix}/agent-config" for prefix in PREFIXES]
    try:
        config: Any = strict_json.loads(next((annotations[key] for key in keys if key in annotations), "{}"))
    except ValueError:
        return ""
    host = str(config.get("managerHost") or "") if isinstance(config, dict) else ""
    labels = host.split(".")
    return labels[1] if len(labels) > 1 else ""
