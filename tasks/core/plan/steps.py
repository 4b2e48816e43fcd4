"""Steps: plan the missing changes, make them, check again. Independent steps run in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Generic, Protocol, TypeVar

from tasks.core.errors import Blocked, Problem, Refused, ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.plan.outcome import Outcome
from tasks.core.plan.outcome import State as State

Context = TypeVar("Context")
_LOCK_DEADLINE = 600.0  # seconds to wait for another run of the same step


def _no_commands(context: object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Step(Generic[Context]):
    """A state that should hold."""

    key: str
    """The name after `--only`; never changes."""

    title: str
    """The state, not the action: "the packages of the lock file are installed"."""

    plan: Callable[[Context], Iterable[Change[object]]]
    """Yields the missing changes. Only the engine makes them.

    Raises Blocked when someone must act first, ToolError when it could not look, Refused to stop the whole run.
    """

    needs: tuple[str, ...] = ()
    """Keys of steps that must be done before."""

    after: tuple[str, ...] = ()
    """Keys of steps that must have ended before, in any state."""

    lock: str = ""
    """Name of a lock. Of two concurrent runs the second waits for the first, then finds the step done."""

    commands: Callable[[Context], tuple[str, ...]] = _no_commands
    """Commands with the same effect, to type by hand."""


class Lock(Protocol):
    """Opens a lock by name. Raises Trouble when it is not available within `wait` seconds."""

    def __call__(self, name: str, *, wait: float, waiting: Callable[[], object]) -> AbstractContextManager[object]: ...


def no_lock(name: str, *, wait: float, waiting: Callable[[], object]) -> AbstractContextManager[object]:
    """Run without locks."""
    return nullcontext()


def check(step: Step[Context], context: Context) -> Outcome:
    """Plan the step and change nothing."""
    return _timed(lambda: _look(step, context))


def apply(
    step: Step[Context],
    context: Context,
    allow: Callable[[Change[object]], bool],
    report: Callable[[Step[Context], Change[object]], None],
    lock: Lock = no_lock,
) -> Outcome:
    """Make the missing changes one at a time, then check again. After a crash, a second run continues.

    allow: whether a change may be made; report: called before each change.
    """

    def locked() -> Outcome:
        waiting: Change[object] = Change("wait for another run, which does the same")
        with _held(lock, step.lock, lambda: report(step, waiting)):
            return _apply(step, context, allow, report)

    return _timed(locked if step.lock else lambda: _apply(step, context, allow, report))


def run_graph(
    steps: Sequence[Step[Context]], work: Callable[[Step[Context]], Outcome], *, workers: int = 8
) -> Iterator[Outcome]:
    """Call `work` for each step as soon as its needs have ended, and yield the outcomes as they come.

    A step with an unmet need is blocked without a call. Refused stops the run: no further step starts, and it is
    raised when the running ones have ended.
    """
    schedule = _Schedule(steps)
    running: dict[Future[Outcome], Step[Context]] = {}
    refused: Refused | None = None
    with ThreadPoolExecutor(max_workers=workers) as pool:
        while refused is None or running:
            if refused is None:
                for step in schedule.ready():
                    unmet = schedule.unmet(step)
                    if unmet:
                        schedule.end(step, State.BLOCKED)
                        yield Outcome(key=step.key, title=step.title, state=State.BLOCKED, unmet=unmet)
                    else:
                        running[pool.submit(work, step)] = step
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                try:
                    outcome = future.result()
                except Refused as why:
                    refused = refused or why
                else:
                    schedule.end(step, outcome.state)
                    yield outcome
    raise refused


def critical_path(steps: Sequence[Step[Context]], seconds: Mapping[str, float]) -> float:
    """Return the duration of the longest chain of steps, from the measured seconds of each."""
    predecessors = _predecessors(steps)
    longest: dict[str, float] = {}
    for key in TopologicalSorter(predecessors).static_order():
        before = max((longest[need] for need in predecessors[key]), default=0.0)
        longest[key] = before + seconds.get(key, 0.0)
    return max(longest.values(), default=0.0)


class _Schedule(Generic[Context]):
    """Which steps can start, by the states of the ended ones."""

    def __init__(self, steps: Sequence[Step[Context]]) -> None:
        self._steps = {step.key: step for step in steps}
        self._order = {step.key: place for place, step in enumerate(steps)}
        self._states: dict[str, State] = {}
        self._sorter = TopologicalSorter(_predecessors(steps))
        self._sorter.prepare()

    def ready(self) -> Iterator[Step[Context]]:
        """Yield the steps that can start now, also those that become ready because a yielded one has ended."""
        while self._sorter.is_active() and (keys := self._sorter.get_ready()):
            yield from (self._steps[key] for key in sorted(keys, key=self._order.__getitem__))

    def unmet(self, step: Step[Context]) -> tuple[str, ...]:
        """Return the needs that are part of the run and not done."""
        return tuple(need for need in step.needs if self._states.get(need, State.DONE) is not State.DONE)

    def end(self, step: Step[Context], state: State) -> None:
        """Record the state of an ended step."""
        self._states[step.key] = state
        self._sorter.done(step.key)


def _predecessors(steps: Sequence[Step[Context]]) -> dict[str, list[str]]:
    """Map each key to the steps that run before it. A step that is not part of the run does not count."""
    keys = {step.key for step in steps}
    return {step.key: [need for need in (*step.needs, *step.after) if need in keys] for step in steps}


def _apply(
    step: Step[Context],
    context: Context,
    allow: Callable[[Change[object]], bool],
    report: Callable[[Step[Context], Change[object]], None],
) -> Outcome:
    made: list[Change[object]] = []
    try:
        for change in step.plan(context):
            if not allow(change):
                outcome = _stopped(step, State.BLOCKED, _not_allowed(change), made)
                return replace(outcome, changes=(change,))
            report(step, change)
            change.run()
            made.append(change)
    except Blocked as why:
        return _stopped(step, State.BLOCKED, why.problem, made)
    except ToolError as why:
        return _stopped(step, State.UNKNOWN, why.problem, made)
    if not made:
        return Outcome(key=step.key, title=step.title, state=State.DONE)
    return replace(_look(step, context), made=tuple(made))


def _not_allowed(change: Change[object]) -> Problem:
    return Problem(f"not allowed without --yes: {change.text} (destroys {change.destroys})", fix="add --yes")


@contextmanager
def _held(lock: Lock, name: str, waiting: Callable[[], object]) -> Iterator[None]:
    """Hold the lock. Run unlocked when it is not available, for example because the state folder is read-only."""
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(name, wait=_LOCK_DEADLINE, waiting=waiting))
        except Trouble:
            pass
        yield


def _look(step: Step[Context], context: Context) -> Outcome:
    try:
        changes = tuple(step.plan(context))
    except Blocked as why:
        return _stopped(step, State.BLOCKED, why.problem)
    except ToolError as why:
        return _stopped(step, State.UNKNOWN, why.problem)
    state = State.PENDING if changes else State.DONE
    return Outcome(key=step.key, title=step.title, state=state, changes=changes)


def _stopped(step: Step[Context], state: State, problem: Problem, made: Sequence[Change[object]] = ()) -> Outcome:
    return Outcome(key=step.key, title=step.title, state=state, made=tuple(made), problem=problem)


def _timed(work: Callable[[], Outcome]) -> Outcome:
    began = time.monotonic()
    outcome = work()
    return replace(outcome, seconds=time.monotonic() - began)
