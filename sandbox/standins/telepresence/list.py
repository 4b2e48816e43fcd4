"""telepresence list and uninstall: the namespace's workloads and their agents."""

from __future__ import annotations

from typing import Any

from sandbox.protocol.call import Answer
from sandbox.standins.telepresence import shape
from sandbox.standins.telepresence.connect import require
from sandbox.standins.telepresence.env import pod_environment
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.standins.telepresence.status import mine as held_by
from sandbox.world import rollout
from sandbox.world.cluster import Intercept


def list_(run: Run) -> Answer:
    """List the namespace's workloads, or those that this client intercepts or replaces."""
    if run.new and run.parsed.on("only-interceptable"):
        run.err.append(
            "Flag --only-interceptable has been deprecated, Redundant since all workloads are eligible for ingest, "
            "intercept, or replace\n"
        )
    if run.parsed.arguments:
        raise Failure(f'unknown command "{run.parsed.arguments[0]}" for "telepresence list"')
    daemon = require(run)
    namespace = run.parsed.value("namespace") or daemon.namespace
    mine = [i for i in held_by(run, daemon) if i.namespace == namespace]
    workloads = run.cluster.in_namespace(namespace)
    if run.old:
        workloads = [w for w in workloads if w.service] if daemon.mapped_explicitly else []
    chosen = {
        "intercepts": ("intercept",),
        "replacements": ("replace",),
    }
    kinds = [k for flag, ks in chosen.items() if run.parsed.on(flag) for k in ks]
    if kinds:
        if run.old:
            kinds.append("replace")
        workloads = [w for w in workloads if any(i.workload == w.name and i.kind in kinds for i in mine)]
    if run.parsed.on("agents"):
        workloads = [w for w in workloads if w.agent]
    by_name = {w.name: [i for i in mine if i.workload == w.name] for w in workloads}
    environments = {i.id: pod_environment(run, daemon, w, i) for w in workloads for i in by_name[w.name]}
    for variables in environments.values():
        variables.pop("TELEPRESENCE_INTERCEPT_ID", None)
    objects = [shape.workload_object(run, w, by_name[w.name], environments) for w in workloads]
    return run.object(objects, _list_text(run, workloads, by_name))


def _list_text(run: Run, workloads: list[Any], by_name: dict[str, list[Intercept]]) -> str:
    if not workloads:
        kinds = (
            "Deployments, StatefulSets, or ReplicaSets"
            if run.old
            else "Deployments, StatefulSets, ReplicaSets, or Rollouts"
        )
        return f"No Workloads ({kinds})\n"
    width = max(len(w.name) for w in workloads)
    kind_width = max(len(w.kind) for w in workloads)
    lines = []
    ready = "ready to intercept" if run.old else "ready to attach" if run.new else "ready to engage"
    for workload in workloads:
        lead = "" if run.old else f"{workload.kind.lower().ljust(kind_width)} "
        installed = "already" if workload.agent else "not yet"
        engaged = by_name[workload.name]
        if workload.injection == "disabled":
            state = (
                "not interceptable (traffic-agent not installed): disabled"
                if run.old
                else "unable to attach (traffic-agent not installed): Unknown"
            )
        elif engaged:
            state = {"replace": "replaced"}.get(engaged[0].kind, "intercepted")
        else:
            state = f"{ready} (traffic-agent {installed} installed)"
        lines.append(f"{lead}{workload.name.ljust(width)}: {state}\n")
        lines += [shape.engaged_text(run, i, workload) for i in engaged]
    return "".join(lines)


def uninstall(run: Run) -> Answer:
    """Remove agents: the pods are replaced. An intercept that is created too soon afterwards stops routing."""
    everything = run.parsed.on("all-agents")
    names = run.parsed.arguments if run.parsed.on("agent") or not run.old else []
    if not everything and not names:
        text = (
            "please specify --agent or --all-agents"
            if run.old
            else "please specify at least one workload or use or --all-agents"
        )
        raise Failure(text)
    daemon = require(run)
    for workload in run.cluster.in_namespace(daemon.namespace):
        if workload.agent and (everything or workload.name in names) and workload.injection != "enabled":
            workload.agent = False
            rollout.restart(run.world, workload)
            run.writes = True
    return run.answer("")
