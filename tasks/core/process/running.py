"""The captured children that run now, and how a run that ends early ends them. Imported by every command, so it is light."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.process.processes import deliver

GRACE = 0.5  # seconds between SIGTERM and SIGKILL: az removes its lock files on SIGTERM
_groups: set[int] = set()  # the process groups of captured children, of every thread
# Not an Event: its lock may be held by the main thread when that is interrupted, and the handler would wait for it forever.
_interrupted = False


@contextmanager
def captured(group: int) -> Iterator[None]:
    """Count the process group among those that run, during the block."""
    _groups.add(group)
    try:
        yield
    finally:
        _groups.discard(group)


def may_start() -> bool:
    """May this thread start a child? Not after an interrupt, except the main thread, which then cleans up."""
    global _interrupted
    if threading.current_thread() is threading.main_thread():
        _interrupted = False  # it has unwound to where it cleans up
        return True
    return not interrupted()


def interrupted() -> bool:
    """Was the run interrupted, and is this one of its other threads?"""
    return _interrupted and threading.current_thread() is not threading.main_thread()


def reset() -> None:
    """Forget an interrupt, for a test that starts in the process of an earlier one."""
    global _interrupted
    _interrupted = False


def end_running() -> None:
    """Ask every captured child to end, from any thread. Kill those that still run after a moment."""
    asked = tuple(_groups)
    _send(asked, signal.SIGTERM)
    later = threading.Timer(GRACE, lambda: _send(tuple(set(asked) & _groups), signal.SIGKILL))
    later.daemon = True
    later.start()


def interrupt_running() -> None:
    """The same because the run is interrupted: other threads start nothing until the main thread cleans up.

    Kill at once when this was asked before.
    """
    global _interrupted
    if _interrupted:
        _send(tuple(_groups), signal.SIGKILL)
        return
    _interrupted = True
    end_running()


@contextmanager
def cancel_on_failure() -> Iterator[None]:
    """End the children of other threads when the block fails: their answers are not used."""
    try:
        yield
    except BaseException:
        end_running()
        raise


def _send(groups: tuple[int, ...], number: signal.Signals) -> None:
    for group in groups:
        deliver(group, number)
