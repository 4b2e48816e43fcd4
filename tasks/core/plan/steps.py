"""Steps: say what is missing, change it, look again. Run as a graph, in parallel where they do not need each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import Generic, TypeVar

from tasks.core.errors import Blocked, Refused, ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.state import store as state

Context = TypeVar("Context")
_PATIENCE = 600.0  # seconds to wait for another run that makes the same


class State(StrEnum):
    DONE = "done"  # nothing to change
    PENDING = "pending"  # the plan is not empty
    BLOCKED = "blocked"  # a need is not done, a person must act first, or the change was not allowed
    UNKNOWN = "unknown"  # could not look: never treated as done


@dataclass(frozen=True)
class Step(Generic[Context]):
    """A state that shall hold.

    key:   stable for ever, as typed after --only
    title: the state, not the action ("the packages of the lock file are installed")
    plan:  reads the world and yields the missing changes; raises Blocked when a person must act first,
           ToolError when it could not look, Refused to stop the whole run
    needs: keys that must be done before; after: keys that must merely have ended
    alone: a lock's name, where two runs at the same time would make it twice: the second waits and finds it done
    """

    key: str
    title: str
    plan: Callable[[Context], Iterable[Change[object]]]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    alone: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a step. `seconds` is its own time; `changes` are those still missing (check) or made (apply)."""

    key: str
    title: str
    state: State
    changes: tuple[Change[object], ...] = ()
    made: tuple[Change[object], ...] = ()
    note: str = ""
    fix: str = ""
    seconds: float = 0.0
    error: ToolError | Blocked | None = None


def check(step: Step[Context], context: Context) -> Outcome:
    """Look only: plan, check, dry run and verify in one."""
    return _timed(lambda: _look(step, context))


def apply(
    step: Step[Context],
    context: Context,
    allow: Callable[[Change[object]], bool],
    tell: Callable[[Step[Context], Change[object]], None],
) -> Outcome:
    """Make the missing changes one at a time, then look again. A crash anywhere is mended by a second run."""

    def work() -> Outcome:
        made: list[Change[object]] = []
        try:
            for change in step.plan(context):
                if not allow(change):
                    note = f"not allowed without --yes: {change.text} (destroys {change.destroys})"
                    return Outcome(step.key, step.title, State.BLOCKED, (change,), tuple(made), note, fix="add --yes")
                tell(step, change)
                change.run()
                made.append(change)
        except Blocked as why:
            return _stopped(step, State.BLOCKED, why, made)
        except ToolError as why:
            return _stopped(step, State.UNKNOWN, why, made)
        if not made:
            return Outcome(step.key, step.title, State.DONE)
        return replace(_look(step, context), made=tuple(made))

    def turn() -> Outcome:
        with _alone(step.alone, lambda: tell(step, Change("wait for another run, which does the same"))):
            return work()

    return _timed(turn if step.alone else work)


@contextmanager
def _alone(name: str, waiting: Callable[[], object]) -> Iterator[None]:
    """Hold this lock. One that cannot be had (nothing can be written there) stops nobody."""
    with ExitStack() as held:
        try:
            held.enter_context(state.lock(name, wait=_PATIENCE, waiting=waiting))
        except Trouble:
            pass
        yield


def run_graph(
    steps: Sequence[Step[Context]],
    one: Callable[[Step[Context]], Outcome],
    *,
    started: Callable[[Step[Context]], None] = lambda step: None,
    workers: int = 8,
) -> Iterator[Outcome]:
    """Run `one` over the steps, each as soon as what it needs has ended; yield each outcome when it is there.

    A step whose needs are not all done is `blocked` without a look. A Refused stops the run: nothing further is
    started, what runs is waited for, and it is raised.
    """
    by_key = {step.key: step for step in steps}
    graph = {s.key: [n for n in (*s.needs, *s.after) if n in by_key] for s in steps}
    sorter: TopologicalSorter[str] = TopologicalSorter(graph)
    sorter.prepare()
    ended: dict[str, State] = {}
    running: dict[Future[Outcome], str] = {}
    refused: Refused | None = None
    with ThreadPoolExecutor(max_workers=workers) as pool:
        while True:
            if refused is None:
                while sorter.is_active() and (ready := sorter.get_ready()):
                    for key in sorted(ready, key=list(by_key).index):
                        step = by_key[key]
                        missing = [n for n in step.needs if n in by_key and ended[n] is not State.DONE]
                        if missing:
                            ended[key] = State.BLOCKED
                            sorter.done(key)
                            yield Outcome(key, step.title, State.BLOCKED, note=f"needs {', '.join(missing)}")
                            continue
                        started(step)
                        running[pool.submit(one, step)] = key
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                key = running.pop(future)
                try:
                    outcome = future.result()
                except Refused as why:
                    refused = refused or why
                    continue
                ended[key] = outcome.state
                sorter.done(key)
                yield outcome
    if refused is not None:
        raise refused


def critical_path(steps: Sequence[Step[Context]], seconds: dict[str, float]) -> float:
    """The longest chain of needs, by the measured seconds of each step."""
    by_key = {s.key: s for s in steps}
    longest: dict[str, float] = {}
    for key in TopologicalSorter(
        {s.key: [n for n in (*s.needs, *s.after) if n in by_key] for s in steps}
    ).static_order():
        before = [longest[n] for n in (*by_key[key].needs, *by_key[key].after) if n in longest]
        longest[key] = max(before, default=0.0) + seconds.get(key, 0.0)
    return max(longest.values(), default=0.0)


def _look(step: Step[Context], context: Context) -> Outcome:
    try:
        changes = tuple(step.plan(context))
    except Blocked as why:
        return _stopped(step, State.BLOCKED, why, [])
    except ToolError as why:
        return _stopped(step, State.UNKNOWN, why, [])
    return Outcome(step.key, step.title, State.PENDING if changes else State.DONE, changes)


def _stopped(step: Step[Context], state: State, why: Blocked | ToolError, made: list[Change[object]]) -> Outcome:
    note = why.what if not why.why else f"{why.what} ({why.why})"
    return Outcome(step.key, step.title, state, (), tuple(made), note, why.fix, error=why)


def _timed(work: Callable[[], Outcome]) -> Outcome:
    began = time.monotonic()
    outcome = work()
    return replace(outcome, seconds=time.monotonic() - began)
