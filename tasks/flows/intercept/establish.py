"""Make an intercept and prove that requests arrive; on any failure leave it again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.checks import preflight
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.process.foreground import Signals
from tasks.core.state import journal, store, timing
from tasks.core.state.journal import Entry
from tasks.flows import session
from tasks.flows.intercept import env_file, leave, notice, proof
from tasks.flows.intercept.plan import Plan, describe_traffic
from tasks.flows.intercept.proof import Answer, AnsweredBy
from tasks.flows.intercept.request import port_must_be_free
from tasks.tools import base, telepresence
from tasks.tools.telepresence import Held


@dataclass
class Seconds:
    """How long the parts took."""

    connect: float = 0.0
    """0 when there was a session already."""

    intercept: float = 0.0
    """Until Telepresence said ACTIVE."""

    routed: float = 0.0
    """Until a request arrived here."""

    total: float = 0.0

    def document(self) -> dict[str, float]:
        """Return them rounded, for JSON."""
        return {key: round(value, 3) for key, value in vars(self).items()}


@dataclass(frozen=True)
class ActiveIntercept:
    """An intercept that exists."""

    plan: Plan
    held: Held
    entry: Entry

    answer: Answer
    """The proof that requests arrive, or the last answer without one."""

    seconds: Seconds = field(default_factory=Seconds)

    def document(self) -> dict[str, Any]:
        """Return it as `inv intercept --json` shows it."""
        wanted = self.plan.wanted
        return {
            "service": self.plan.request.service.name,
            "workload": wanted.workload,
            "name": wanted.name,
            "mode": self.plan.mode,
            "header": describe_traffic(self.plan.headers) if wanted.headers else "",
            "local_port": wanted.local_port,
            "remote_port": wanted.remote_port,
            "seconds": self.seconds.document(),
            "proof": self.answer.document(),
        }


def change(s: Settings, plan: Plan) -> Change[Held]:
    """Return the change that makes the intercept."""
    if plan.request.replace:
        return telepresence.replace(s, plan.wanted, str(plan.port.container))
    return telepresence.intercept(s, plan.wanted)


def establish(s: Settings, plan: Plan, seconds: Seconds, began: float, signals: Signals) -> ActiveIntercept:
    """Make the intercept and prove it.

    Leaves it again on any failure and on a signal: Telepresence may fail after the intercept exists (a failed
    `--env-file`, an agent that came late), and then rolls nothing back.

    When this returns, signals are held. The caller releases them inside a block that is certain to leave: released
    here, one that arrives before that block would leave the intercept behind.
    """
    signals.held = True
    entry = _claim(s, plan)
    with _left_on_failure(s, plan, entry, signals):
        signals.release()
        _leave_own_orphan(s, plan)
        if plan.request.run:
            port_must_be_free(plan.wanted.local_port)  # an orphan had it until now, if anybody had
        started = time.monotonic()
        intercept = change(s, plan)
        ui.progress("running", "intercept", intercept.text)
        with proof.listening(plan.wanted.local_port) as listener:
            held = perform(intercept)
            _must_be_active(held)
            seconds.intercept = time.monotonic() - started
            notice.put(s, plan.wanted.workload, plan.wanted.name, plan.headers)
            answer = _prove(s, plan, listener)
            seconds.routed = time.monotonic() - started
        seconds.total = time.monotonic() - began
        _write_env_file(plan, held, entry)
        signals.held = True
    timing.keep_if_possible(
        "intercept",
        seconds.routed,
        cold=not plan.cluster_service.has_agent,
        service=plan.request.service.name,
        workload=plan.wanted.workload,
        active=round(seconds.intercept, 3),
    )
    return ActiveIntercept(plan, held, entry, answer, seconds)


class _Switched(Trouble):
    """Another terminal has ended or switched the session, before anything was made in it."""


@contextmanager
def _left_on_failure(s: Settings, plan: Plan, entry: Entry, signals: Signals) -> Iterator[None]:
    try:
        yield
    except telepresence.Conflict as conflict:
        journal.forget(entry)  # Telepresence says that somebody else holds it: there is nothing of ours to leave
        raise _with_holder(s, conflict, plan) from None
    except _Switched:
        journal.forget(entry)
        raise
    except BaseException:
        _leave_after_failure(s, entry, signals)
        raise


def _with_holder(s: Settings, conflict: telepresence.Conflict, plan: Plan) -> Refused:
    """Return the conflict with what the holder's notice adds: the name where the version omits it, and since when."""
    for note in notice.read(s, plan.wanted.workload):
        if not note.mine and conflict.client in {"", note.client}:
            return Refused(
                f"{plan.wanted.workload} is held by {note.holder} ({note.mode}, started {note.age})",
                why=conflict.why,
                fix="; ".join((f"ask {note.holder}", *conflict.ways)),
            )
    return conflict


