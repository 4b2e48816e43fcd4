"""What the tasks of the cluster call: the checks, the status, the power and the schedule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.checks import argo, cluster, guard, session, workload
from tasks.checks.devcontainer import files as container_files
from tasks.checks.devcontainer import machine
from tasks.checks.finding import Finding, limit_deadlines, warning
from tasks.checks.report import report
from tasks.core import ui
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings
from tasks.core.errors import MISSING, Refused, Trouble
from tasks.core.plan.change import Change, perform
from tasks.flows.cluster import power, schedule
from tasks.flows.cluster.power import Verb
from tasks.flows.cluster.schedule import Hours
from tasks.tools import kubectl
from tasks.tools.az import cluster as az_cluster
from tasks.tools.az.cluster import Cluster, Pool
from tasks.tools.private_caches import without_trace


def check_cluster(s: Settings, *, json: bool, check: bool) -> None:
    """Check every requirement of the cluster."""
    about = {"cluster": s.cluster.name, "context": s.cluster.context}
    report(cluster.look(s), json=json, check=check, about=about)


def check_container(s: Settings, *, files: str, json: bool, check: bool) -> None:
    """Check this machine, or the files of a `.devcontainer` folder."""
    if files:
        path = Path(files)
        if not path.exists():
            raise Trouble(f"{files} does not exist", fix="inv devcontainer.check --files .devcontainer")
        findings = container_files.look(s, path if path.is_dir() else path.parent)
    else:
        findings = machine.look(s, machine.Machine.this())
    report(findings, json=json, check=check, about={"looked_at": files or "this machine"})


def check_argo(s: Settings, name: str, *, json: bool, check: bool) -> None:
    """Check Argo CD for one service of the catalogue, or for all of them that are in the cluster."""
    services = [catalogue().named(name, "argo.check")] if name else catalogue().services
    s = limit_deadlines(s, cluster.SECONDS / 3)
    with session.readable(s):
        objects = kubectl.get(s, "deployments,statefulsets,services,pods")
        state = argo.read(s)
        findings: list[Finding] = []
        for service in services:
            findings += _service_findings(s, service, objects, state, required=bool(name))
    report(findings, json=json, check=check, about={"namespace": s.cluster.namespace})


def _service_findings(
    s: Settings, service: Service, objects: list[kubectl.Object], state: argo.Argo, *, required: bool
) -> list[Finding]:
    """Return the findings about one service. required: raise Trouble when it is not in the cluster."""
    try:
        located = workload.locate(objects, service.workload_names, s.cluster.namespace)
    except Trouble as why:
        if required:
            raise
        return [warning(service.name, why.what, fix=why.fix)]
    return [replace(f, subject=f"{service.name}: {f.subject}") for f in argo.findings(s, located, state)]


def status(s: Settings, *, json: bool) -> None:
    """Show the power, the node pools, and what would make them cheaper."""
    shown = az_cluster.show(s)
    hints = power.cost_hints(shown)
    if json:
        ui.as_json(_status_document(s, shown, hints))
        return
    ui.say(f"{s.cluster.name} ({shown.location}): {shown.power}, Kubernetes {shown.version}")
    ui.table([("pool", "mode", "size", "nodes", "spot"), *map(_pool_row, shown.pools)], indent="  ")
    for hint in hints:
        ui.say(f"  {hint}")


def switch(s: Settings, verb: Verb, *, yes: bool, dry: bool, check: bool, json: bool, confirm: str = "") -> None:
    """Start or stop the cluster after a confirmation. Raises Refused for production.

    confirm: the cluster's name, which confirms a stop that ends the intercepts of others
    """
    guard.check_names(s)
    if dry or check:
        with without_trace():
            _plan_switch(s, verb, check=check, json=json)
    else:
        _switch(s, verb, yes=yes, confirm=confirm, json=json)


def write_schedule(s: Settings, hours: Hours, out: str, *, dry: bool) -> None:
    """Print the workflow, or write it to the file `out`. Raises Refused rather than overwrite another file."""
    text = schedule.manifest(s, hours)
    if not out:
        ui.data(text.rstrip("\n"))
        ui.talk(f"for the gitops repository: {schedule.WORKFLOW} (--out FILE writes it); nothing was changed")
        return
    change = schedule.write(Path(out), text)
    if change is None:
        ui.say(f"{out} is as it should be: nothing to do")
    elif dry:
        ui.say(change.would)
    else:
        perform(change)
        ui.say(f"wrote {out}; review it, then commit it in the gitops repository")


def _plan_switch(s: Settings, verb: Verb, *, check: bool, json: bool) -> None:
    current = az_cluster.show(s)
    change = power.plan(s, verb, current, dry=True)
    for line in power.holders(s) if change and verb is Verb.STOP else ():
        ui.talk(line)
    _show_switch(s, change, change.would if change else _nothing_to_do(s, current), json=json)
    if change is not None and check:
        raise SystemExit(MISSING)


def _switch(s: Settings, verb: Verb, *, yes: bool, confirm: str, json: bool) -> None:
    current = az_cluster.show(s)
    change = power.plan(s, verb, current, dry=False)
    if change is None:
        _show_switch(s, None, _nothing_to_do(s, current), json=json)
        return
    loss = f" it ends {change.destroys}" if change.destroys else ""
    question = f"{change.text}?{loss}"
    if verb is Verb.STOP:
        _confirm_stop(s, question, yes=yes, confirm=confirm)
    else:
        ui.confirm(question, yes=yes, fix="inv aks.start --yes")
    ui.talk(f"{change.text}: this takes some minutes")
    perform(change)
    _show_switch(s, change, f"{s.cluster.name} {'runs' if verb is Verb.START else 'is stopped'}", json=json)


def _confirm_stop(s: Settings, question: str, *, yes: bool, confirm: str) -> None:
    """Ask before a stop. Where others intercept, `--yes` is not enough: raises Refused without the cluster's name."""
    if confirm and confirm != s.cluster.name:
        raise Refused(f"--confirm: the cluster is {s.cluster.name}, not '{confirm}'", fix="inv aks.status")
    for hint in power.own_intercepts(s):
        ui.talk(hint)
    holders = power.holders(s)
    if confirm or not holders:
        ui.confirm(question, yes=yes or bool(confirm), fix="inv aks.stop --yes")
        return
    for line in holders:
        ui.talk(line)
    fix = f"ask them, then inv aks.stop --confirm {s.cluster.name}"
    if not ui.can_ask():
        more = f" (and {len(holders) - 1} more)" if len(holders) > 1 else ""
        raise Refused(f"{s.cluster.name} is in use: {holders[0]}{more}", why="--yes does not answer for them", fix=fix)
    ui.confirm(question, yes=False, fix=fix, word=s.cluster.name)


def _nothing_to_do(s: Settings, current: Cluster) -> str:
    return f"{s.cluster.name} is {current.power} already: nothing to do"


def _show_switch(s: Settings, change: Change[object] | None, text: str, *, json: bool) -> None:
    if json:
        changes = [{"text": change.text, "command": change.command}] if change else []
        ui.as_json({"cluster": s.cluster.name, "changes": changes})
    else:
        ui.say(text)


def _pool_row(pool: Pool) -> tuple[str, ...]:
    nodes = f"{pool.count} ({pool.low} to {pool.high})" if pool.scales else str(pool.count)
    return (pool.name, pool.mode, pool.size, nodes, "yes" if pool.spot else "no")


def _status_document(s: Settings, shown: Cluster, hints: list[str]) -> dict[str, Any]:
    fields = ("name", "mode", "size", "count", "low", "high", "spot")
    return {
        "cluster": s.cluster.name,
        "power": shown.power,
        "state": shown.state,
        "version": shown.version,
        "pools": [{field: getattr(pool, field) for field in fields} for pool in shown.pools],
        "hints": hints,
    }
