"""The result of a step. The daily engine (`steps.py`) and the migration's engine share `State` and `BaseOutcome`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tasks.core.errors import Problem
from tasks.core.plan.change import Change


class State(StrEnum):
    DONE = "done"  # nothing to change
    PENDING = "pending"  # changes are missing
    BLOCKED = "blocked"  # a need is unmet, someone must act first, or a change was not allowed
    UNKNOWN = "unknown"  # could not look; never treated as done


@dataclass(frozen=True, kw_only=True)
class BaseOutcome:
    """What every outcome says: which step, and its state."""

    key: str
    title: str
    state: State

    unmet: tuple[str, ...] = ()
    """Keys of the needed steps that are not done."""


@dataclass(frozen=True, kw_only=True)
class Outcome(BaseOutcome):
    """The result of a check or an apply of one step."""

    changes: tuple[Change[object], ...] = ()
    """The changes that are still missing."""

    made: tuple[Change[object], ...] = ()
    """The changes that were made."""

    problem: Problem | None = None
    """Why the step is blocked or unknown; None when its needs are unmet."""

    remark: str = ""
    """Information from a step that is done."""

    seconds: float = 0.0
    """How long the step itself took."""

    @property
    def note(self) -> str:
        """The outcome in one line, for display; empty when the state says everything."""
        if self.unmet:
            return f"{'after' if self.state is State.PENDING else 'needs'} {', '.join(self.unmet)}"
        if self.problem:
            return self.problem.summary
        if self.state is State.PENDING and self.made:
            return f"still missing afterwards: {self.changes[0].text}"
        if self.state is State.PENDING:
            return "; ".join(change.text for change in self.changes)
        return self.remark

    @property
    def fix(self) -> str:
        """The fix of the problem; empty without one."""
        return self.problem.fix if self.problem else ""
