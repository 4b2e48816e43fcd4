"""What a server or a hook refuses, with a real git: every error has a cause and a fix."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from migration.git.objects import Git
from tasks.core.errors import ToolError


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone that is one commit ahead of its origin."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "a")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.com")
    run(tmp_path, "init", "-q", "--bare", "-b", "main", "origin")
    run(tmp_path, "clone", "-q", "origin", "clone")
    commit(tmp_path / "clone", "first")
    run(tmp_path / "clone", "push", "-q", "origin", "HEAD:main")
    commit(tmp_path / "clone", "second")
    return tmp_path / "clone"


def run(folder: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, text: str) -> None:
    run(folder, "commit", "-q", "--allow-empty", "-m", text)


def hook(git_dir: Path, name: str) -> None:
    path = git_dir / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\necho 'policy 7' >&2\nexit 1\n")
    path.chmod(0o755)


def refused(folder: Path, *args: str) -> ToolError:
    with pytest.raises(ToolError) as caught:
        Git(folder).read(*args)
    return caught.value


def test_a_push_that_the_server_refuses(clone: Path):
    hook(clone.parent / "origin", "pre-receive")
    why = refused(clone, "push", "origin", "HEAD:main")
    assert why.why == "the server does not accept the push: pre-receive hook declined"
    assert "pull request" in why.fix


def test_a_push_to_a_branch_that_has_moved(clone: Path):
    run(clone.parent, "clone", "-q", "origin", "other")
    commit(clone.parent / "other", "theirs")
    run(clone.parent / "other", "push", "-q", "origin", "HEAD:main")
    why = refused(clone, "push", "origin", "HEAD:main")
    assert why.why == "the branch on the server has commits that are not here"
    assert "git pull" in why.fix


def test_a_push_that_a_hook_of_this_repository_refuses(clone: Path):
    hook(clone / ".git", "pre-push")
    why = refused(clone, "push", "origin", "HEAD:main")
    assert why.why == "a pre-push hook may have refused it"
    assert "policy 7" in why.stderr
    assert "git push" in why.fix


def test_hooks_do_not_run_wherever_they_are(clone: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("reference-transaction", "post-index-change", "post-checkout", "pre-commit"):
        hook(clone / ".git", name)
    Git(clone).read("update-ref", "refs/heads/other", "HEAD")
    run(clone, "config", "core.hooksPath", str(clone / ".git/hooks"))
    Git(clone).read("update-ref", "-d", "refs/heads/other")


@pytest.mark.parametrize(
    ("address", "cause"),
    [("/nowhere/at/all", "does not exist at this address"), ("https://localhost:1/x", "cannot be reached")],
)
def test_a_remote_that_does_not_answer(clone: Path, address: str, cause: str):
    why = refused(clone, "fetch", address)
    assert cause in why.why
    assert why.fix
