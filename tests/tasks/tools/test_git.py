"""git's submodules, with a real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks.core.errors import ToolError
from tasks.core.plan.change import perform
from tasks.tools import git
from tests.made import settings


@pytest.fixture(autouse=True)
def own_git(monkeypatch):
    values = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow",
              "GIT_CONFIG_VALUE_0": "always"}  # fmt: skip
    for who in ("AUTHOR", "COMMITTER"):
        values |= {f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@example.com"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def run(folder: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("module", "origin"):
        (tmp_path / name).mkdir()
        run(tmp_path / name, "init", "-q", "-b", "main")
        run(tmp_path / name, "commit", "-q", "--allow-empty", "-m", "first")
    run(tmp_path / "origin", "submodule", "add", "-q", str(tmp_path / "module"), "gitops/x")
    run(tmp_path / "origin", "commit", "-qm", "submodule")
    run(tmp_path, "clone", "-q", str(tmp_path / "origin"), "clone")
    return tmp_path / "clone"


def test_a_missing_submodule_is_checked_out(clone: Path):
    s = settings()
    assert git.submodule_state(s, clone, "gitops/x") == "-"
    perform(git.submodule_update(s, clone, "gitops/x"))
    assert git.submodule_state(s, clone, "gitops/x") == " "


def test_an_unpinned_submodule_is_distinguished_from_a_missing_one(clone: Path):
    s = settings()
    perform(git.submodule_update(s, clone, "gitops/x"))
    run(clone / "gitops/x", "commit", "-q", "--allow-empty", "-m", "mine")
    assert git.submodule_state(s, clone, "gitops/x") == "+"


def test_a_submodule_that_cannot_be_cloned_names_the_cause_and_the_fix(clone: Path):
    (clone.parent / "module").rename(clone.parent / "moved")
    with pytest.raises(ToolError) as caught:
        perform(git.submodule_update(settings(), clone, "gitops/x"))
    assert caught.value.why == "the repository does not exist at this address, or you may not read it"
    assert "git submodule sync" in caught.value.fix


def test_a_path_without_a_submodule_is_not_an_error(clone: Path):
    assert git.submodule_state(settings(), clone, "nothing/here") == ""


def test_a_folder_without_a_repository_is_an_error(tmp_path: Path):
    with pytest.raises(ToolError, match="not a git repository"):
        git.submodule_state(settings(), tmp_path, "x")


def test_a_submodule_that_cannot_be_fetched_is_an_error_and_asks_nobody(clone: Path, tmp_path: Path):
    (tmp_path / "module").rename(tmp_path / "gone")
    with pytest.raises(ToolError):
        perform(git.submodule_update(settings(), clone, "gitops/x"))


def test_a_surrounding_git_does_not_mislead_it(clone: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "origin/.git"))
    assert git.submodule_state(settings(), clone, "gitops/x") == "-"
