"""Steps: one plan is check, dry run and verify; the graph runs in parallel and stops for a refusal."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from tasks.core.errors import Blocked, Refused, ToolError
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Outcome, State, Step, apply, check, critical_path, run_graph


class World:
    """A world of facts that are set or not."""

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


def test_what_is_there_already_is_done_and_nothing_is_written():
    world = World("a")
    assert apply(wants("a"), world, yes, quiet).state is State.DONE
    assert world.writes == 0


def test_a_check_writes_nothing():
    world = World()
    outcome = check(wants("a", "b"), world)
    assert outcome.state is State.PENDING
    assert [c.text for c in outcome.changes] == ["set a", "set b"]
    assert world.writes == 0


def test_apply_makes_the_changes_and_looks_again():
    world = World("a")
    outcome = apply(wants("a", "b"), world, yes, quiet)
    assert (outcome.state, [c.text for c in outcome.made]) == (State.DONE, ["set b"])


def test_of_two_runs_at_once_the_second_waits_and_finds_it_done():
    world = World()
    waits: list[str] = []
    outcomes: list[Outcome] = []
    slow = threading.Event()

    def plan(world: World):
        if "a" not in world.facts:
            change = world.setting("a")
            yield Change(change.text, run=lambda: (slow.wait(0.5), change.run()))

    def second() -> None:
        outcomes.append(apply(step, world, yes, lambda _, change: waits.append(change.text)))

    step = Step("step", "step", plan, alone="a-lock")
    runs = [threading.Thread(target=second) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [o.state for o in outcomes] == [State.DONE] * 3
    assert world.writes == 1
    assert waits.count("wait for another run, which does the same") == 2


def test_a_lock_that_cannot_be_made_stops_no_step(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REMOTE_DEV_STATE", "/proc/nowhere")
    world = World()
    assert apply(replace(wants("a"), alone="a-lock"), world, yes, quiet).state is State.DONE


def test_a_tool_that_lies_does_not_make_a_step_done():
    assert apply(wants("a"), World(lies=True), yes, quiet).state is State.PENDING


def test_what_destroys_is_not_done_without_leave():
    world = World()
    outcome = apply(wants("a", destroys="a colleague's work"), world, lambda c: not c.destroys, quiet)
    assert outcome.state is State.BLOCKED
    assert "a colleague's work" in outcome.note
    assert world.writes == 0


def raising(error: Exception, key: str = "step", needs=()) -> Step[World]:
    def plan(world: World):
        raise error
        yield

    return Step(key, key, plan, needs)


def test_could_not_look_is_unknown_and_not_done():
    outcome = check(raising(ToolError("no answer", fix="look")), World())
    assert (outcome.state, outcome.note, outcome.fix) == (State.UNKNOWN, "no answer", "look")


def test_a_person_must_act_is_blocked():
    assert check(raising(Blocked("nobody is logged in", fix="log in")), World()).state is State.BLOCKED


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


def test_what_needs_an_unknown_step_is_blocked_and_the_rest_runs():
    steps = (raising(ToolError("x"), "a"), wants("f", key="b", needs=("a",)), wants("g", key="c"))
    assert run(steps, World()) == {"a": State.UNKNOWN, "b": State.BLOCKED, "c": State.DONE}


def test_after_waits_for_the_end_whatever_it_was():
    steps = (raising(ToolError("x"), "a"), wants("f", key="b", after=("a",)))
    assert run(steps, World())["b"] is State.DONE


def test_steps_that_do_not_need_each_other_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=5)

    def waiting(key: str) -> Step[World]:
        def plan(world: World):
            meeting.wait()
            return ()

        return Step(key, key, plan)

    assert set(run(tuple(waiting(k) for k in "abc"), World()).values()) == {State.DONE}


def test_a_refusal_stops_the_run_and_nothing_further_starts():
    world = World()
    late = wants("late", key="late", after=("no",))
    with pytest.raises(Refused):
        list(run_graph((raising(Refused("production"), "no"), late), lambda s: apply(s, world, yes, quiet)))
    assert world.writes == 0


def test_a_crash_after_any_change_is_mended_by_a_second_run():
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


def test_seconds_are_a_steps_own():
    def slow(world: World):
        time.sleep(0.05)
        return ()

    assert check(Step("s", "s", slow), World()).seconds >= 0.05
