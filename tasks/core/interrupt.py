"""How a run ends early: by a signal, by a failure, or because nobody reads. Loaded with every command, so it is light."""

from __future__ import annotations

import errno
import os
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
    tool = sys.modules.get("tasks.core.tool")  # not loaded: then no child was started
    if tool is not None:
        tool.end_running(interrupted=True)


def take_signals() -> None:
    """From here on the three signals unwind this process instead of ending it at once."""
    for number in SIGNALS:
        signal.signal(number, interrupt)


def tell_failures_in_json_too() -> None:
    """With --json a failure too is the one document on stdout, beside its lines on stderr.

    Invoke turns every error of a task into an exit code in `Program.run`; the executor is the one seam below that.
    """
    from invoke.exceptions import Exit
    from invoke.executor import Executor

    usual = Executor.execute

    def execute(self: Any, *tasks: Any) -> Any:
        try:
            return usual(self, *tasks)
        except Exit as why:
            words = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv
            if "--json" in words:
                from tasks.core import ui
                from tasks.core.errors import Trouble

                if isinstance(why, Trouble):
                    ui.failure_as_json(why)
            raise

    Executor.execute = execute  # type: ignore[method-assign]


def end_quietly_when_nobody_reads() -> None:
    """`inv --list | head` closes stdout early; Invoke's own printing then ends in a traceback, which is no bug to see."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], why: BaseException, trace: Any) -> None:
        if isinstance(why, BrokenPipeError) or (isinstance(why, OSError) and why.errno == errno.EIO):
            os._exit(141)  # as a program ends by SIGPIPE; nothing is left to flush to
        usual(kind, why, trace)

    sys.excepthook = hook
