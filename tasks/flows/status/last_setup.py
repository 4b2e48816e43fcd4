"""What the last `inv setup` did not do, compared with the state of now: other commands may have done it since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tasks.core.errors import Problem
from tasks.flows.setup import STEPS
from tasks.flows.setup.cli import last
from tasks.flows.status.facts import Fact, State

# The steps whose result is looked at in another section of `inv status`.
_SHOWN_IN = {"tools": "tools", "login": "login", "connect": "session", "ready": "session"}


def settled(facts: Sequence[Fact]) -> list[Fact]:
    """Return the facts, with each step of the last setup that is done by now marked as done."""
    done, kept = _done(facts), last()
    return [
        _by_now(fact, done, kept.get(fact.name, {}).get("unmet")) if fact.section == "setup" and fact.name else fact
        for fact in facts
    ]


def _by_now(fact: Fact, done: set[str], unmet: Any) -> Fact:
    """The step as it is now. unmet: the needs that the last run lacked, as they were kept."""
    if fact.name in done:
        was = fact.problem.what if fact.problem else fact.value
        return replace(fact, state=State.OK, problem=None, value=f"done by now; {was}")
    lacked = [str(step) for step in unmet] if isinstance(unmet, list) else []
    if lacked and done.issuperset(lacked):
        what = f"not tried in the last run, which lacked {', '.join(lacked)}"
        return replace(fact, problem=Problem(what, fix=f"inv setup --only {fact.name}"))
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
