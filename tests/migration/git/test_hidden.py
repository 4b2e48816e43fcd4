"""Files with an assume-unchanged or skip-worktree bit: changes that `git status` does not show are not lost."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from migration.git import write
from migration.git.facts import Facts, RepositoryReading
from migration.git.worktree import Checkout
from tests.migration.git.conftest import git
from tests.migration.git.test_write import prepared

ASSUMED, SKIPPED = "--assume-unchanged", "--skip-worktree"


def facts(folder: Path) -> Facts:
    reading = RepositoryReading("core", folder)
    try:
        return reading.facts()
    finally:
        reading.close()


def tags(folder: Path) -> dict[str, str]:
    rows = git(folder, "ls-files", "-v", "-z").split("\0")
    return {row[2:]: row[0] for row in rows if row}


@pytest.mark.parametrize("bit", [ASSUMED, SKIPPED])
@pytest.mark.parametrize("change", ["write", "chmod", "delete", "link"])
def test_a_hidden_change_is_a_problem_whose_fix_shows_it(repo: Path, bit: str, change: str):
    git(repo, "update-index", bit, "changed.txt", "keep.txt")
    place = repo / "changed.txt"
    if change == "chmod":
        place.chmod(0o755)
    else:
        place.unlink()
    if change == "write":
        place.write_text("mine\n")
    elif change == "link":
        place.symlink_to("keep.txt")
    seen = facts(repo)
    assert seen.problems == ()
    assert seen.hidden_changes(["keep.txt", "gone/a.txt"]) == []
    (problem,) = seen.hidden_changes(["changed.txt", "keep.txt"])
    assert "changed.txt" in problem.what
    assert problem.code == 3
    subprocess.run(problem.fix.partition(";")[0], shell=True, check=True)
    assert git(repo, "status", "--porcelain", "-uno").split()[-1] == "changed.txt"
    assert facts(repo).hidden_changes(["changed.txt"]) == []


def test_a_file_with_both_bits_gets_both_commands(repo: Path):
    git(repo, "update-index", ASSUMED, "changed.txt")
    git(repo, "update-index", SKIPPED, "changed.txt")
    (repo / "changed.txt").write_text("mine\n")
    (problem,) = facts(repo).hidden_changes(["changed.txt"])
    assert "--no-assume-unchanged -- changed.txt" in problem.fix
    assert "--no-skip-worktree -- changed.txt" in problem.fix


def test_line_ends_and_filters_are_no_change(repo: Path):
    git(repo, "config", "core.autocrlf", "true")
    git(repo, "config", "filter.upper.clean", "tr a-z A-Z")
    (repo / ".gitattributes").write_text("gone/** filter=upper\n")
    (repo / "changed.txt").write_bytes(b"old\r\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "attributes")
    names = ["changed.txt", "gone/a.txt", "gone/new\nline"]
    git(repo, "update-index", ASSUMED, *names)
    assert facts(repo).hidden_changes(names) == []
    (repo / "gone/new\nline").write_text("mine\n")
    (problem,) = facts(repo).hidden_changes(names)
    assert "line" in problem.what


@pytest.mark.parametrize("bit", [ASSUMED, SKIPPED])
def test_bits_are_kept_and_come_back_with_the_file(repo: Path, bit: str):
    git(repo, "update-index", bit, "keep.txt", "changed.txt", "gone/a.txt")
    before = tags(repo)
    place, old, new, wanted, _ = prepared(repo)
    write.move(place, old, new, wanted, time.time_ns())
    assert (repo / "changed.txt").read_text() == "new\n"
    after = tags(repo)
    assert {after[p] for p in ("keep.txt", "changed.txt")} == {before["keep.txt"]}
    assert after["made/\xe9.txt"] == "H"
    back = facts(repo)
    was = back.tree_of(old)
    checkout = Checkout(repo, back.git_dir, back.branch, "back")
    write.move(checkout, new, old, {p: was.get(p) for p in wanted}, time.time_ns())
    assert tags(repo) == before
    assert (repo / "gone/a.txt").read_text() == "a\n"
    assert (repo / "changed.txt").read_text() == "old\n"
    assert not facts(repo).dirty