def _claim(s: Settings, plan: Plan) -> Entry:
    """Record the intercept in the journal. Refused when another run of this workstation has recorded the same one."""
    with store.lock("intercepts"):
        for other in journal.entries("intercept"):
            if other.data.get("workload") == plan.wanted.workload and other.owner_lives:
                raise preflight.held_by_own(plan.wanted.workload, other.pid)
        return journal.record(
            "intercept",
            name=plan.wanted.name,
            service=plan.request.service.name,
            workload=plan.wanted.workload,
            local_port=plan.wanted.local_port,
            mode=plan.mode,
            context=s.cluster.context,
            namespace=s.cluster.namespace,
            kubeconfig=str(base.frozen_kubeconfig(s)),
        )


def _leave_own_orphan(s: Settings, plan: Plan) -> None:
    """Leave what this workstation still holds of the workload: kept with --no-run, orphaned, or made by hand."""
    found = [e for e in journal.entries("intercept") if e.data.get("workload") == plan.wanted.workload]
    orphans = [entry for entry in found if not entry.owner_lives]
    for entry in orphans:
        origin = "kept by an earlier run" if entry.data.get("keep") else "left behind by a killed run"
        ui.talk(f"   leaving {leave.name_of(entry)}, {origin}")
        leave.leave_entry(s, entry)
    is_same = not orphans and session.still_holds(s, plan.session)  # else another session, or another state of it
    now = plan.session if is_same else session.settled(s)
    if not now.here:  # Telepresence would intercept in the session that it finds, or open one of its own
        raise _Switched(
            f"no session to intercept in: {now.why}",
            why="another terminal has ended or switched it meanwhile",
            fix="run this again",
        )
    if leave.holds(now.session, plan.wanted.name):
        ui.talk(f"   leaving {plan.wanted.name}, made by hand earlier")
        perform(telepresence.leave(s, plan.wanted.name))


def _must_be_active(held: Held) -> None:
    if held.disposition not in {"", "ACTIVE"}:
        raise ToolError(
            f"the intercept is {held.disposition}: {held.message or 'no message'}",
            tool="telepresence",
            fix="inv tp.status",
        )


def _prove(s: Settings, plan: Plan, listener: proof.Listener | None) -> Answer:
    """Send requests until one arrives on the local port. Fails when others answer to the end; warns when unclear."""
    service = plan.request.service
    ways = proof.ways(s, service, plan.cluster_service.service_name, plan.port.number)
    answer = proof.until_local(s, ways, plan.wanted.local_port, plan.headers, listener, for_=3 * s.budgets.intercept)
    if answer.answered_by is AnsweredBy.LOCAL:
        return answer
    if answer.answered_by is AnsweredBy.UNKNOWN or listener is None:
        reason = answer.error or f"HTTP {answer.status} may be a gateway's answer"
        ui.warn(f"ACTIVE, but no request could prove it: {reason} ({answer.url})")
        return answer
    who = "nobody" if answer.answered_by is AnsweredBy.NOBODY else f"the {answer.answered_by}"
    raise Trouble(
        f"{plan.wanted.workload} is ACTIVE, but requests do not arrive here ({who} answered {answer.url})",
        why="the new pod with the Traffic Agent is not ready, or requests are routed elsewhere",
        fix=f"kubectl get pods,events -n {s.cluster.namespace} shows the pod's state; inv tp.verify {service.name} asks again",
    )


def _write_env_file(plan: Plan, held: Held, entry: Entry) -> None:
    if plan.request.env_file:
        path = Path(plan.request.env_file).absolute()
        env_file.write(entry, path, held.environment, plan.request.service.dev)


def _leave_after_failure(s: Settings, entry: Entry, signals: Signals) -> None:
    signals.held = True
    try:
        leave.leave_entry(s, leave.current(entry))
    except Trouble as why:
        ui.talk("leaving it failed too:")
        ui.talk(why.text())
        ui.warn(f"{leave.name_of(entry)} may still be intercepted; inv down tries again")
    finally:
        signals.held = False
