"""`inv sandbox.legacy`: what it prints, what it refuses, what it leaves behind when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.legacy import FAULTS, make
from sandbox.legacy import pair as making
from sandbox.legacy.cli import run_legacy, show_faults
from tasks.core.errors import Absent, Trouble


def test_it_prints_the_repositories_folders_and_the_next_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_legacy(str(tmp_path / "pair"), "S", ["one-byte", "dirty-tree"])
    said = capsys.readouterr().out
    assert str(tmp_path / "pair" / "ameide-core") in said
    assert "one differs in one byte" in said
    assert f"inv migrate.plan --core {tmp_path}/pair/ameide-core --gitops {tmp_path}/pair/ameide-gitops" in said


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_legacy(str(tmp_path / "pair"), "400", [], json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["files"] == 400
    assert Path(document["remotes"]["core"]).is_dir()


def test_the_faults_are_listed_with_one_line_each(capsys: pytest.CaptureFixture[str]):
    show_faults()
    assert len(capsys.readouterr().out.splitlines()) == len(FAULTS)


def test_a_flag_in_place_of_a_folder_is_refused():
    with pytest.raises(Trouble, match="inv --help"):
        run_legacy("--help")


def test_a_folder_that_cannot_be_created_is_one_error_line(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Trouble, match="cannot create"):
        make(tmp_path / "file" / "below")


def test_without_git_it_fails_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Absent, match="git is not installed"):
        make(tmp_path / "pair")
    assert not (tmp_path / "pair").exists()


def test_an_interrupt_leaves_nothing_incomplete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "_check_out_submodules", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "pair")
    assert not (tmp_path / "pair").exists()


def test_without_a_folder_it_offers_to_delete_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "work").write_text("x")
    monkeypatch.chdir(tmp_path)
    for folder in ("", ".", str(tmp_path)):
        with pytest.raises(Trouble) as seen:
            run_legacy(folder)
        assert "inv sandbox.legacy --dir FOLDER" in seen.value.fix
        assert "rm" not in seen.value.fix.split()
