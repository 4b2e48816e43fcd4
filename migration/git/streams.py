"""Our ends of a child's pipes. A pipe on which nothing moves for too long ends the child, whether we read or write."""

from __future__ import annotations

import io
import os
import select
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from tasks.core.errors import TimedOut

QUIET = 300.0  # seconds without a byte in either direction
MOST = 7200.0  # seconds until the end of a child that keeps printing; 100,000 files take minutes on a slow disk
_CHUNK = 1 << 20


class Watch:
    """The deadline of a child, shared by its pipes: while one of them moves, the other is not late."""

    def __init__(self, said: str, end: Callable[[], None]) -> None:
        """said: what an error calls the child; end: kills it with its group"""
        self._said, self._end = said, end
        self.quiet = QUIET
        self._until = float("inf")
        self._moved = time.monotonic()
        self.late: TimedOut | None = None
        """Why the child was killed."""

    def limit(self, quiet: float) -> None:
        """Start the last part of the child's work: it may be quiet for so long, and take `MOST` seconds in all."""
        self.quiet, self._until = quiet, time.monotonic() + max(MOST, quiet)

    def moved(self) -> None:
        """Record that bytes went through a pipe."""
        self._moved = time.monotonic()

    def left(self, since: float) -> float:
        """Return the seconds until the deadline of a wait that began at `since`. Kills the child when none are left."""
        now = time.monotonic()
        left = min(max(since, self._moved) + self.quiet, self._until) - now
        if left <= 0:
            self.expire(f"no answer in {self.quiet:g} s" if now < self._until else f"did not end in {MOST:g} s")
        return left

    def expire(self, what: str) -> None:
        """Kill the child. Raises TimedOut with its first cause."""
        self.late = self.late or TimedOut(
            f"{self._said}: {what}",
            tool=self._said.split()[0],
            fix="see if its disk or its server answers, then run this again",
        )
        self._end()
        raise self.late

    def ready(self, handle: int, event: int) -> None:
        """Wait until the pipe can be read or written. Raises TimedOut, with the child killed."""
        poll = select.poll()
        poll.register(handle, event)
        since = time.monotonic()
        while not poll.poll(self.left(since) * 1000):
            pass


class _Pipe(io.RawIOBase):
    def __init__(self, pipe: IO[bytes], watch: Watch) -> None:
        self._pipe, self._watch, self._handle = pipe, watch, pipe.fileno()
        os.set_blocking(self._handle, False)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._pipe.close()

    def _moved(self, work: Callable[[], Any], event: int) -> Any:
        """Do the work as soon as the pipe is ready for it."""
        while True:
            try:
                done = work()
            except BlockingIOError:
                self._watch.ready(self._handle, event)
            else:
                self._watch.moved()
                return done


class ReadEnd(_Pipe):
    """What the child prints."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return int(self._moved(lambda: os.readv(self._handle, [buffer]), select.POLLIN))

    def readall(self) -> bytes:
        parts = []
        while part := self._moved(lambda: os.read(self._handle, _CHUNK), select.POLLIN):
            parts.append(part)
        return b"".join(parts)


class WriteEnd(_Pipe):
    """What the child reads."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return int(self._moved(lambda: os.write(self._handle, data), select.POLLOUT))


class Sender(threading.Thread):
    """Writes to a child in the background, so that its answers are read meanwhile. Otherwise both pipes may be full."""

    def __init__(self, stdin: IO[bytes], data: bytes, *, close: bool = False) -> None:
        super().__init__(daemon=True)
        self._stdin, self._data, self._closes = stdin, data, close
        self.broken = False
        """Whether the child ended before it had read everything."""
        self.start()

    def run(self) -> None:
        """Write everything; close the pipe when asked to."""
        try:
            self._stdin.write(self._data)
            self._stdin.flush()
            if self._closes:
                self._stdin.close()
        except BrokenPipeError:
            self.broken = True
        except TimedOut:
            pass  # the watch keeps it; the next read raises it
