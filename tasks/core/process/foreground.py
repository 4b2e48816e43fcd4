"""A child that the developer watches: its output goes to the terminal, signals reach its whole group."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.core import ui
from tasks.core.process.child import Child, start
from tasks.core.process.interrupt import SIGNALS, Interrupted, postponed, unwind, wake_main_thread
from tasks.core.process.processes import deliver, group_lives
from tasks.core.wait import until

__all__ = ["Interrupted", "Signals", "end_group", "run", "signals"]


class Signals:
    """Where SIGINT, SIGTERM and SIGHUP go at the moment: to the child's group, or into this process as `Interrupted`.

    The first signal is passed on as it is, the second kills the group. While `held`, signals are only noted, so that
    leaving an intercept is not cut short; a third one unwinds all the same.
    """

    def __init__(self) -> None:
        self.group, self.name = 0, ""
        self.seen: list[int] = []
        self.held = False
        self.starting = False

    def take(self, number: int, frame: Any) -> None:
        """Handle a signal."""
        if postponed(number, frame):
            return
        self.seen.append(number)
        if self.group:
            deliver(self.group, number if len(self.seen) == 1 else signal.SIGKILL)
        elif self.starting:
            return  # the child gets it as soon as its group is known
        elif not self.held or len(self.seen) > 2:
            unwind(number)

    def stop(self, number: int, frame: Any) -> None:
        """Stop this process, as Ctrl-Z does by default. The child is in a session of its own and runs on: say so."""
        if self.group:
            ui.talk(f"\n{self.name} runs on (pid {self.group}): fg returns to it, inv down ends it")
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # it returns when the process goes on
        signal.signal(signal.SIGTSTP, self.stop)

    def release(self) -> None:
        """End the holding. Unwind now for a signal that came meanwhile."""
        self.held = False
        if self.seen:
            unwind(self.seen[-1])

    def give_to(self, group: int, name: str) -> None:
        """Pass signals on to this group from now on, and one that came while it was started."""
        self.group, self.name = group, name
        self.starting = False
        if self.seen:
            deliver(group, self.seen[-1])


@contextmanager
def signals() -> Iterator[Signals]:
    """Take the three signals, and Ctrl-Z, during the block. Outside the main thread, where Python sets no handlers, take
    none."""
    taken = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield taken
        return
    before = {number: signal.signal(number, taken.take) for number in SIGNALS}
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, taken.stop)
    wake_main_thread()
    try:
        yield taken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[Any, Any],
    cwd: Path,
    taken: Signals,
    started: Callable[[int], None] = lambda pid: None,
    fix: str = "",
    to_stderr: bool = False,
    stderr: int | None = None,
) -> int:
    """Run the command in its own group and return its exit code (128 + n when signal n ended it).

    Its stdin is a pipe that stays silent and open: watchers such as esbuild end when theirs closes. Processes that it
    leaves in its group are ended. Raises ToolError when it cannot be started.

    env: the whole environment, as text or as bytes
    started: called with the pid
    fix: how to get the program when it does not exist
    to_stderr: its stdout goes to stderr too, because ours holds a document
    stderr: where its stderr goes, by default to ours
    """
    silent, keep_open = os.pipe()
    try:
        child = _start(
            argv,
            taken,
            env=env,
            cwd=cwd,
            stdin=silent,
            stdout=2 if to_stderr else None,
            stderr=stderr,
            fix=fix or f"install {argv[0]}, or name a command after --",
        )
        try:
            taken.give_to(child.pid, os.path.basename(argv[0]))
            started(child.pid)
            code = child.wait()
        finally:
            end_group(child.pid, child)
            taken.group = 0
    finally:
        os.close(keep_open)
    return 128 - code if code < 0 else code


def _start(argv: Sequence[str], taken: Signals, *, stdin: int, **how: Any) -> Child:
    """Start the child. A signal that comes meanwhile is kept for it, see `Signals.give_to`; our end of stdin is closed."""
    taken.starting = True
    try:
        return start(argv, stdin=stdin, **how)
    except BaseException:
        taken.starting = False
        raise
    finally:
        os.close(stdin)


def end_group(group: int, child: Child | None = None, grace: float = 3.0) -> None:
    """End the processes of the group: SIGTERM, then SIGKILL after `grace` seconds. A group that has ended is fine."""

    def ended() -> bool:
        if child is not None:
            child.poll()  # reaps it: a zombie still belongs to the group
        return not group_lives(group)

    if ended():
        return
    deliver(group, signal.SIGTERM)
    if not until(ended, every=0.05, for_=grace):
        deliver(group, signal.SIGKILL)
        until(ended, every=0.05, for_=2.0)
