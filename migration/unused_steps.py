"""Steps that the mapping describes and that have nothing to do in these repositories."""

from __future__ import annotations

from migration.git.facts import TAG
from migration.memo import MemoKey
from migration.simulation import Simulation

_BEGUN = MemoKey[bool]("the migration has begun")


def why_unused(simulation: Simulation, key: str) -> str:
    """Say why a step without files has nothing to do; empty when the migration may have moved or deleted them."""
    mapping = simulation.mapping
    if mapping.cleanup_of(key) is None and not any(move.step == key for move in mapping.moves):
        return "the mapping has no row for it"
    return "" if simulation.memo.answer(_BEGUN, lambda: _has_begun(simulation)) else "core has none of its paths"


def _has_begun(simulation: Simulation) -> bool:
    git = simulation.core.facts.git
    return bool(git.line("rev-parse", "-q", "--verify", f"refs/tags/{TAG}", ok=(0, 1)))
