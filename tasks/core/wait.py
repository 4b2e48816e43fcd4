"""Ask again until the answer is true. Only for reads: a write is never repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def until(question: Callable[[], Value], *, every: float = 0.25, for_: float = 30.0) -> Value | None:
    """Return the first true answer, or None after `for_` seconds without one. Ask at least once."""
    end = time.monotonic() + for_
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() + every > end:
            return None
        time.sleep(every)
