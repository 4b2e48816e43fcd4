"""Measured times against the budgets, cold and warm runs apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tasks.core import ui
from tasks.core.cli.names import nearest
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.state import timing

KNOWN = ("setup", "connect", "intercept", "tilt", "login", "credentials", "registry")


class Kind(StrEnum):
    """A cold run makes what a warm one finds: a pod with an agent, packages, a login."""

    COLD = "cold"
    WARM = "warm"


@dataclass(frozen=True)
class Row:
    """The runs of one kind. Times are in seconds."""

    what: str
    """`setup`, `connect`, `intercept` ..., or a step such as `setup.connect`."""

    kind: Kind

    runs: int
    """How many are on record."""

    p50: float
    p95: float
    newest: float

    budget: float
    """Of the settings; 0 without one."""

    @property
    def kept(self) -> bool:
        """Is the newest run within the budget?"""
        return not self.budget or self.newest <= self.budget


def rows(s: Settings, what: str = "") -> list[Row]:
    """Return one row for each measured thing and kind. Steps (`setup.connect`) only when their run is named."""
    budgets = {"setup": s.budgets.setup, "connect": s.budgets.connect, "intercept": s.budgets.intercept}
    times: dict[tuple[str, Kind], list[float]] = {}
    for note in timing.kept():
        name = str(note.get("what", ""))
        if _is_wanted(name, what):
            kind = Kind.COLD if note.get("cold") else Kind.WARM
            times.setdefault((name, kind), []).append(float(note.get("seconds", 0)))
    return [_row(name, kind, seconds, budgets.get(name, 0.0)) for (name, kind), seconds in sorted(times.items())]


def _is_wanted(name: str, what: str) -> bool:
    run, _, step = name.partition(".")
    return run == what if what else not step


def _row(name: str, kind: Kind, seconds: list[float], budget: float) -> Row:
    return Row(name, kind, len(seconds), _percentile(seconds, 50), _percentile(seconds, 95), seconds[-1], budget)


def must_be_known(what: str) -> None:
    """Raise Trouble with the nearest name for something that is never measured."""
    if what and what not in KNOWN:
        near = nearest(what, KNOWN, 1)
        raise Trouble(
            f"'{what}' is not measured; measured are {', '.join(KNOWN)}",
            fix=f"inv timing --what {near[0] if near else KNOWN[0]}",
        )


def show(shown: Sequence[Row]) -> None:
    """Print the rows as a table."""
    if shown:
        ui.table([("", "", "runs", "p50", "p95", "newest", "budget"), *(_line(row) for row in shown)])
    else:
        ui.say("nothing was measured here yet: inv setup and inv intercept measure as they go")


def _line(row: Row) -> tuple[object, ...]:
    budget = f"{row.budget:g} s" + ("" if row.kept else "  missed") if row.budget else ""
    return (row.what, row.kind, row.runs, f"{row.p50:.1f}", f"{row.p95:.1f}", f"{row.newest:.1f}", budget)


def _percentile(times: list[float], part: int) -> float:
    """Return the nearest-rank percentile."""
    ordered = sorted(times)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]
