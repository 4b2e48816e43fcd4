"""The intercept from end to end: check, connect, intercept, prove, run, leave."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import FAILED, Trouble
from tasks.core.plan.change import Change
from tasks.core.process import foreground, processes
from tasks.core.process.foreground import Interrupted, Signals
from tasks.core.repository import CATALOGUE
from tasks.core.state import answered, journal
from tasks.core.state.journal import Entry
from tasks.flows import session
from tasks.flows.intercept import environment, establish, leave
from tasks.flows.intercept import plan as plans
from tasks.flows.intercept.establish import ActiveIntercept, Seconds
from tasks.flows.intercept.plan import Plan
from tasks.flows.intercept.request import Request
from tasks.flows.intercept.watch import Watch
from tasks.tools import base, telepresence


def changes(s: Settings, plan: Plan) -> list[Change[object]]:
    """Return what will be done, in order, as a dry run shows it."""
    steps: list[Change[object]] = [*session.connect_changes(s, now=plan.session), establish.change(s, plan)]
    if plan.local.argv:
        steps.append(Change(f"run in {plan.local.folder}", plan.local.argv))
        steps.append(telepresence.leave(s, plan.wanted.name))
    return steps


def run(s: Settings, request: Request, show: Callable[[ActiveIntercept], None], *, json: bool = False) -> int:
    """Do all of it, and leave the intercept whatever happens. With `--no-run` it stays when this returns.

    show: called when requests arrive. json: stdout belongs to what `show` prints, so the process writes to stderr.

    Returns the exit code of the local process; 1 instead of 0 when the intercept could not be left.
    """
    began = time.monotonic()
    with foreground.signals() as signals:
        try:
            plan = plans.make(s, request)
            seconds = Seconds(connect=session.ensure(s, guarded=True, now=plan.session))
            active = establish.establish(s, plan, seconds, began, signals)
        except Interrupted as why:
            ui.talk("interrupted before the intercept was made; nothing is left behind")
            return why.exit
        # Signals are held since `establish`: a signal is delivered by `release` below, inside the block that leaves.
        done, code = False, 0
        try:
            signals.release()
            if request.run:
                show(active)
                code = _run_process(s, active, signals, json)
            else:
                journal.update(active.entry, keep=True)
                done = True
                show(active)
        except Interrupted as why:
            code = why.exit
        finally:
            done = done or _leave_at_the_end(s, active.entry, signals)
        return code or (0 if done else FAILED)


def _run_process(s: Settings, active: ActiveIntercept, signals: Signals, json: bool) -> int:
    plan = active.plan
    dev = plan.request.service.dev
    pod, port = active.held.environment, plan.wanted.local_port
    env = environment.build(pod, dev, kubeconfig=str(base.frozen_kubeconfig(s)), port=port)
    _say_held_back(environment.held_back(pod, dev))
    watch = Watch(s, plan)

    def started(pid: int) -> None:
        journal.update(active.entry, group=pid, start=processes.started(pid))
        watch.start(pid)

    began = time.monotonic()
    try:
        code = foreground.run(
            list(plan.local.argv), env=env, cwd=plan.local.folder, taken=signals, started=started, to_stderr=json
        )
    finally:
        watch.ended.set()
        answered.clear(plan.request.service.name)
    if not signals.seen:
        _say_ended(plan.local.argv[0], code, time.monotonic() - began)
    return code


def _say_held_back(names: list[str]) -> None:
    if names:
        ui.talk(
            f"   held back from the process: {', '.join(names)} (they make programs here run or load something else;"
            f" dev.allow in {CATALOGUE} lets a variable through)"
        )


def _say_ended(program: str, code: int, seconds: float) -> None:
    """Say that the process ended by itself: unlike one that is watched, it may end before anyone looks."""
    ui.progress("failed" if code else "done", "run", f"{os.path.basename(program)} exited with {code}", seconds)


def _leave_at_the_end(s: Settings, entry: Entry, signals: Signals) -> bool:
    """Leave after the process has ended. Signals are held meanwhile, so that Ctrl-C does not interrupt it.

    Returns whether the intercept was left.
    """
    signals.held = True
    try:
        current = leave.current(entry)
        # group=0: the process has ended, and its pid may belong to another process by now.
        leave.leave_entry(s, replace(current, data={**current.data, "group": 0}))
        ui.progress("done", "leave", f"left the intercept {leave.name_of(entry)}")
        return True
    except Trouble as why:
        ui.talk(why.text())
        ui.warn(f"{leave.name_of(entry)} may still be intercepted; inv down tries again")
        return False
    finally:
        signals.held = False
