"""A write, described before it happens."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Result = TypeVar("Result", covariant=True)


def _nothing() -> Any:
    return None


@dataclass(frozen=True)
class Change(Generic[Result]):
    """One write. Steps yield changes and `core/plan/steps.py` runs them; other code calls `perform`."""

    text: str
    """What it does, for display: "merge context dev into ~/.kube/config"."""

    argv: tuple[str, ...] = ()
    """The command that `run` executes, without secrets; empty when `run` executes none."""

    run: Callable[[], Result] = field(default=_nothing, compare=False, repr=False)
    """Makes the change. Raises Trouble when it fails."""

    destroys: str = ""
    """What is lost by it; empty when nothing is. A change that destroys something needs `--yes`."""

    equivalent: tuple[str, ...] = ()
    """A command with the same effect, when `run` is a function of ours. Shown as "like", because it is not executed."""

    @property
    def command(self) -> str:
        """The command to type by hand: the one that runs, or the equivalent one; empty when there is neither."""
        return shlex.join(self.argv or self.equivalent)

    @property
    def command_line(self) -> str:
        """The command, marked as one that runs (`$ `) or as an equivalent one (`like: `); empty without a command."""
        if not self.command:
            return ""
        return f"$ {self.command}" if self.argv else f"like: {self.command}"

    @property
    def would(self) -> str:
        """The lines of a dry run: the text, and below it the command."""
        command = f"\n    {self.command_line}" if self.command else ""
        return f"would {self.text}{command}"


def perform(change: Change[Result]) -> Result:
    """Make the change now, outside of a step."""
    return change.run()
