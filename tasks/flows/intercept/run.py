"""The intercept from end to end: check, connect, intercept, prove, run, leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.checks import preflight
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.process import foreground, processes
from tasks.core.process.foreground import Interrupted, Signals
from tasks.core.state import journal, store, timing
from tasks.core.state.journal import Entry
from tasks.flows import session
from tasks.flows.intercept import environment, leave, notice, proof
from tasks.flows.intercept.plan import Plan, Request, make
from tasks.flows.intercept.proof import Asked
from tasks.tools import base, telepresence
from tasks.tools.telepresence import Held


@dataclass
class Seconds:
    """connect: 0 when a session was there; intercept: until ACTIVE; routed: until a request arrived; total."""

    connect: float = 0.0
    intercept: float = 0.0
    routed: float = 0.0
    total: float = 0.0

    def document(self) -> dict[str, float]:
        """Rounded, for JSON."""
        return {key: round(value, 3) for key, value in vars(self).items()}


@dataclass(frozen=True)
class Made:
    """An intercept that stands. asked: the proof that it is routed."""

    plan: Plan
    held: Held
    entry: Entry
    asked: Asked
    seconds: Seconds = field(default_factory=Seconds)

    def document(self) -> dict[str, Any]:
        """As `inv intercept --no-run --json` shows it."""
        wanted = self.plan.wanted
        header = f"{wanted.headers[0][0]}: {wanted.headers[0][1]}" if wanted.headers else ""
        return {
            "service": self.plan.request.service.name,
            "workload": wanted.workload,
            "name": wanted.name,
            "mode": self.plan.mode,
            "header": header,
            "local_port": wanted.local_port,
            "remote_port": wanted.remote_port,
            "seconds": self.seconds.document(),
            "proof": self.asked.document(),
        }


def steps_of(s: Settings, plan: Plan) -> list[Change[object]]:
    """What will be done, in order, as a dry run shows it."""
    found = list(session.connect_changes(s))
    found.append(_making(s, plan))
    if plan.argv:
        found.append(Change(f"run in {plan.folder}", plan.argv))
        found.append(telepresence.leave(s, plan.wanted.name))
    return found


def run(
    s: Settings, request: Request, token: Callable[[], str] | None, shown: Callable[[Made], None], *, json: bool = False
) -> int:
    """All of it. Returns the exit code of the local process; whatever happens, the intercept is left again.

    With `--no-run` it stands when this returns. shown: called when it stands and is routed. json: stdout belongs to
    what `shown` prints, so the process writes to stderr.
    """
    began = time.monotonic()
    with foreground.signals() as taken:
        try:
            plan = make(s, request, lambda line: ui.talk(f"   {line}"), token)
            seconds = Seconds(connect=session.ensure(s, guarded=True))
            made = _make(s, plan, seconds, began, taken)
        except Interrupted as why:
            ui.talk("interrupted before the intercept stood; nothing is left")
            return why.exit
        # It stands, and signals are held since: from here on every way out leaves it, unless it is to be kept.
        kept = False
        try:
            taken.release()
            if request.run:
                shown(made)
                return _run_process(s, made, taken, json)
            journal.update(made.entry, keep=True)
            kept = True
            shown(made)
            return 0
        except Interrupted as why:
            return why.exit
        finally:
            if not kept:
                _leave_always(s, made.entry, taken)


def _make(s: Settings, plan: Plan, seconds: Seconds, began: float, taken: Signals) -> Made:
    """Intercept and prove. On any failure, and on a signal, it is left again: it can fail after it exists.

    When this returns, signals are held: the caller releases them where leaving is certain.
    """
    taken.held = True
    entry = _claimed(s, plan)
    try:
        taken.release()
        _free_own_leftover(s, plan)
        started = time.monotonic()
        ui.progress("running", "intercept", _making(s, plan).text)
        with proof.listening(plan.wanted.local_port) as listener:
            held = perform(_making(s, plan))
            assert isinstance(held, Held)
            if held.disposition not in {"", "ACTIVE"}:
                raise ToolError(
                    f"the intercept is {held.disposition}: {held.message or 'no message'}",
                    tool="telepresence",
                    fix="inv tp.status",
                )
            seconds.intercept = time.monotonic() - started
            notice.put(s, plan.wanted.workload, plan.wanted.name, _mode(plan))
            asked = _prove(s, plan, listener)
            seconds.routed = time.monotonic() - started
        seconds.total = time.monotonic() - began
        _write_env_file(plan, held, entry)
        taken.held = True
    except BaseException as why:
        _leave_failed(s, entry, why, taken)
        if isinstance(why, telepresence.Conflict):
            raise _told_by_the_team(s, why, plan) from None
        raise
    timing.keep_if_possible(
        "intercept",
        seconds.routed,
        cold=not plan.place.has_agent,
        service=plan.request.service.name,
        active=round(seconds.intercept, 3),
    )
    return Made(plan, held, entry, asked, seconds)


def _told_by_the_team(s: Settings, why: telepresence.Conflict, plan: Plan) -> Refused:
    """The conflict with what the holder's notice adds: who it is where the version does not tell, and since when."""
    for found in notice.read(s, plan.wanted.workload):
        if not found.mine and why.client in {"", found.client}:
            return Refused(
                f"{plan.wanted.workload} is held by {found.client} ({found.mode}, since {found.age})",
                why=why.why,
                fix=why.fix.replace("in the team", found.client),
            )
    return why


