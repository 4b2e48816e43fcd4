"""Steps: one plan serves check, dry run and verification; the graph runs in parallel and stops on a refusal."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from tasks.core.errors import Blocked, Problem, Refused, ToolError
from tasks.core.plan.change import Change
from tasks.core.plan.outcome import Outcome, State
from tasks.core.plan.steps import Step, apply, check, critical_path, run_graph
from tasks.core.state import store


class World:
    """Facts that a step can read and set."""

    def __init__(self, *facts: str, lies: bool = False) -> None:
        self.facts, self.lies, self.writes = set(facts), lies, 0

    def setting(self, fact: str, destroys: str = "") -> Change:
        def run() -> None:
            self.writes += 1
            if not self.lies:
                self.facts.add(fact)

        return Change(f"set {fact}", run=run, destroys=destroys)


def wants(*facts: str, key: str = "step", needs=(), after=(), destroys: str = "") -> Step[World]:
    def plan(world: World):
        for fact in facts:
            if fact not in world.facts:
                yield world.setting(fact, destroys)

    return Step(key, key, plan, needs, after)


def yes(change: Change) -> bool:
    return True


def quiet(step, change) -> None:
    return None


def test_a_state_that_holds_is_done_and_nothing_is_written():
    world = World("a")
    assert apply(wants("a"), world, yes, quiet).state is State.DONE
    assert world.writes == 0


def test_a_check_writes_nothing():
    world = World()
    outcome = check(wants("a", "b"), world)
    assert outcome.state is State.PENDING
    assert [c.text for c in outcome.changes] == ["set a", "set b"]
    assert world.writes == 0


def test_apply_makes_the_changes_and_checks_again():
    world = World("a")
    outcome = apply(wants("a", "b"), world, yes, quiet)
    assert (outcome.state, [c.text for c in outcome.made]) == (State.DONE, ["set b"])


def test_concurrent_runs_wait_for_the_first_and_find_the_step_done():
    world = World()
    waits: list[str] = []
    outcomes: list[Outcome] = []
    slow = threading.Event()

    def plan(world: World):
        if "a" not in world.facts:
            change = world.setting("a")
            yield Change(change.text, run=lambda: (slow.wait(0.5), change.run()))

    def second() -> None:
        outcomes.append(apply(step, world, yes, lambda _, change: waits.append(change.text), store.lock))

    step = Step("step", "step", plan, lock="a-lock")
    runs = [threading.Thread(target=second) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [o.state for o in outcomes] == [State.DONE] * 3
    assert world.writes == 1
    assert waits.count("wait for another run, which does the same") == 2


def test_a_step_runs_unlocked_when_its_lock_is_unavailable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REMOTE_DEV_STATE", "/proc/nowhere")
    world = World()
    assert apply(replace(wants("a"), lock="a-lock"), world, yes, quiet, store.lock).state is State.DONE


def test_a_tool_that_lies_does_not_make_a_step_done():
    outcome = apply(wants("a"), World(lies=True), yes, quiet)
    assert (outcome.state, outcome.note) == (State.PENDING, "still missing afterwards: set a")


def test_a_destructive_change_is_not_made_without_permission():
    world = World()
    outcome = apply(wants("a", destroys="a colleague's work"), world, lambda c: not c.destroys, quiet)
    assert outcome.state is State.BLOCKED
    assert [c.text for c in outcome.changes] == ["set a"]
    assert outcome.problem == Problem("not allowed without --yes: set a (destroys a colleague's work)", fix="add --yes")
    assert world.writes == 0


def raising(error: Exception, key: str = "step", needs=()) -> Step[World]:
    def plan(world: World):
        raise error
        yield

    return Step(key, key, plan, needs)


def test_a_failed_look_is_unknown_and_not_done():
    outcome = check(raising(ToolError("no answer", why="a VPN", fix="look")), World())
    assert (outcome.state, outcome.problem) == (State.UNKNOWN, Problem("no answer", why="a VPN", fix="look"))
    assert (outcome.note, outcome.fix) == ("no answer (a VPN)", "look")


def test_a_step_that_needs_someone_to_act_is_blocked():
    outcome = check(raising(Blocked("nobody is logged in", fix="log in", code=3)), World())
    assert (outcome.state, outcome.problem) == (
        State.BLOCKED,
        Problem("nobody is logged in", fix="log in", code=3),
    )


def run(steps, world):
    return {o.key: o.state for o in run_graph(steps, lambda s: apply(s, world, yes, quiet))}


def test_a_step_runs_after_what_it_needs():
    order: list[str] = []

    def noting(key: str, needs=()) -> Step[World]:
        def plan(world: World):
            if key not in order:
                yield Change(key, run=lambda: order.append(key))

        return Step(key, key, plan, needs)

    run((noting("c", ("b",)), noting("a"), noting("b", ("a",))), World())
    assert order == ["a", "b", "c"]


def test_a_step_with_an_unknown_need_is_blocked_and_the_rest_runs():
    steps = (raising(ToolError("x"), "a"), wants("f", key="b", needs=("a",)), wants("g", key="c"))
    outcomes = {o.key: o for o in run_graph(steps, lambda s: apply(s, World(), yes, quiet))}
    assert {key: o.state for key, o in outcomes.items()} == {
        "a": State.UNKNOWN,
        "b": State.BLOCKED,
        "c": State.DONE,
    }
    assert (outcomes["b"].unmet, outcomes["b"].problem, outcomes["b"].note) == (("a",), None, "needs a")


def test_after_waits_for_the_end_in_any_state():
    steps = (raising(ToolError("x"), "a"), wants("f", key="b", after=("a",)))
    assert run(steps, World())["b"] is State.DONE


def test_independent_steps_run_in_parallel():
    meeting = threading.Barrier(3, timeout=60)

    def waiting(key: str) -> Step[World]:
        def plan(world: World):
            meeting.wait()
            return ()

        return Step(key, key, plan)

    assert set(run(tuple(waiting(k) for k in "abc"), World()).values()) == {State.DONE}


def test_a_refusal_stops_the_run_and_no_further_step_starts():
    world = World()
    late = wants("late", key="late", after=("no",))
    with pytest.raises(Refused):
        list(run_graph((raising(Refused("production"), "no"), late), lambda s: apply(s, world, yes, quiet)))
    assert world.writes == 0


def test_a_second_run_completes_what_a_crash_interrupted():
    for crash_at in range(3):
        world = World()
        step = wants("a", "b", "c")
        made = 0

        def allow(change: Change, crash_at=crash_at) -> bool:
            nonlocal made
            if made == crash_at:
                raise KeyboardInterrupt
            made += 1
            return True

        with pytest.raises(KeyboardInterrupt):
            apply(step, world, allow, quiet)
        assert apply(step, world, yes, quiet).state is State.DONE
        assert world.writes == 3


def test_the_critical_path_is_the_longest_chain():
    steps = (wants(key="a"), wants(key="b", needs=("a",)), wants(key="c"))
    assert critical_path(steps, {"a": 1, "b": 2, "c": 2.5}) == 3


def test_the_seconds_of_an_outcome_measure_its_step():
    def slow(world: World):
        time.sleep(0.05)
        return ()

    assert check(Step("s", "s", slow), World()).seconds >= 0.05


def test_a_change_shows_whether_its_command_runs():
    runs: Change[None] = Change("pull", ("git", "pull"))
    merges: Change[None] = Change("merge a context", equivalent=("az", "aks", "get-credentials"))
    assert (runs.command_line, runs.would) == ("$ git pull", "would pull\n    $ git pull")
    assert merges.would == "would merge a context\n    like: az aks get-credentials"
    silent: Change[None] = Change("write")
    assert (silent.command_line, silent.would) == ("", "would write")
