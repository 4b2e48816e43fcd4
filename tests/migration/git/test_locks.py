"""Locks: those of other processes are named and stay, a killed run's own are deleted, its half-written files too."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from migration.git import locks, write
from migration.git.objects import Entry
from migration.git.worktree import Checkout
from tasks.core.errors import Refused
from tests.migration.git.conftest import git
from tests.migration.git.test_write import check_new, killed_at, prepared

FOREIGN = (
    "packed-refs.lock",
    "HEAD.lock",
    "refs/heads/main.lock",
    "refs/tags/before-remote-first.lock",
    "config.lock",
    "shallow.lock",
    "index.lock",
)


def kill_between(place: Checkout, old: str, new: str, wanted: dict[str, Entry | None]) -> None:
    """Kill a run after it has written its journal."""
    for step in range(1, 100):
        if not killed_at(step, lambda: write.move(place, old, new, wanted, time.time_ns())):
            pytest.fail("never killed between journal and end")
        if (place.own / "journal.json").exists():
            return


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_lock_of_another_process_is_named_and_stays(repo: Path, name: str, killed: bool):
    place, old, new, wanted, _ = prepared(repo)
    if killed:
        kill_between(place, old, new, wanted)
        (repo / ".git/index.lock").unlink(missing_ok=True)
    lock = repo / ".git" / name
    lock.write_text("")  # younger than the journal: that proves nothing
    with pytest.raises(Refused, match=name.rpartition("/")[2]) as refused, locks.held(repo / ".git", "run"):
        write.resume(place)
    assert str(lock) in refused.value.fix
    assert lock.exists()
    lock.unlink()
    with locks.held(repo / ".git", "run"):
        write.resume(place)


def test_the_lock_of_a_linked_work_tree_s_branch_is_named(repo: Path, tmp_path: Path):
    linked = tmp_path / "linked"
    git(repo, "worktree", "add", "-q", "-b", "other", str(linked))
    lock = repo / ".git/refs/heads/other.lock"
    lock.write_text("")
    place = Checkout(linked, Path(git(linked, "rev-parse", "--absolute-git-dir")), "refs/heads/other", "run")
    with pytest.raises(Refused, match=r"other\.lock"):
        write.resume(place)
    assert lock.exists()


def test_a_branch_s_lock_with_the_killed_run_s_commit_is_its_own(repo: Path):
    place, old, new, wanted, _ = prepared(repo)
    kill_between(place, old, new, wanted)
    (repo / ".git/refs/heads/main.lock").write_text(f"{new}\n")
    with locks.held(repo / ".git", "second"):
        write.resume(place)
    if git(repo, "rev-parse", "HEAD") == old:
        write.move(place, old, new, wanted, time.time_ns())
    check_new(repo, new)


def test_half_written_files_of_killed_runs_are_swept_and_others_stay(repo: Path):
    place, *_ = prepared(repo)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    git_dir = repo / ".git"
    ours = [
        git_dir / f"remote-first.lock.{dead.pid}",
        git_dir / f"remote-first.lock.{dead.pid}.{dead.pid}.new",
        place.own / f"journal.json.{dead.pid}.new",
        place.own / f"bits.json.{dead.pid}.new",
        place.own / "index.new",
        place.own / "index.new.lock",
    ]
    theirs = [
        git_dir / f"remote-first.lock.{os.getppid()}",  # a living run that waits for the lock
        git_dir / "remote-first.lock.mine",
        git_dir / "index.new",
        place.own / "notes",
    ]
    for leftover in (*ours, *theirs):
        leftover.write_text('{"half')
    (place.stage / "deep").mkdir(parents=True)
    with locks.held(git_dir, "run"):
        assert write.resume(place) == ""
    assert [p for p in ours if p.exists()] == []
    assert [p for p in theirs if not p.exists()] == []
    assert not place.stage.exists()


def test_a_refused_move_leaves_nothing_of_its_own(repo: Path):
    place, old, new, wanted, _ = prepared(repo)
    (repo / "changed.txt").write_text("edited\n")
    with pytest.raises(Refused):
        write.move(place, old, new, wanted, 0)
    assert list(place.own.iterdir()) == []


def test_the_journal_is_not_written_through_a_link(repo: Path, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.write_text("theirs\n")
    place, old, new, wanted, _ = prepared(repo)
    (place.own / f"journal.json.{os.getpid()}.new").symlink_to(outside)
    write.move(place, old, new, wanted, time.time_ns())
    assert outside.read_text() == "theirs\n"
    check_new(repo, new)
