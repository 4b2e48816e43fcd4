"""A step of the migration: its key, its place, and the function that plans it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from migration.simulation import Draft


@dataclass(frozen=True)
class MigrationStep:
    """A state that is to hold after the step."""

    key: str
    phase: int

    title: str
    """The state, not the action. Empty: derived from the mapping's rows for this step."""

    plan: Callable[[Draft], None]
    """Adds changes and blocks to the draft. Nothing added means that the state holds."""

    needs: tuple[str, ...] = ()
    """The steps that must have nothing left to change before this one changes anything."""
