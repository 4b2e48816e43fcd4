"""A value that is computed once, on first use or ahead of it in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from tasks.core.process.running import end_running

Value = TypeVar("Value")
_JOIN_DEADLINE = 5.0  # seconds


class Lazy(Generic[Value]):
    """The result of one call, shared by all threads that ask for it."""

    def __init__(self, compute: Callable[[], Value]) -> None:
        self._compute, self._lock = compute, threading.Lock()
        self._future: Future[Value] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Compute in the background. The thread is a daemon, and what it runs has deadlines of its own."""
        future, new = self._shared_future()
        if new:
            self._thread = threading.Thread(target=self._fill, args=(future,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End a background computation that is still running, with its child processes."""
        if self._thread is not None and self._thread.is_alive():
            end_running()
            self._thread.join(_JOIN_DEADLINE)

    def get(self) -> Value:
        """Return the value, or raise what computing it raised."""
        future, new = self._shared_future()
        if new:
            self._fill(future)
        return future.result()

    @property
    def succeeded(self) -> bool:
        """True when the value is known."""
        with self._lock:
            return self._future is not None and self._future.done() and self._future.exception() is None

    def put(self, value: Value) -> None:
        """Set the value, which somebody else has computed."""
        future: Future[Value] = Future()
        future.set_result(value)
        with self._lock:
            self._future = future

    def invalidate(self) -> None:
        """Forget the value. The next use computes it again."""
        with self._lock:
            self._future = None

    def _shared_future(self) -> tuple[Future[Value], bool]:
        """Return the future, and whether the caller has to fill it."""
        with self._lock:
            if self._future is not None:
                return self._future, False
            self._future = Future()
            return self._future, True

    def _fill(self, future: Future[Value]) -> None:
        try:
            future.set_result(self._compute())
        except BaseException as why:
            future.set_exception(why)
