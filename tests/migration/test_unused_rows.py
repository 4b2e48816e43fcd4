"""Rows of the mapping that match nothing are reported with file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from migration import cli, configuration, mapping_file
from migration.unused_rows import unused_rows
from tests.migration.conftest import Pair, code_of

TEXT = """\
moves:
  - {from: services/, to: services/}
  - {from: deploi/, to: deploy/}
superseded:
  - {path: "scripts/**/no-such-*.sh", by: nothing, reason: a typo}
cleanup:
  - {paths: [services/, infra/none/]}
kept:
  - {path: Tiltfile, reason: it is here}
"""


def test_rows_that_match_nothing_are_named_with_their_line(pair: Callable[..., Pair], tmp_path: Path):
    repos, file = pair(), tmp_path / "migration.yaml"
    file.write_text(TEXT)
    simulation = repos.plan((1,)).simulation
    simulation.mapping = mapping_file.read(file)
    assert unused_rows(simulation, file) == [
        (f"{file}:3", "deploi/"),
        (f"{file}:5", "scripts/**/no-such-*.sh"),
        (f"{file}:7", "infra/none/"),
    ]


def test_the_plan_says_it_in_one_line(
    pair: Callable[..., Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    repos, file = pair(), tmp_path / "migration.yaml"
    file.write_text("moves: [{from: deploi/, to: deploy/}]\n")
    monkeypatch.setattr(configuration, "mapping_file", lambda core: file)
    code_of(lambda: cli.plan(repos.flags(only=["INFRA-15"]), ""))
    assert f"1 row of the mapping matches nothing here: deploi/ ({file}:1)" in capsys.readouterr().err


@pytest.mark.slow
def test_the_committed_mapping_has_no_unused_row_before_and_after_the_migration(
    pair: Callable[..., Pair], finished: Pair
):
    file = Path(__file__).resolve().parents[2] / "config/migration.yaml"
    for repos in (pair(), finished):
        simulation = repos.plan((1,)).simulation
        assert [row.path for row in unused_rows(simulation, file)] == []
