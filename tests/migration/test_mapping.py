"""config/migration.yaml: every mistake is reported with its line, before anything is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration import engine, mapping_file
from migration.mapping import CLEANUP_STEPS, MOVE_STEPS, Mapping
from migration.phases import phase1, phase4
from tasks.core.errors import Trouble

FILE = Path(__file__).resolve().parents[2] / "config/migration.yaml"


def test_the_committed_mapping_is_valid():
    assert mapping_file.read(FILE).moves


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("to: policies/", "to: ../policies/", "not a path inside"),
        ("to: policies/", 'to: "poli\\0cies/"', "it holds a character that no file name"),
        ("to: policies/", "to: .git/hooks/", "not a path inside"),
        ("DOC-10: docs/dev-workflows/telepresence.md", "DOC-10: ../x.md", "not a path inside"),
        ("kept_in: .devcontainer/postCreate.team.sh", "kept_in: /etc/x.sh", "not a path inside"),
        ("also: [.devcontainer/postStartCommand.sh]", "also: [../x.sh]", "not a path inside"),
        ("  path: Tiltfile", "  path: ../Tiltfile", "not a path inside"),
        ("folder: .devcontainer", "folder: ../x", "not a path inside"),
        ("never: [services/", "never: [../services/", "not a path inside"),
        ("obsolete: [k3d,", "obsolete: ['(',", "not a regular expression"),
        ("drop_features: [k3d]", "drop_features: ['[']", "not a regular expression"),
        ("replacement: '\\1.'", "replacement: '\\7.'", "does not fit the pattern"),
        ("{step: INFRA-10, from: infra", "{step: INFRA-20, from: infra", "no step 'INFRA-20' does this"),
        ("{step: INFRA-10, from: infra", "{step: CLEAN-10, from: infra", "no step 'CLEAN-10' does this"),
        ("{step: CLEAN-11, paths", "{step: VAL-10, paths", "no step 'VAL-10' does this"),
        ("{step: CLEAN-11, paths", "{step: CLEAN-10, paths", "'CLEAN-10' has two rows in cleanup"),
        ("{step: RF-40, repo: core", "{step: RF-10, repo: core", "no step 'RF-10' does this"),
        ("from: infra/kubernetes/policies/", "from: infra/kubernetes/scripts/", "has two rows in moves"),
        ("path: infra/kubernetes/charts/,", "path: infra/kubernetes/charts_old/,", "has two rows in superseded"),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, old: str, new: str, said: str):
    text = FILE.read_text()
    assert old in text
    (tmp_path / "migration.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(Trouble, match=r"migration\.yaml:\d+: .*" + said):
        mapping_file.read(tmp_path / "migration.yaml")


def test_the_steps_that_rows_may_name_are_steps_of_the_engine():
    assert {key for key, step in engine.BY_KEY.items() if step.plan is phase4.delete_files} == set(CLEANUP_STEPS)
    copying = [step.key for step in phase1.STEPS if step.plan.__qualname__ == phase1.copy_files("").__qualname__]
    assert copying == list(MOVE_STEPS)


def read(folder: Path, text: str) -> Mapping:
    (folder / "migration.yaml").write_text(text)
    return mapping_file.read(folder / "migration.yaml")


def test_a_move_needs_only_from_and_to(tmp_path: Path):
    mapping = read(tmp_path, "moves: [{from: deploy/, to: deploy/}]\n")
    assert mapping.move_of("deploy/a.yaml") == (mapping.moves[0], "deploy/a.yaml")
    assert mapping.moves[0].step == "RF-12"
    assert mapping.cleanups["RF-43"].paths == ["deploy/"]


def test_what_a_cleanup_row_lists_is_not_deleted_by_another_step(tmp_path: Path):
    mapping = read(
        tmp_path,
        "moves: [{from: deploy/a/, to: a/}, {from: 'envs/{env}/x.yaml', to: 'x/{env}.yaml'}]\n"
        "superseded: [{path: old/k3d.sh, by: b, reason: c}]\n"
        "cleanup: [{step: CLEAN-10, paths: [deploy/]}]\n",
    )
    assert mapping.cleanups["CLEAN-10"].paths == ["deploy/"]
    assert mapping.cleanups["RF-43"].paths == ["envs/*/x.yaml", "old/k3d.sh"]


def test_the_more_specific_of_a_move_and_a_kept_row_wins(tmp_path: Path):
    mapping = read(
        tmp_path,
        "moves: [{from: deploy/, to: deploy/}, {from: deploy/product/crds/, to: crds/}]\n"
        "kept: [{path: deploy/product/, reason: the product}]\n",
    )
    assert mapping.move_of("deploy/a.yaml")
    assert mapping.move_of("deploy/product/b.yaml") is None
    assert mapping.move_of("deploy/product/crds/c.yaml")
