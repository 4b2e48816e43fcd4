"""What `inv setup` and the tasks for single steps call: run the steps, show the progress, keep the result."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from tasks.checks import guard
from tasks.core import strict_json, ui
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import FAILED, MISSING, REFUSED, Problem, Refused, Trouble
from tasks.core.plan import steps
from tasks.core.plan.change import Change
from tasks.core.plan.outcome import Outcome, State
from tasks.core.plan.steps import Step
from tasks.core.state import store, timing
from tasks.flows.setup import STEPS, select
from tasks.flows.setup.login import forget_kept
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools.az import login as az_login
from tasks.tools.private_caches import without_trace

FILE = "setup.json"  # in the state folder: the last outcome of each step
_SHOWN_FROM = 0.05  # seconds; a step that took less is shown without its time


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
    login_mode: str = "",
    name: str = "setup",
) -> int:
    """Run the steps and return the exit code. Raises Refused for production, before any write.

    dry, check: change nothing; name: of this run, in the output and in the kept times; for the others see SetupRun.
    """
    selected = select(s, only, skip)
    read_only = dry or check
    began = time.monotonic()
    setup = SetupRun(s, force=force, relogin=relogin, yes=yes, login_mode=login_mode)
    try:
        guard.check_names(s)
        with without_trace() if read_only else nullcontext():
            outcomes = _run_steps(selected, setup, read_only)
    except Refused as why:
        if as_json:
            ui.as_json({"state": "refused", "error": {"what": why.what, "why": why.why, "fix": why.fix}, "steps": []})
        raise
    seconds = time.monotonic() - began
    if as_json:
        ui.as_json(document(setup, outcomes, selected, seconds))
    elif dry:
        _show_plan(setup, outcomes)
    else:
        _show_result(setup, name, outcomes, seconds)
    if not read_only:
        _keep(setup, name, outcomes, seconds)
    return exit_code(outcomes, dry=dry, check=check)


def log_in(*, mode: str, relogin: bool, dry: bool, check: bool, as_json: bool) -> int:
    """Run the step that logs in to Azure, for `inv aks.login`. az itself is asked, not the tokens that were kept."""
    s = settings()
    login_mode = az_login.mode(s, mode) if mode else ""
    if not (dry or check):
        forget_kept(s)
    return run(
        s, only=["login"], login_mode=login_mode, relogin=relogin, dry=dry, check=check, as_json=as_json, name="login"
    )


def exit_code(outcomes: Sequence[Outcome], *, dry: bool = False, check: bool = False) -> int:
    """0 all done (or only planned), 1 failed or could not look, 2 something is missing (check), 3 refused."""
    if any(o.problem is not None and o.problem.code == REFUSED for o in outcomes):
        return REFUSED
    if any(o.state is State.UNKNOWN for o in outcomes):
        return FAILED
    if all(o.state is State.DONE for o in outcomes) or (dry and not check):
        return 0
    return MISSING if check else FAILED


def document(
    setup: SetupRun, outcomes: Sequence[Outcome], ran: Sequence[Step[SetupRun]], seconds: float
) -> dict[str, Any]:
    """Return the run as `--json` prints it. Seconds are wall-clock time; the budget is from the settings."""
    step_seconds = {o.key: o.seconds for o in outcomes}
    return {
        "state": "done" if all(o.state is State.DONE for o in outcomes) else "incomplete",
        "seconds": round(seconds, 3),
        "critical_path": round(steps.critical_path(ran, step_seconds), 3),
        "budget": setup.settings.budgets.setup,
        "steps": [_step_document(setup, o) for o in outcomes],
    }


def last() -> dict[str, Any]:
    """Return the kept outcomes by step, each with `state`, `note`, `fix`, `seconds`, `at`; empty before the first run."""
    try:
        kept = strict_json.mapping(store.read(store.folder(FILE)) or "{}")
    except ValueError:
        return {}
    fields = {"state", "note", "fix", "at"}
    return {key: entry for key, entry in kept.items() if isinstance(entry, dict) and fields <= entry.keys()}


def _run_steps(selected: Sequence[Step[SetupRun]], setup: SetupRun, read_only: bool) -> list[Outcome]:
    """Run the steps in parallel, show each outcome as it comes, and return them in the order of the steps."""
    if any(step.key == "credentials" for step in selected):
        setup.prefetch()
    try:
        outcomes: dict[str, Outcome] = {}
        graph = steps.run_graph(selected, lambda step: _run_step(step, setup, read_only), workers=len(selected))
        for raw in graph:
            outcome = _completed(raw, outcomes, setup, read_only)
            outcomes[outcome.key] = outcome
            if outcome.state is State.DONE and not read_only:  # the others are in the result, each once
                _show_done(setup, outcome)
    finally:
        setup.stop()
    return [outcomes[step.key] for step in selected]


def _run_step(step: Step[SetupRun], setup: SetupRun, read_only: bool) -> Outcome:
    try:
        if read_only:
            return steps.check(step, setup)
        return steps.apply(step, setup, lambda change: setup.yes or not change.destroys, _show_change, store.lock)
    except Refused:
        raise
    except Trouble as why:  # for example a full disk under the state folder: it concerns this step alone
        return Outcome(key=step.key, title=step.title, state=State.BLOCKED, problem=why.problem)


def _show_done(setup: SetupRun, outcome: Outcome) -> None:
    seconds = outcome.seconds if outcome.seconds >= _SHOWN_FROM else None
    mark = "skipped" if outcome.key in setup.skipped else "done"
    ui.progress(mark, outcome.key, outcome.note or outcome.title, seconds)


def _completed(outcome: Outcome, previous: dict[str, Outcome], setup: SetupRun, read_only: bool) -> Outcome:
    """Add the step's remark. A step that waits only for planned changes is pending too, not blocked."""
    if outcome.state is State.DONE:
        return replace(outcome, remark=setup.remarks.get(outcome.key, ""))
    if read_only and outcome.unmet and all(previous[key].state is State.PENDING for key in outcome.unmet):
        return replace(outcome, state=State.PENDING)
    return outcome


