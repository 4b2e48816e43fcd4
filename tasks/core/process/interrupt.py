"""How a signal ends a run. Loaded with every command, so it imports little."""

from __future__ import annotations

import signal
import sys
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
_seen = 0


class Interrupted(SystemExit):
    """A signal arrived while no child was there to take it. Unwinds the run and ends it with 130 (SIGINT) or 128 + n."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit = INTERRUPTED if number == signal.SIGINT else 128 + number
        super().__init__(self.exit)


def interrupt(number: int, frame: Any = None) -> None:
    """The handler of every task that takes no signals itself: captured children end, the run unwinds.

    A second signal only kills the children: the run unwinds already, perhaps through the end of the interpreter.
    """
    global _seen
    _seen += 1
    _end_children()
    if _seen != 2:
        raise Interrupted(number)


def unwind(number: int) -> None:
    """The same for whoever counts the signals: captured children end, and the run unwinds in any case."""
    _end_children()
    raise Interrupted(number)


def _end_children() -> None:
    tool = sys.modules.get("tasks.core.process.tool")  # not loaded: then no child was started
    if tool is not None:
        tool.end_running(interrupted=True)


def take_signals() -> None:
    """From here on the three signals unwind this process instead of ending it at once."""
    for number in SIGNALS:
        signal.signal(number, interrupt)
