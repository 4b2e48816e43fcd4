"""Ask again until it is so. Only reads are asked again; a write is never repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def until(question: Callable[[], Value], *, every: float = 0.25, for_: float = 30.0) -> Value | None:
    """The first true answer, or None when `for_` seconds passed without one. Asks at least once."""
    end = time.monotonic() + for_
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() + every > end:
            return None
        time.sleep(every)