def _mode(plan: Plan) -> str:
    return "; ".join(f"{key}: {value}" for key, value in plan.wanted.headers) or "all traffic"


def _claimed(s: Settings, plan: Plan) -> Entry:
    """Note the intercept in the journal, unless a living run of this workstation has noted the same one meanwhile."""
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


def _prove(s: Settings, plan: Plan, listener: proof.Listener | None) -> Asked:
    """Ask until the local port answers. An answer of the baseline to the end is a failure; `unknown` is said."""
    service = plan.request.service
    ways = proof.ways(s, service, plan.place.service_name, plan.port.number)
    asked = proof.until_local(s, ways, plan.wanted.local_port, plan.headers, listener, for_=3 * s.budgets.intercept)
    if asked.answered_by == "local":
        return asked
    if asked.answered_by == "unknown" or listener is None:
        why = asked.error or f"the answer was HTTP {asked.status}, and nobody can tell whose"
        ui.warn(f"ACTIVE, but no request could prove it: {why} ({asked.url})")
        return asked
    raise Trouble(
        f"{plan.wanted.workload} is ACTIVE, yet requests do not arrive here ({asked.answered_by} answered {asked.url})",
        why="the new pod with the Traffic Agent is not ready, or the requests take another way",
        fix=f"kubectl get pods,events -n {s.cluster.namespace} tells about the pod; inv tp.verify {service.name} asks again",
    )


def _run_process(s: Settings, made: Made, taken: Signals, json: bool) -> int:
    plan = made.plan
    own = {"KUBECONFIG": str(base.frozen_kubeconfig(s))}
    dev = plan.request.service.dev
    env = environment.build(made.held.environment, {**dev.env, "PORT": str(plan.wanted.local_port)}, dev.drop, own)

    def started(pid: int) -> None:
        journal.update(made.entry, group=pid, start=processes.started(pid))
        _say_when_reached(s, made)

    return foreground.run(list(plan.argv), env=env, cwd=plan.folder, taken=taken, started=started, to_stderr=json)


def _say_when_reached(s: Settings, made: Made) -> None:
    """In the background: say when the first request through the ingress has reached the process itself."""
    import threading

    plan = made.plan
    began = time.monotonic()

    def watch() -> None:
        from tasks.core import ports
        from tasks.core.wait import until

        if not until(lambda: ports.owner(plan.wanted.local_port), every=0.1, for_=s.budgets.clone_to_running):
            return
        ways = proof.ways(s, plan.request.service, plan.place.service_name, plan.port.number)
        asked = proof.until_local(s, ways, plan.wanted.local_port, plan.headers, None, for_=20)
        if asked.answered_by == "local":
            seconds = time.monotonic() - began
            ui.progress(
                "done",
                "reached",
                f"a request through the {asked.via} was answered by your process ({asked.ms:.0f} ms)",
                seconds,
            )

    threading.Thread(target=watch, daemon=True).start()


def _making(s: Settings, plan: Plan) -> Change[object]:
    if plan.request.replace:
        return telepresence.replace(s, plan.wanted, str(plan.port.container))
    return telepresence.intercept(s, plan.wanted)


def _free_own_leftover(s: Settings, plan: Plan) -> None:
    """An intercept of the same name that a killed run left is ours to leave."""
    for entry in journal.entries("intercept"):
        if entry.data.get("workload") == plan.wanted.workload and not entry.owner_lives:
            whence = "kept from before" if entry.data.get("keep") else "left behind by a run that was killed"
            ui.talk(f"   leaving {leave.name_of(entry)}, {whence}")
            leave.one(s, entry)
    if leave.held(session.look(s).session, plan.wanted.name):
        ui.talk(f"   leaving {plan.wanted.name}, made by hand before")
        perform(telepresence.leave(s, plan.wanted.name))


def _leave_always(s: Settings, entry: Entry, taken: Signals) -> None:
    """Leave after the process has ended. A signal does not cut this short; a failure is said with what mends it."""
    taken.held = True
    try:
        current = _current(entry)
        leave.one(s, replace(current, data={**current.data, "group": 0}))
        ui.progress("done", "leave", f"{leave.name_of(entry)} is left")
    except Trouble as why:
        ui.talk(why.text())
        ui.warn(f"{leave.name_of(entry)} may still be intercepted; inv down tries again")
    finally:
        taken.held = False


def _current(entry: Entry) -> Entry:
    """The entry with what was added to it since."""
    return next((e for e in journal.entries("intercept") if e.id == entry.id), entry)


def _leave_failed(s: Settings, entry: Entry, why: BaseException, taken: Signals) -> None:
    if isinstance(why, telepresence.Conflict):
        journal.forget(entry)  # the tool says that it is somebody else's: there is nothing of ours
        return
    taken.held = True
    try:
        leave.one(s, _current(entry))
    except Trouble as second:
        ui.talk(second.text().replace("error:", "and leaving failed:", 1))
        ui.warn(f"{leave.name_of(entry)} may still be intercepted; inv down tries again")
    finally:
        taken.held = False


def _write_env_file(plan: Plan, held: Held, entry: Entry) -> None:
    if plan.request.env_file:
        path = Path(plan.request.env_file).absolute()
        journal.update(entry, files=[str(path)])  # noted before it is there: it holds the pod's secrets
        environment.write_file(path, held.environment)
