"""A program at a terminal of its own, and a person who reads and types there.

It is started without os.fork: pytest's worker has threads, and a forked copy of it may wait forever for one of their locks.
"""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tests.world import ROOT

_MAKE_IT_THE_CONTROLLING_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A program whose controlling terminal is ours; a context manager that kills it. text: what it has printed so far."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: str | os.PathLike[str] = ROOT) -> None:
        self.text = ""
        self._open = True
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._ours, theirs = pty.openpty()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _MAKE_IT_THE_CONTROLLING_TERMINAL, *argv],
                env=env, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, why: BaseException | None, where: TracebackType | None
    ) -> None:
        self.kill()
        self.hang_up()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _read(self, seconds: float) -> bool:
        """Add what is printed now to the text, after at most this time; False when the program has closed the terminal."""
        if not select.select([self._ours], [], [], max(0.0, seconds))[0]:
            return True
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # what Linux answers when no process has the terminal any more
            return False
        self.text += self._decode(read).replace("\r", "")
        return bool(read)

    def wait_for(self, pattern: str, seconds: float = 60) -> str:
        """Read until the pattern is in the text; return the text."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, f"no {pattern!r} in {self.text!r}"
            assert self._read(end - time.monotonic()), f"it ended without {pattern!r}: {self.text!r}"
        return self.text

    def press(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._ours, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal, as when its window is closed."""
        if self._open:
            self._open = False
            os.close(self._ours)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the program a signal from outside, and wait for its end."""
        if self.process.poll() is None:
            os.kill(self.pid, number)
        self.process.wait(60)

    def end(self, seconds: float = 60) -> int:
        """Read what the program prints until it has ended; return its exit code, or minus the number of the signal."""
        end = time.monotonic() + seconds
        while self._open:
            runs, before = self.process.poll() is None, self.text
            assert time.monotonic() < end, f"it goes on after {seconds:.0f} s: {self.text!r}"
            if not self._read(0.2) or (self.text == before and not runs):  # its last lines may come after its end
                break
        return self.process.wait(max(0.1, end - time.monotonic()))
