"""What `inv timing` does: measured times against the budgets, cold and warm apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tasks.core import ui
from tasks.core.cli.names import nearest
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import FAILED, Trouble
from tasks.core.state import timing

KNOWN = ("setup", "connect", "intercept", "tilt", "login", "credentials", "registry")


@dataclass(frozen=True)
class Row:
    """what: setup, connect, intercept; kind: cold or warm; runs: how many were kept; p50, p95, newest in seconds;
    budget: of the settings, 0 where there is none."""

    what: str
    kind: str
    runs: int
    p50: float
    p95: float
    newest: float
    budget: float

    @property
    def kept(self) -> bool:
        """Is the newest run within the budget?"""
        return not self.budget or self.newest <= self.budget


def rows(s: Settings, what: str = "") -> list[Row]:
    """One row for each thing that was measured here, cold and warm apart; steps of setup are left out unless named."""
    budgets = {"setup": s.budgets.setup, "connect": s.budgets.connect, "intercept": s.budgets.intercept}
    found: dict[tuple[str, str], list[float]] = {}
    for note in timing.kept():
        name = str(note.get("what", ""))
        if (what and name.split(".")[0] != what) or (not what and "." in name):
            continue
        found.setdefault((name, "cold" if note.get("cold") else "warm"), []).append(float(note.get("seconds", 0)))
    return [
        Row(name, kind, len(times), _percentile(times, 50), _percentile(times, 95), times[-1], budgets.get(name, 0.0))
        for (name, kind), times in sorted(found.items())
    ]


def show(*, what: str, json: bool, must: bool) -> None:
    """Show them; with `must` a newest time over its budget, or none at all, ends with 1."""
    s = settings()
    found = rows(s, what)
    if what and not found and what not in KNOWN:
        near = nearest(what, KNOWN, 1)
        raise Trouble(
            f"nothing is measured as '{what}': {', '.join(KNOWN)}",
            fix=f"inv timing --what {near[0] if near else KNOWN[0]}",
        )
    late = [row for row in found if not row.kept]
    if json:
        ui.as_json({"times": [{**asdict(row), "kept": row.kept} for row in found]})
    elif not found:
        ui.say("nothing was measured here yet: inv setup and inv intercept measure as they go")
    else:
        ui.table([("", "", "runs", "p50", "p95", "newest", "budget"), *(_line(row) for row in found)])
    if must and (late or not found):
        raise SystemExit(FAILED)


def _line(row: Row) -> tuple[object, ...]:
    budget = f"{row.budget:g} s" + ("" if row.kept else "  missed") if row.budget else ""
    return (row.what, row.kind, row.runs, f"{row.p50:.1f}", f"{row.p95:.1f}", f"{row.newest:.1f}", budget)


def _percentile(times: list[float], part: int) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(times)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]
