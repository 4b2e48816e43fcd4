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
    """One write. A step yields it and `core/plan/steps.py` runs it; other flows call `perform`."""

    text: str
    """What it does, for a person: "merge context dev into ~/.kube/config"."""

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
        """The command as a person would type it: the one that runs, or the equivalent one; may be empty."""
        return shlex.join(self.argv or self.equivalent)

    @property
    def would(self) -> str:
        """The lines of a dry run: the text, and below it the command."""
        if self.argv:
            return f"would {self.text}\n    $ {self.command}"
        if self.equivalent:
            return f"would {self.text}\n    like: {self.command}"
        return f"would {self.text}"


def perform(change: Change[Result]) -> Result:
    """Make the change now, outside a step, for a flow whose next write depends on the result."""
    return change.run()
