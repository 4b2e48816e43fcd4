"""What a team's repository gets: the daily suite, the migration until it is over, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration import carried_suite
from tests.migration.conftest import Pair

MIGRATION = (
    "migration/",
    "starlark_harness/",
    "tasks/migrate.py",
    "config/migration.yaml",
    "config/schema/migration.json",
)


def test_core_gets_the_daily_suite_and_the_migration_and_nothing_else():
    carried, own = carried_suite.files(Path("/nonexistent"))
    assert {path.partition("/")[0] for path in carried} == {
        "tasks.py", "tasks", "config", "scripts", "tilt", "migration", "starlark_harness"
    }  # fmt: skip
    assert {path for path in carried if path.endswith(".lock")} == {
        "scripts/requirements.lock",
        "migration/requirements.lock",
    }
    assert own == carried.keys()
    assert carried["scripts/inv"][0] == "100755"


def test_without_the_migration_it_is_small():
    daily = {p: data for p, (_, data) in carried_suite.files(Path("/"))[0].items() if not p.startswith(MIGRATION)}
    assert sum(data.count(b"\n") for p, data in daily.items() if p.endswith(".py")) < 20_500


@pytest.mark.slow
def test_a_migrated_core_has_neither_the_sandbox_nor_its_lock(finished: Pair):
    files = finished.git("core", "ls-files").splitlines()
    assert "migration/engine.py" in files
    assert [p for p in files if p.startswith(("sandbox/", "scripts/requirements-test"))] == []
