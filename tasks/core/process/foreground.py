"""A child that the developer watches: its output goes to the terminal, signals reach its whole group."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.core.errors import Trouble
from tasks.core.process.interrupt import SIGNALS, Interrupted, unwind
from tasks.core.process.processes import deliver, group_lives
from tasks.core.process.tool import local_command

__all__ = ["Interrupted", "Signals", "end_group", "run", "signals"]


class Signals:
    """Who takes SIGINT, SIGTERM and SIGHUP at the moment: the child's group, or this process as `Interrupted`.

    The first signal is passed on as it is, the second kills the group. While `held`, signals are kept and noted,
    so that leaving an intercept is not cut short; a third one breaks through.
    """

    def __init__(self) -> None:
        self.group = 0
        self.seen: list[int] = []
        self.held = False
        self.starting = False

    def take(self, number: int, frame: Any) -> None:
        """The handler."""
        self.seen.append(number)
        if self.group:
            deliver(self.group, number if len(self.seen) == 1 else signal.SIGKILL)
        elif self.starting:
            return  # the child is being made: it is given the signal as soon as its group is known
        elif not self.held or len(self.seen) > 2:
            unwind(number)

    def release(self) -> None:
        """Signals count again; one that came while they were held unwinds this process now."""
        self.held = False
        if self.seen:
            unwind(self.seen[-1])


@contextmanager
def signals() -> Iterator[Signals]:
    """Take the three signals for the time of the block. Outside the main thread nothing is taken."""
    taken = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield taken
        return
    before = {number: signal.signal(number, taken.take) for number in SIGNALS}
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

    Its standard input is a pipe that stays silent and open: watchers such as esbuild end when theirs closes. What
    still lives in its group when it has ended is ended too. Raises Trouble when it cannot be started.

    env: all of it, as text or as bytes; started: is told the pid; fix: when the program is not there
    to_stderr: what it prints goes to stderr too, where stdout belongs to a document of ours
    stderr: where its own goes; default ours
    """
    silent, keep_open = os.pipe()
    taken.starting = True
    process: Any = None
    try:
        process = local_command(argv[0]).popen(
            list(argv[1:]),
            stdin=silent,
            stdout=2 if to_stderr else None,
            stderr=stderr,
            cwd=str(cwd),
            env=dict(env),
            new_session=True,
        )
    except FileNotFoundError:
        missing = cwd if not cwd.is_dir() else argv[0]
        raise Trouble(f"{missing} is not there", fix=fix or f"install {argv[0]}, or name a command after --") from None
    except NotADirectoryError:
        raise Trouble(f"{cwd} is not a folder", fix=fix) from None
    except PermissionError:
        raise Trouble(f"{argv[0]} may not be executed", fix=fix or f"chmod +x {argv[0]}") from None
    except OSError as why:
        raise Trouble(f"{argv[0]} could not be started: {why.strerror}", fix=fix) from None
    finally:
        os.close(silent)
        if process is None:
            taken.starting = False
            os.close(keep_open)
    try:
        taken.group = process.pid
        taken.starting = False
        if taken.seen:  # a signal that came while it was being started
            deliver(process.pid, taken.seen[-1])
        started(process.pid)
        code = int(process.wait())
    finally:
        end_group(process.pid, process)
        taken.group = 0
        os.close(keep_open)
    return 128 - code if code < 0 else code


def end_group(group: int, process: Any = None, grace: float = 3.0) -> None:
    """End what lives in the process group: SIGTERM, `grace` seconds, SIGKILL. Nothing there is fine."""
    from tasks.core.wait import until

    def gone() -> bool:
        if process is not None:
            process.poll()
        return not group_lives(group)

    if gone():
        return
    deliver(group, signal.SIGTERM)
    if not until(gone, every=0.05, for_=grace):
        deliver(group, signal.SIGKILL)
        until(gone, every=0.05, for_=2.0)
