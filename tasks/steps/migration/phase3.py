"""Phase 3."""

from __future__ import annotations

from tasks.steps.migration.model import Step

STEPS: tuple[Step, ...] = ()
