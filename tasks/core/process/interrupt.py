"""How a run ends early: by a signal, by a failure, or because nobody reads. Loaded with every command, so it is light."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
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


def tell_failures_as_people_and_programs_read_them() -> None:
    """A word that Invoke does not know is said like every other error; with --json each failure is the one document on
    stdout too, beside its lines on stderr.

    Invoke turns every error into an exit code in `Program.run`; what that calls are the seams below it.
    """
    from invoke.exceptions import Exit, ParseError
    from invoke.executor import Executor
    from invoke.program import Program

    def telling(usual: Callable[..., Any]) -> Callable[..., Any]:
        def told(self: Any, *args: Any) -> Any:
            try:
                return usual(self, *args)
            except ParseError as why:
                from tasks.core.cli.names import not_understood

                wrong = not_understood(str(why), why.context, self.parser.contexts)
                _in_json_too(wrong)
                raise wrong from None
            except Exit as why:
                _in_json_too(why)
                raise

        return told

    Executor.execute = telling(Executor.execute)  # type: ignore[method-assign]
    for step in ("parse_tasks", "parse_cleanup"):
        setattr(Program, step, telling(getattr(Program, step)))


def _in_json_too(why: Exception) -> None:
    words = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv
    if "--json" in words:
        from tasks.core import ui
        from tasks.core.errors import Trouble

        if isinstance(why, Trouble):
            ui.failure_as_json(why)


def end_quietly_when_nobody_reads() -> None:
    """`inv --list | head` closes stdout early; Invoke's own printing then ends in a traceback, which is no bug to see.
    Nor is a full disk behind `inv --list >FILE`."""
    usual = sys.excepthook

    def hook(kind: type[BaseException], why: BaseException, trace: Any) -> None:
        if isinstance(why, BrokenPipeError) or (isinstance(why, OSError) and why.errno == errno.EIO):
            os._exit(141)  # as a program ends by SIGPIPE; nothing is left to flush to
        if isinstance(why, OSError) and why.errno == errno.ENOSPC:
            from tasks.core import ui

            ui.talk(f"error: cannot write: {why.strerror}\n  fix: free some space, then run this again")
            os._exit(1)
        usual(kind, why, trace)

    sys.excepthook = hook
