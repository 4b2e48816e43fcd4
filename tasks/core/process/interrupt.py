"""How a signal ends a run. Imported by every command, so it is light."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from tasks.core.process import running

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
_AGAIN = 0.02  # seconds
_WAKE = signal.SIGURG  # ignored by default, and not used to end programs
_woken = False
_seen = 0
_unwinding = 0


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
    if postponed(number, frame):
        return
    _seen += 1
    if _seen == 2:
        running.interrupt_running()
    else:
        unwind(number)


def postponed(number: int, frame: FrameType | None) -> bool:
    """Deliver the signal again in a moment if the main thread imports a module now.

    An exception inside the import system leaves a lock held, on which other threads then wait for ever, or is lost in
    a callback (`Exception ignored in: <function _get_module_lock...`).
    """
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    if frame is None:
        return False
    again = threading.Timer(_AGAIN, os.kill, (os.getpid(), number))
    again.daemon = True
    try:
        again.start()
    except RuntimeError:  # the interpreter ends already
        return False
    return True


def unwind(number: int) -> None:
    """Do the same for a handler that counts the signals itself: the run unwinds in any case."""
    global _unwinding
    _unwinding = number
    running.interrupt_running()
    raise Interrupted(number)


def unwinding() -> int:
    """Return the signal that unwinds the run; 0 without one.

    Python and its C extensions ignore exceptions in some callbacks. Then the run goes on until an error, because its
    threads start no more children.
    """
    return _unwinding


def take_signals() -> None:
    """Let the three signals unwind this process from here on, instead of ending it at once."""
    for number in SIGNALS:
        signal.signal(number, interrupt)
    _wake_the_main_thread()


def _wake_the_main_thread() -> None:
    """From now on, interrupt what the main thread waits for when another thread is given a signal.

    The kernel may give a signal to any thread (signal(7)), although it prefers the main one. Python calls the handler
    only in the main thread and only when that runs, which it does not while it waits for a process that does not end.
    """
    global _woken
    if _woken:
        return
    _woken = True
    noted, note = os.pipe()
    os.set_blocking(note, False)
    signal.set_wakeup_fd(note, warn_on_full_buffer=False)
    signal.signal(_WAKE, lambda number, frame: None)
    threading.Thread(target=_wake, args=(noted, threading.get_ident()), daemon=True).start()


def _wake(noted: int, main: int) -> None:
    """Wake the main thread after each signal whose number Python writes to the pipe."""
    while True:
        if any(number != _WAKE for number in os.read(noted, 64)):
            signal.pthread_kill(main, _WAKE)
            time.sleep(_AGAIN)  # the main thread may have been about to wait, but not waiting yet
            signal.pthread_kill(main, _WAKE)
