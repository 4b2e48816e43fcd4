"""What the last `inv setup` did not do, seen with what holds now: much of it can be done by other commands since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tasks.core.errors import Problem
from tasks.flows.setup import STEPS
from tasks.flows.setup.cli import last
from tasks.flows.status.facts import Fact, State

# The steps whose result is looked at in another section of `inv status`.
_SHOWN_IN = {"tools": "tools", "login": "login", "connect": "session", "ready": "session"}


def settled(facts: Sequence[Fact]) -> list[Fact]:
    """Return the facts with the steps of the last setup that are done by now as such."""
    done = _done(facts)
    return [_by_now(fact, done) if fact.section == "setup" and fact.name else fact for fact in facts]


def _by_now(fact: Fact, done: set[str]) -> Fact:
    was = fact.problem.what if fact.problem else fact.value
    if fact.name in done:
        return replace(fact, state=State.OK, problem=None, value=f"done by now; in the last run it was {was}")
    unmet = last()[fact.name].get("unmet")
    waited_for = [str(step) for step in unmet] if isinstance(unmet, list) else []
    if waited_for and done.issuperset(waited_for):
        problem = Problem(
            f"not tried in the last run, which lacked {', '.join(waited_for)}", fix=f"inv setup --only {fact.name}"
        )
        return replace(fact, state=State.WARN, problem=problem)
    return fact


def _done(facts: Sequence[Fact]) -> set[str]:
    """The steps that are done by what the other sections show. What a done step needs is done too."""
    done = {step for step, section in _SHOWN_IN.items() if _is_fine(facts, section)}
    for step in reversed(STEPS):
        if step.key in done:
            done.update(step.needs)
    return done


def _is_fine(facts: Sequence[Fact], section: str) -> bool:
    """Was the section looked at, and nothing found? A missing optional tool is only a warning and stops no step."""
    found = [fact for fact in facts if fact.section == section]
    optional = {State.WARN} if section == "tools" else set()
    return bool(found) and all(fact.problem is None or fact.state in optional for fact in found)
