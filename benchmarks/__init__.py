"""Measurements of the suite, as ratios within one run. A module here with `run(quick) -> list[Row]` is a benchmark.

Nothing is asserted: a loaded machine is no failure. What was aimed at stands beside what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured value.

    what: as people say it; value in `unit` (ms, s, MB, x for a ratio); aim: the most it should be, in the same unit,
    None where nothing is aimed at; samples: what the value is the median of; note: what else counts
    """

    what: str
    value: float
    unit: str
    aim: float | None = None
    samples: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Is the aim met? None where there is none."""
        return None if self.aim is None else self.value <= self.aim

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "met": self.met}


def of(what: str, samples: Sequence[float], unit: str, aim: float | None = None, note: str = "") -> Row:
    """The row of a median."""
    return Row(what, round(median(samples), 3), unit, aim, [round(s, 3) for s in samples], note)
