"""A write, described before it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Change:
    """One change. In a step `core/steps.py` runs it; elsewhere `perform` does, in sight of whoever reads the flow.

    text:     what it does, for a person ("merge context dev into ~/.kube/config")
    argv:     the command, where it is one; without secrets
    run:      does it; raises Trouble when it fails
    destroys: what is lost by it; empty when nothing is. Such a change needs `--yes`
    """

    text: str
    argv: tuple[str, ...] = ()
    run: Callable[[], object] = field(default=_nothing, compare=False, repr=False)
    destroys: str = ""

    @property
    def command(self) -> str:
        """The command as a person would type it, empty when it is none."""
        import shlex

        return shlex.join(self.argv)

    @property
    def would(self) -> str:
        """What a dry run says: the text, and below it the command, where it is one."""
        return f"would {self.text}" + (f"\n    $ {self.command}" if self.argv else "")


def perform(change: Change) -> object:
    """Do it now, outside a step: for flows whose next write depends on this one's result."""
    return change.run()
