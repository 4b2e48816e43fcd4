"""Completion of the migration's tasks: cleanup_infra is the only task whose name has two spellings."""

from __future__ import annotations

from pathlib import Path

from tests.tasks.test_completion import ROOT, ask
from tests.tasks.test_completion import repository as repository


def test_both_spellings_of_a_task_lead_to_its_flags(repository: Path):
    (repository / "migration").symlink_to(ROOT / "migration")
    dashed, underscored = ask(repository, "inv migrate.cleanup-infra --on", "inv migrate.cleanup_infra --on")
    assert dashed == underscored == ["--only"]