def _show_change(step: Step[SetupRun], change: Change[object]) -> None:
    ui.progress("running", step.key, change.text)


def _show_plan(setup: SetupRun, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        note = f"  {outcome.note}" if outcome.note else ""
        ui.say(f"{outcome.key:<12} {outcome.state}{note}")
        for command in _command_lines(setup, outcome):
            ui.say(f"             {command}")
        if outcome.fix:
            ui.say(f"             fix: {outcome.fix}")
    ui.talk("nothing was changed")


def _command_lines(setup: SetupRun, outcome: Outcome) -> list[str]:
    """Return the commands that the planned changes run, else those with the same effect as the step."""
    planned = [change.command_line for change in outcome.changes if change.command]
    return planned or [f"like: {command}" for command in _commands(setup, outcome)]


def _commands(setup: SetupRun, outcome: Outcome) -> tuple[str, ...]:
    return next(step.commands(setup) for step in STEPS if step.key == outcome.key)


def _show_result(setup: SetupRun, name: str, outcomes: Sequence[Outcome], seconds: float) -> None:
    done = [o for o in outcomes if o.state is State.DONE]
    skipped = [o for o in done if o.key in setup.skipped]
    budget = f" (budget {setup.settings.budgets.setup:g} s)" if name == "setup" else ""
    also = f", {len(skipped)} skipped" if skipped else ""
    ui.say(f"{name}: {len(done) - len(skipped)} of {len(outcomes)} steps done{also} in {seconds:.1f} s{budget}")
    for outcome in outcomes:
        if outcome.state is not State.DONE:
            _show_unfinished(outcome, setup.problems.get(outcome.key, []))
    if len(done) == len(outcomes) and any(o.key == "ready" for o in outcomes):
        ui.talk("next: inv intercept SERVICE runs a service here; inv status shows where you are")


def _show_unfinished(outcome: Outcome, problems: Sequence[Problem]) -> None:
    """Print the step with what is wrong and its fix. Several problems have a line each.

    postCreate.sh shows the lines with the mark of a blocked step, and the fixes, in every new terminal.
    """
    mark = ui.mark("waiting" if outcome.unmet else outcome.state)
    if len(problems) < 2:
        ui.say(f"{mark} {outcome.key:<12} {outcome.note or outcome.title}")
        problems = [outcome.problem] if outcome.problem else []
    for problem in problems:
        if len(problems) > 1:
            ui.say(f"{mark} {outcome.key:<12} {problem.what}")
        if problem.fix:
            ui.say(f"   {'':<12} fix: {problem.fix}")


def _step_document(setup: SetupRun, outcome: Outcome) -> dict[str, Any]:
    return {
        "key": outcome.key,
        "title": outcome.title,
        "state": str(outcome.state),
        "skipped": outcome.key in setup.skipped,
        "note": outcome.note,
        "why": outcome.problem.why if outcome.problem else "",
        "fix": outcome.fix,
        "seconds": round(outcome.seconds, 3),
        "commands": list(_commands(setup, outcome)),
        "changes": [_change_document(change) for change in outcome.changes],
        "made": [_change_document(change) for change in outcome.made],
    }


def _change_document(change: Change[object]) -> dict[str, str]:
    return {"text": change.text, "command": change.command, "destroys": change.destroys}


def _keep(setup: SetupRun, name: str, outcomes: Sequence[Outcome], seconds: float) -> None:
    """Keep the outcomes for `inv status`, and the times."""
    now = round(time.time(), 1)
    kept = last()
    for o in outcomes:
        outcome = {"state": str(o.state), "note": o.note, "fix": o.fix, "unmet": list(o.unmet)}
        skipped = o.key in setup.skipped
        kept[o.key] = {**outcome, "skipped": skipped, "seconds": round(o.seconds, 3), "at": now}
    store.cache(store.folder(FILE), json.dumps(kept, indent=1))
    cold = any(o.made for o in outcomes)
    try:
        timing.keep(name, seconds, cold=cold, done=all(o.state is State.DONE for o in outcomes))
        for o in outcomes:
            timing.keep(f"{name}.{o.key}", o.seconds, cold=bool(o.made))
    except Trouble as why:
        ui.warn(f"the times were not kept: {why.what}")
