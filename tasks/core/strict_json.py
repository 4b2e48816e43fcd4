"""JSON of other programs and people: anything that is not JSON, or cannot be used, is a ValueError."""

from __future__ import annotations

import json
import math
from typing import Any


def loads(text: str | bytes) -> Any:
    """Return the data. Raises ValueError, also for NaN, numbers without end, and brackets nested a thousand deep."""
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def mapping(text: str | bytes) -> dict[str, Any]:
    """Return the object in the text. Raises ValueError for anything else."""
    data = loads(text)
    if not isinstance(data, dict):
        raise ValueError("it is not an object")
    return data


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a number")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is too large")
    return number
