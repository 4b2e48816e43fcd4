"""inv migrate.scan writes nothing; inv migrate.init writes files that the suite accepts and that a plan uses whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from migration import cli as migrate
from migration import configuration, mapping_file, unused_rows
from migration.cli import Flags
from migration.scan import cli, document
from migration.scan.proposal import Proposal, Row
from tasks.core.config import catalogue, settings
from tasks.core.errors import Trouble
from tests.migration.conftest import code_of
from tests.migration.scan_repository import CHART, KUSTOMIZATION, MANIFEST, TERRAFORM, git, make

FILES = {
    "README.md": "# acme\n",
    "go.sum": "x\n",
    "api/go.mod": "module api\n",
    "api/main.go": 'package main\n\nvar chart = "../charts/api"\n',
    "charts/api/Chart.yaml": CHART,
    "charts/api/values.yaml": "",
    "deploy/base/kustomization.yaml": KUSTOMIZATION,
    "deploy/base/x.yaml": MANIFEST,
    "iac/main.tf": TERRAFORM,
    "dev/kind.yaml": "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n",
    "Tiltfile": "allow_k8s_contexts('kind-dev')\ndocker_build('api', 'api')\n",
    ".devcontainer/devcontainer.json": '{"features": {"ghcr.io/x/k3d:1": {}}, "postCreateCommand": "bash .devcontainer/a.sh"}',
    ".devcontainer/a.sh": "k3d cluster create\n",
    "strange: name, {x}/#1 & 'y'/a.tf": TERRAFORM,
    "strange: name, {x}/#1 & 'y'/b.tf": TERRAFORM,
}


@pytest.fixture
def core(tmp_path: Path) -> Path:
    return make(tmp_path / "core", FILES)


def state(folder: Path) -> tuple[str, str, list[str]]:
    objects = sorted(str(path.relative_to(folder)) for path in (folder / ".git").rglob("*") if path.is_file())
    return git(folder, "status", "--porcelain"), git(folder, "rev-parse", "HEAD"), objects


def accepted(folder: Path) -> None:
    mapping_file.read(folder / "migration.yaml")
    catalogue.read(folder / "services.yaml")
    settings.load(folder.parent, {})


def test_the_scan_writes_nothing(core: Path, capfd: pytest.CaptureFixture[str]):
    before = state(core)
    cli.scan(str(core), "", json=False)
    assert state(core) == before
    shown = capfd.readouterr().out
    assert "sure  iac/" in shown
    assert "for a person:" in shown


def test_the_document_has_every_row_with_its_degree_and_evidence(core: Path, capfd: pytest.CaptureFixture[str]):
    cli.scan(str(core), "", json=True)
    found = json.loads(capfd.readouterr().out)
    assert found["files"] == len(FILES)
    assert found["commit"] == git(core, "rev-parse", "HEAD")[:12]
    moves = {row["value"]["from"]: row for row in found["mapping"]["moves"]}
    assert moves.keys() == {"deploy/", "iac/", "strange: name, {x}/"}
    assert all(row["degree"] in {"sure", "maybe"} and row["evidence"] for row in moves.values())
    assert [row["value"]["path"] for row in found["mapping"]["kept"]] == ["charts/"]
    assert [row["value"]["name"] for row in found["services"]] == ["api"]


def test_the_file_of_out_is_a_mapping(core: Path, tmp_path: Path):
    cli.scan(str(core), str(tmp_path / "found.yaml"), json=False)
    assert len(mapping_file.read(tmp_path / "found.yaml").moves) == 3
    text = (tmp_path / "found.yaml").read_text()
    assert "# config/services.yaml:" in text
    assert "#   repositories:" in text


def test_init_writes_what_the_suite_accepts_and_a_plan_uses_whole(core: Path, tmp_path: Path):
    cli.init(str(core), "", yes=False, json=False, dry=False)
    accepted(core / "config")
    git(core, "add", "-A")
    git(core, "commit", "-q", "-m", "configuration")
    gitops = make(tmp_path / "gitops", {"README.md": "x"})
    plan = migrate.planned(migrate.request(Flags(str(core), str(gitops))))
    try:
        assert unused_rows.unused_rows(plan.simulation, configuration.mapping_file(core)) == []
        assert [move.source for move in plan.simulation.mapping.moves] == ["deploy/", "iac/", "strange: name, {x}/"]
        copied = {change.path for result in plan.results for change in result.changes if change.kind == "copy"}
        assert {"iac/main.tf", "deploy/base/kustomization.yaml", "strange: name, {x}/#1 & 'y'/a.tf"} <= copied
    finally:
        plan.simulation.repositories.close()


def test_files_of_a_person_are_replaced_only_when_asked(core: Path):
    (core / "config").mkdir()
    (core / "config" / "services.yaml").write_text("services: []\n")
    with pytest.raises(Trouble) as refused:
        cli.init(str(core), "", yes=False, json=False, dry=False)
    assert refused.value.code == 3
    assert [path.name for path in (core / "config").iterdir()] == ["services.yaml"]
    assert (core / "config" / "services.yaml").read_text() == "services: []\n"
    cli.init(str(core), "", yes=True, json=False, dry=False)
    assert "name: api" in (core / "config" / "services.yaml").read_text()


def test_a_dry_run_writes_nothing(core: Path, capfd: pytest.CaptureFixture[str]):
    before = state(core)
    cli.init(str(core), "", yes=False, json=False, dry=True)
    assert state(core) == before
    assert f"would write {core / 'config' / 'migration.yaml'}" in capfd.readouterr().out


def test_another_folder_can_be_named(core: Path, tmp_path: Path):
    cli.init(str(core), str(tmp_path / "there" / "config"), yes=False, json=False, dry=False)
    accepted(tmp_path / "there" / "config")
    assert not (core / "config").exists()


def test_the_suite_needs_no_configuration_of_its_own(core: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cli, "repository_root", lambda: tmp_path / "nowhere")
    cli.init(str(core), "", yes=False, json=False, dry=False)
    accepted(core / "config")


def test_an_empty_repository_gets_files_too(tmp_path: Path):
    core = make(tmp_path / "core", {})
    cli.init(str(core), "", yes=False, json=False, dry=False)
    accepted(core / "config")


@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize("link", ["config/settings.yaml", "config"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str, yes: bool):
    core = make(tmp_path / "core", FILES)
    outside = tmp_path / "outside"
    (core / link).parent.mkdir(exist_ok=True)
    (core / link).symlink_to(outside)  # a file that would be made, or a folder of others
    if link == "config":
        outside.mkdir()
    assert code_of(lambda: cli.init(str(core), "", yes=yes, json=False, dry=False)) == 3
    assert not outside.is_file()
    assert not outside.is_dir() or not list(outside.iterdir())


@pytest.mark.parametrize("made", [lambda place: place.write_text("mine"), lambda place: place.mkdir()])
def test_a_proposal_is_not_written_over_a_file(core: Path, tmp_path: Path, made):
    made(tmp_path / "found.yaml")
    assert code_of(lambda: cli.scan(str(core), str(tmp_path / "found.yaml"), json=False)) == 3
    assert (tmp_path / "found.yaml").is_dir() or (tmp_path / "found.yaml").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_an_error(core: Path):
    assert code_of(lambda: cli.scan(str(core), "/dev/null/found.yaml", json=False)) == 1
    (core / "config").write_text("a file")
    assert code_of(lambda: cli.init(str(core), "", yes=True, json=False, dry=False)) == 1


def test_a_folder_in_a_repository_is_refused(core: Path):
    with pytest.raises(Trouble) as failure:
        cli.init(str(core / "charts" / "api"), "", yes=False, json=False, dry=False)
    assert (failure.value.code, failure.value.fix) == (3, f"--core {core}")
    assert git(core, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["nothing", "folder"])
def test_a_folder_without_a_commit_is_refused(tmp_path: Path, name: str):
    (tmp_path / "folder").mkdir()
    assert code_of(lambda: cli.scan(str(tmp_path / name), "", json=False)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "null",
        "1.5",
        "0x1",
        "a: b",
        "- a",
        "#x",
        "a #b",
        "{x}",
        "*a",
        "&a",
        "!a",
        "'",
        '"',
        "ü",
        "a\\b",
        " a",
        "~",
        "2024-01-01",
    ],
)
def test_every_text_comes_back_as_it_was(text: str, tmp_path: Path):
    row = Row({"path": f"{text}/", "reason": text}, True, ("line one\nline two", "\x07 bell"))
    written = document.mapping(Proposal(mapping={"kept": [row]}), "0")
    (tmp_path / "m.yaml").write_text(written)
    kept = mapping_file.read(tmp_path / "m.yaml").kept[0]
    assert (kept.path, kept.reason) == (f"{text}/", text)


def test_a_folder_config_of_the_team_stays_the_teams(tmp_path: Path):
    core = make(tmp_path / "core", {**FILES, "config/crd.yaml": MANIFEST})
    cli.init(str(core), "", yes=False, json=False, dry=False)
    assert [path.name for path in (core / "config").iterdir()] == ["crd.yaml"]
    assert configuration.folder_of(core) == core / ".remote-first" / "config"
    assert configuration.settings_for(core).cluster.name == "change-me"
