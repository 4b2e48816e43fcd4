"""What prevents a commit in a repository, as problems that can be compared."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from migration.git.facts import RepositoryReading
from tasks.core.errors import REFUSED, Problem


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "A")
    git(folder, "config", "user.email", "a@example.test")
    for name in ("a", "b", "c", "d"):
        (folder / f"{name}.txt").write_text("old\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def problems(folder: Path) -> tuple[Problem, ...]:
    look = RepositoryReading("core", folder)
    try:
        return look.facts().problems
    finally:
        look.close()


def refusal(what: str, fix: str) -> Problem:
    return Problem(f"core: {what}", fix=fix, code=REFUSED)


def test_a_clean_repository_has_no_problem(repo: Path):
    assert problems(repo) == ()


@pytest.mark.parametrize(
    ("changed", "named"), [("a", "a.txt"), ("abc", "a.txt, b.txt, c.txt"), ("abcd", "a.txt, b.txt, c.txt and 1 more")]
)
def test_uncommitted_changes_are_named(repo: Path, changed: str, named: str):
    for name in changed:
        (repo / f"{name}.txt").write_text("new\n")
    fix = f"git -C {repo} commit -a, or git -C {repo} stash"
    assert problems(repo) == (refusal(f"uncommitted changes in {repo}: {named}", fix),)


@pytest.mark.parametrize(
    ("mark", "what", "fix"),
    [
        ("MERGE_HEAD", "a merge", "git merge --continue, or git merge --abort"),
        ("CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue, or git cherry-pick --abort"),
        ("REVERT_HEAD", "a revert", "git revert --continue, or git revert --abort"),
        ("BISECT_LOG", "a bisect", "git bisect reset"),
    ],
)
def test_an_operation_in_progress_is_named_with_its_end(repo: Path, mark: str, what: str, fix: str):
    (repo / ".git" / mark).write_text("")
    assert problems(repo) == (refusal(f"{what} is in progress in {repo}", f"cd {repo} && {fix}"),)


def test_a_detached_head_is_named_with_the_only_branch(repo: Path):
    git(repo, "switch", "-q", "--detach")
    assert problems(repo) == (refusal(f"HEAD is detached in {repo}", f"git -C {repo} switch main"),)


def test_a_sparse_checkout_is_named(repo: Path):
    git(repo, "sparse-checkout", "set", "x")
    (problem,) = problems(repo)
    assert problem.fix == f"git -C {repo} sparse-checkout disable"
    assert problem.code == REFUSED


def test_a_folder_with_a_blank_is_quoted_in_the_fix(repo: Path):
    blank = repo.rename(repo.parent / "my checkout")
    git(blank, "switch", "-q", "--detach")
    (problem,) = problems(blank)
    assert problem.fix == f"git -C '{blank}' switch main"


def test_a_text_that_gitattributes_calls_binary_is_searched_too(repo: Path):
    (repo / ".gitattributes").write_text("*.yaml -diff\n*.lock binary\n")
    (repo / "a.yaml").write_text("path: infra/x\n")
    (repo / "b.lock").write_text("infra/x\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "second")
    look = RepositoryReading("core", repo)
    facts = look.facts()
    try:
        assert facts.holding(("infra/x",)) == {"a.yaml", "b.lock"}
    finally:
        facts.close()
        look.close()
