"""telepresence list and uninstall: the namespace's workloads and their agents."""

from __future__ import annotations

from sandbox.protocol.call import Answer
from sandbox.standins.telepresence import shape
from sandbox.standins.telepresence.connect import require
from sandbox.standins.telepresence.daemon import Daemon
from sandbox.standins.telepresence.env import pod_environment
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.world import rollout
from sandbox.world.cluster import Intercept, Workload


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
    held = [i for i in run.engaged_by(daemon) if i.namespace == namespace]
    workloads = _chosen(run, _listed(run, daemon, namespace), held)
    by_name = {w.name: [i for i in held if i.workload == w.name] for w in workloads}
    environments = _environments(run, daemon, workloads, by_name)
    objects = [shape.workload_object(run, w, by_name[w.name], environments) for w in workloads]
    return run.object(objects, _list_text(run, workloads, by_name))


def _listed(run: Run, daemon: Daemon, namespace: str) -> list[Workload]:
    """The workloads that this version lists: 2.19 only those with a Service, and only in mapped namespaces."""
    workloads = run.cluster.in_namespace(namespace)
    if not run.old:
        return workloads
    return [w for w in workloads if w.service] if daemon.mapped_explicitly else []


def _chosen(run: Run, workloads: list[Workload], held: list[Intercept]) -> list[Workload]:
    """The workloads that --intercepts, --replacements and --agents select."""
    kinds = [kind for flag, kind in (("intercepts", "intercept"), ("replacements", "replace")) if run.parsed.on(flag)]
    if kinds and run.old:
        kinds.append("replace")
    if kinds:
        engaged = {i.workload for i in held if i.kind in kinds}
        workloads = [w for w in workloads if w.name in engaged]
    if run.parsed.on("agents"):
        workloads = [w for w in workloads if w.agent]
    return workloads


def _environments(
    run: Run, daemon: Daemon, workloads: list[Workload], by_name: dict[str, list[Intercept]]
) -> dict[str, dict[str, str]]:
    """The pods' environments by the intercept's id, as `list` shows them: without the intercept's own variable."""
    environments = {i.id: pod_environment(run, daemon, w, i) for w in workloads for i in by_name[w.name]}
    for variables in environments.values():
        variables.pop("TELEPRESENCE_INTERCEPT_ID", None)
    return environments


def _list_text(run: Run, workloads: list[Workload], by_name: dict[str, list[Intercept]]) -> str:
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
    for workload in workloads:
        lead = "" if run.old else f"{workload.kind.lower().ljust(kind_width)} "
        engaged = by_name[workload.name]
        lines.append(f"{lead}{workload.name.ljust(width)}: {_state(run, workload, engaged)}\n")
        lines += [shape.engaged_text(run, i, workload) for i in engaged]
    return "".join(lines)


def _state(run: Run, workload: Workload, engaged: list[Intercept]) -> str:
    """The state of a workload in the text of `list`."""
    if workload.injection == "disabled":
        if run.old:
            return "not interceptable (traffic-agent not installed): disabled"
        return "unable to attach (traffic-agent not installed): Unknown"
    if engaged:
        return "replaced" if engaged[0].kind == "replace" else "intercepted"
    ready = "ready to intercept" if run.old else "ready to attach" if run.new else "ready to engage"
    installed = "already" if workload.agent else "not yet"
    return f"{ready} (traffic-agent {installed} installed)"


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
