"""How a run ends early: by a signal, or because nobody reads what it prints. Loaded with every command, so it is light."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


class Interrupted(SystemExit):
    """A signal arrived while no child was there to take it. Unwinds the run and ends it with 130 (SIGINT) or 128 + n."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.exit = INTERRUPTED if number == signal.SIGINT else 128 + number
        super().__init__(self.exit)


def interrupt(number: int, frame: Any = None) -> None:
    """The handler of every task that takes no signals itself: captured children end, the run unwinds."""
    tool = sys.modules.get("tasks.core.tool")  # not loaded: then no child was started
    if tool is not None:
        tool.end_running()
    raise Interrupted(number)


def take_signals() -> None:
    """From here on the three signals unwind this process instead of ending it at once."""
    for number in SIGNALS:
        signal.signal(number, interrupt)


def end_quietly_when_nobody_reads() -> None:
    """`inv --list | head` closes stdout early; Invoke's own printing then ends in a traceback, which is no bug to see."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], why: BaseException, trace: Any) -> None:
        if isinstance(why, BrokenPipeError):
            os._exit(141)  # as a program ends by SIGPIPE; nothing is left to flush to
        usual(kind, why, trace)

    sys.excepthook = hook
