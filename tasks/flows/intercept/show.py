"""What the intercept tasks print, for people and as JSON."""

from __future__ import annotations

import json as json_module
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.core import ui
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.flows.intercept.establish import ActiveIntercept
from tasks.flows.intercept.plan import Plan, describe_traffic
from tasks.flows.intercept.proof import Answer, AnsweredBy
from tasks.flows.intercept.team import Own, Team
from tasks.tools.telepresence import Workload


def dry_run(plan: Plan, changes: Sequence[Change[object]], *, json: bool) -> None:
    """Print what `inv intercept` would do."""
    if json:
        ui.as_json({"mode": plan.mode, "changes": [{"text": c.text, "command": c.command} for c in changes]})
        return
    for change in changes:
        ui.say(change.would)


def active(s: Settings, made: ActiveIntercept, *, json: bool) -> None:
    """Print the intercept that was made, with its proof."""
    if json:
        ui.as_json(made.document())
        return
    plan, answer, seconds = made.plan, made.answer, made.seconds
    service = plan.request.service.name
    ui.say(f"{service} -> 127.0.0.1:{plan.wanted.local_port}   {_traffic(plan)}")
    ui.say(f"  {answer.curl or f'(no curl: {answer.error})'}")
    if hint := _other_traffic(plan):
        ui.say(f"  {hint}")
    replaced = "" if plan.cluster_service.has_agent else "; the pod was replaced by one with a Traffic Agent"
    if seconds.connect:
        ui.say(f"  connected in {seconds.connect:.1f} s (budget {s.budgets.connect:g} s)")
    ui.say(
        f"  ACTIVE after {seconds.intercept:.1f} s, routed after {seconds.routed:.1f} s"
        f" (budget {s.budgets.intercept:g} s): {_proof(answer)}{replaced}"
    )
    if plan.local.argv:
        ui.talk(f"-> run          {shlex.join(plan.local.argv)}   (in {plan.local.folder}; Ctrl-C ends it and leaves)")
    else:
        ui.say(f"  leave: inv leave {service}")


def workloads(listed: Sequence[Workload], *, namespace: str, json: bool) -> None:
    """Print what can be intercepted."""
    if json:
        services = {name: service.name for service in catalogue().services for name in service.workload_names}
        ui.as_json({"workloads": [{**_document(w), "service": services.get(w.name, "")} for w in listed]})
        return
    ui.table((w.name, w.kind, _workload_state(w)) for w in listed)
    if not listed:
        ui.say(f"nothing can be intercepted in {namespace}")


def written(path: Path, as_typed: str, environment: Mapping[str, str], omitted: Sequence[str], *, json: bool) -> None:
    """Print that the environment was written to the file, without the omitted variables."""
    names = sorted(set(environment) - set(omitted))
    if json:
        ui.as_json({"file": str(path), "names": names, "omitted": list(omitted)})
    else:
        ui.say(f"{len(names)} variables written to {as_typed} (mode 0600)")


def names(environment: Mapping[str, str], *, json: bool) -> None:
    """Print the names of the variables."""
    if json:
        ui.as_json({"names": sorted(environment)})
        return
    for name in sorted(environment):
        ui.data(name)


def environment(variables: Mapping[str, str], *, json: bool) -> None:
    """Print the variables with their values, one a line: a value of several lines is quoted as in JSON."""
    if json:
        ui.as_json({"environment": dict(sorted(variables.items()))})
        return
    for name, value in sorted(variables.items()):
        ui.data(f"{name}={json_module.dumps(value, ensure_ascii=False)}")


def verified(service: Service, answer: Answer, *, nothing_listens_on: int, intercepted: bool) -> None:
    """Print who answered. nothing_listens_on: the local port that no process has opened yet; 0 otherwise."""
    ms = [f"{answer.ms:.0f} ms"] if answer.status else []
    detail = ", ".join([answer.via, *ms, *([answer.error] if answer.error else [])])
    ui.say(f"{_who_answered(answer, nothing_listens_on)} ({detail})")
    ui.say(f"  {answer.curl}")
    if not intercepted:
        ui.say(f"  {service.name} is not intercepted from this workstation: inv intercept {service.name}")


def lost(names: Sequence[str]) -> None:
    """Warn of intercepts that were made here and are not listed: the traffic manager may still hold them."""
    for name in names:
        ui.warn(
            f"{name} was made here, but the session that held it is gone, and it may still take requests:"
            " inv tp.connect takes it over again, inv down frees it"
        )


def team(found: Team, *, json: bool) -> None:
    """Print who holds which intercept."""
    if json:
        ui.as_json(found.document())
        return
    if found.own:
        ui.table(map(_own_row, found.own))
    else:
        ui.say("this workstation intercepts nothing")
    if found.colleagues:
        ui.say("colleagues, by their own notices (one of a workstation that crashed may be stale):")
        ui.table([(note.workload, note.mode, note.holder, note.age) for note in found.colleagues], indent="  ")
    intercepted = {own.workload for own in found.own}
    idle = [name for name in found.agents if name not in intercepted]
    if idle:
        ui.say(f"Traffic Agent installed in: {', '.join(idle)}")


def _own_row(own: Own) -> tuple[str, ...]:
    return own.workload, own.mode, own.client, f"port {own.local_port}", own.listens or "nothing listens"


def _traffic(plan: Plan) -> str:
    if plan.wanted.headers:
        return f"requests with {describe_traffic(plan.headers)}"
    return f"everybody's traffic ({plan.all_why})" if plan.all_why else "everybody's traffic"


def _other_traffic(plan: Plan) -> str:
    """How to get the other kind of traffic; empty when that is not possible."""
    if plan.wanted.headers:
        return f"everybody's traffic: inv intercept {plan.request.service.name} --everyone"
    return f"only your requests: {plan.personal_hint}" if plan.personal_hint else ""


def _proof(answer: Answer) -> str:
    if answer.answered_by is AnsweredBy.LOCAL:
        return f"a request through the {answer.via} arrived here ({answer.ms:.0f} ms)"
    return "not proven by a request"


def _who_answered(answer: Answer, nothing_listens_on: int) -> str:
    if answer.answered_by is AnsweredBy.LOCAL and nothing_listens_on:
        return f"requests arrive here; nothing listens on port {nothing_listens_on} yet"
    if answer.answered_by is AnsweredBy.NOBODY and answer.client:
        return f"nobody answers; by the notice the requests go to {answer.client}"
    return {
        AnsweredBy.LOCAL: "the local process answers",
        AnsweredBy.COLLEAGUE: f"by the notice the process of {answer.client} answers",
        AnsweredBy.BASELINE: "the baseline answers",
        AnsweredBy.NOBODY: "nobody answers",
        AnsweredBy.UNKNOWN: "it is not clear who answers",
    }[answer.answered_by]


def _workload_state(workload: Workload) -> str:
    if workload.held:
        return "intercepted: " + ", ".join(describe_traffic(held.headers) for held in workload.held)
    return workload.reason or ("agent installed" if workload.agent else "no agent yet")


def _document(workload: Workload) -> dict[str, Any]:
    intercepts = [
        {
            "name": held.name,
            "mode": describe_traffic(held.headers),
            "local_port": held.local_port,
            "disposition": held.disposition,
        }
        for held in workload.held
    ]
    return {
        "name": workload.name,
        "kind": workload.kind,
        "agent": workload.agent,
        "reason": workload.reason,
        "intercepts": intercepts,
    }
