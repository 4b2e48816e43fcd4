"""How a signal ends a run. Imported by every command, so it is light."""

from __future__ import annotations

import signal
from typing import Any

from tasks.core.process import running

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
_seen = 0


class Interrupted(SystemExit):
    """A signal arrived that no child takes. It unwinds the run and ends it with 130 (SIGINT) or 128 + its number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit = INTERRUPTED if number == signal.SIGINT else 128 + number
        super().__init__(self.exit)


def interrupt(number: int, frame: Any = None) -> None:
    """Handle a signal for tasks that take none themselves: end the captured children and unwind the run.

    A second signal only kills the children: the run unwinds already, perhaps through the end of the interpreter.
    """
    global _seen
    _seen += 1
    running.interrupt_running()
    if _seen != 2:
        raise Interrupted(number)


def unwind(number: int) -> None:
    """Do the same for a handler that counts the signals itself: the run unwinds in any case."""
    running.interrupt_running()
    raise Interrupted(number)


def take_signals() -> None:
    """Let the three signals unwind this process from here on, instead of ending it at once."""
    for number in SIGNALS:
        signal.signal(number, interrupt)
