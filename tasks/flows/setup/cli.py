"""Runs the setup steps, tells how it goes, and keeps the result for `inv status`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import FAILED, MISSING, REFUSED, Blocked, Refused, Trouble
from tasks.core.plan import steps
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Outcome, State, Step
from tasks.core.state import store, timing
from tasks.flows.setup import COMMANDS, chosen
from tasks.flows.setup.work import Work
from tasks.tools.private_caches import without_trace

FILE = "setup.json"  # in the state folder: the last outcome of each step


def run(
    s: Settings,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    dry: bool = False,
    check: bool = False,
    as_json: bool = False,
    yes: bool = False,
    force: bool = False,
    relogin: bool = False,
    way: str = "",
    name: str = "setup",
) -> int:
    """Run the steps and return the exit code. Raises Refused for production, before and instead of any write.

    dry, check: only look. force: fetch the credentials anew. relogin: log in whatever there is. way: how to log in.
    name: what this run is called.
    """
    wanted = chosen(s, only, skip)
    looking = dry or check
    began = time.monotonic()
    work = Work(s, force=force, relogin=relogin, yes=yes, way=way)
    try:
        guard.names(s)
        with without_trace() if looking else nullcontext():
            try:
                if any(step.key == "credentials" for step in wanted):
                    work.begin()
                outcomes = _outcomes(wanted, work, looking)
            finally:
                work.end()
    except Refused as why:
        if as_json:
            ui.as_json({"state": "refused", "error": {"what": why.what, "why": why.why, "fix": why.fix}, "steps": []})
        raise
    seconds = time.monotonic() - began
    if as_json:
        ui.as_json(document(s, outcomes, wanted, seconds))
    elif dry:
        _show_plan(s, outcomes)
    else:
        _show_result(s, name, outcomes, seconds)
    if not looking:
        _keep(name, outcomes, seconds)
    return exit_code(outcomes, dry=dry, check=check)


def exit_code(outcomes: Sequence[Outcome], *, dry: bool = False, check: bool = False) -> int:
    """0 all done (or only planned), 1 failed or could not look, 2 something is missing (check), 3 refused."""
    if any(o.error is not None and o.error.code == REFUSED for o in outcomes):
        return REFUSED
    if any(o.state is State.UNKNOWN for o in outcomes):
        return FAILED
    if all(o.state is State.DONE for o in outcomes) or (dry and not check):
        return 0
    return MISSING if check else FAILED


def document(s: Settings, outcomes: Sequence[Outcome], ran: Sequence[Step[Work]], seconds: float) -> dict[str, Any]:
    """The outcome of the run, as `--json` prints it. Seconds are wall time; the budget is of the settings."""
    own = {o.key: o.seconds for o in outcomes}
    return {
        "state": "done" if all(o.state is State.DONE for o in outcomes) else "incomplete",
        "seconds": round(seconds, 3),
        "critical_path": round(steps.critical_path(ran, own), 3),
        "budget": s.budgets.setup,
        "steps": [_step_document(s, o) for o in outcomes],
    }


def last() -> dict[str, Any]:
    """The kept outcomes by step, each with `state`, `note`, `fix`, `seconds`, `at`; empty before the first run."""
    try:
        found = json.loads(store.read(store.folder(FILE)) or "{}")
    except ValueError:
        return {}
    known = {"state", "note", "fix", "at"}
    steps = found.items() if isinstance(found, dict) else ()
    return {key: step for key, step in steps if isinstance(step, dict) and known <= step.keys()}


def _outcomes(wanted: Sequence[Step[Work]], work: Work, looking: bool) -> list[Outcome]:
    def one(step: Step[Work]) -> Outcome:
        try:
            if looking:
                return steps.check(step, work)
            return steps.apply(step, work, lambda change: work.yes or not change.destroys, _tell)
        except Refused:
            raise
        except Trouble as why:  # such as a full disk in the state folder: this step's affair
            blocked = Blocked(why.what, why=why.why, fix=why.fix, code=why.code)
            return Outcome(step.key, step.title, State.BLOCKED, note=why.what, fix=why.fix, error=blocked)

    found: list[Outcome] = []
    for raw in steps.run_graph(wanted, one, workers=len(wanted)):
        outcome = _said(raw, found, work, looking)
        found.append(outcome)
        text = outcome.note or outcome.title
        ui.progress(outcome.state, outcome.key, text, outcome.seconds if outcome.seconds >= 0.05 else None)
    order = [step.key for step in wanted]
    return sorted(found, key=lambda o: order.index(o.key))


def _said(outcome: Outcome, before: Sequence[Outcome], work: Work, looking: bool) -> Outcome:
    """The outcome with what the step itself has to say; what waits for a planned step is pending in a plan."""
    if outcome.state is State.DONE and work.notes.get(outcome.key):
        return replace(outcome, note=work.notes[outcome.key])
    if outcome.state is State.PENDING and not looking:
        return replace(outcome, note=f"still missing afterwards: {outcome.changes[0].text}")
    if outcome.state is State.PENDING:
        return replace(outcome, note="; ".join(change.text for change in outcome.changes))
    waits = outcome.note.removeprefix("needs ").split(", ") if outcome.note.startswith("needs ") else []
    states = {o.key: o.state for o in before}
    if looking and waits and all(states.get(key) is State.PENDING for key in waits):
        return replace(outcome, state=State.PENDING, note=f"after {', '.join(waits)}")
    return outcome


def _tell(step: Step[Work], change: Change[object]) -> None:
    ui.progress("running", step.key, change.text)


def _show_plan(s: Settings, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        note = f"  {outcome.note}" if outcome.note else ""
        ui.say(f"{outcome.key:<12} {outcome.state}{note}")
        for command in _commands(s, outcome):
            ui.say(f"             $ {command}")
        if outcome.fix:
            ui.say(f"             fix: {outcome.fix}")
    ui.talk("nothing was changed")


def _commands(s: Settings, outcome: Outcome) -> list[str]:
    planned = [change.command for change in outcome.changes if change.argv]
    return planned or list(COMMANDS[outcome.key](s))


def _show_result(s: Settings, name: str, outcomes: Sequence[Outcome], seconds: float) -> None:
    done = sum(o.state is State.DONE for o in outcomes)
    budget = f" (budget {s.budgets.setup:g} s)" if name == "setup" else ""
    ui.say(f"{name}: {done} of {len(outcomes)} steps done in {seconds:.1f} s{budget}")
    for outcome in outcomes:
        if outcome.state is State.DONE:
            continue
        ui.say(f"  {outcome.key:<12} {outcome.state}: {outcome.note or outcome.title}")
        if outcome.fix:
            ui.say(f"  {'':<12} fix: {outcome.fix}")
    if done == len(outcomes) and any(o.key == "ready" for o in outcomes):
        ui.talk("next: inv intercept SERVICE runs a service here; inv status shows where you are")


def _step_document(s: Settings, outcome: Outcome) -> dict[str, Any]:
    def shown(change: Change[object]) -> dict[str, str]:
        return {"text": change.text, "command": change.command, "destroys": change.destroys}

    return {
        "key": outcome.key,
        "title": outcome.title,
        "state": str(outcome.state),
        "note": outcome.note,
        "why": outcome.error.why if outcome.error else "",
        "fix": outcome.fix,
        "seconds": round(outcome.seconds, 3),
        "commands": list(COMMANDS[outcome.key](s)),
        "changes": [shown(change) for change in outcome.changes],
        "made": [shown(change) for change in outcome.made],
    }


def _keep(name: str, outcomes: Sequence[Outcome], seconds: float) -> None:
    now = round(time.time(), 1)
    kept = last()
    for o in outcomes:
        kept[o.key] = {"state": str(o.state), "note": o.note, "fix": o.fix, "seconds": round(o.seconds, 3), "at": now}
    store.cache(store.folder(FILE), json.dumps(kept, indent=1))
    cold = any(o.made for o in outcomes)
    try:
        timing.keep(name, seconds, cold=cold, done=all(o.state is State.DONE for o in outcomes))
        for o in outcomes:
            timing.keep(f"{name}.{o.key}", o.seconds, cold=bool(o.made))
    except Trouble as why:
        ui.warn(f"the times were not kept: {why.what}")
