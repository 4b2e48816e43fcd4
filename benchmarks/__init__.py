"""Measurements of the suite, as ratios within one run. A module here with `run(quick) -> list[Row]` is a benchmark.

Nothing is asserted, because a loaded machine is not a failure. Each value is shown next to its aim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured value.

    what: the description for people; value: in `unit` (ms, s, MB, x for a ratio); aim: the upper limit, in the same unit,
    None without an aim; samples: the single runs, of which value is the median; note: further conditions
    """

    what: str
    value: float
    unit: str
    aim: float | None = None
    samples: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Report whether the aim is met; None without an aim."""
        return None if self.aim is None else self.value <= self.aim

    def document(self) -> dict[str, Any]:
        """Return the row for JSON."""
        return {**asdict(self), "met": self.met}


def of(what: str, samples: Sequence[float], unit: str, aim: float | None = None, note: str = "") -> Row:
    """Return a row with the median of the samples."""
    return Row(what, round(median(samples), 3), unit, aim, [round(s, 3) for s in samples], note)
