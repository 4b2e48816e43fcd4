"""Moves of a repository between commits, killed at every point; locks of living and dead runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from migration.git import commit_import, locks, write
from migration.git.facts import RepositoryReading
from migration.git.objects import Blobs, Entry, Git, Tree, commit_body, object_id
from migration.git.worktree import Checkout
from tasks.core.errors import Refused, Trouble
from tests.migration.git.conftest import FILES, git


def edits(blobs: Blobs) -> dict[str, Entry | None]:
    fresh = {
        p: blobs.plan(d, 40)
        for p, d in (("changed.txt", b"new\n"), ("made/\xe9.txt", b"made\n"), ("link", b"keep.txt"))
    }
    wanted: dict[str, Entry | None] = {p: None for p in FILES if p.startswith("gone/")}
    wanted["changed.txt"] = Entry("100644", fresh["changed.txt"])
    wanted["made/\xe9.txt"] = Entry("100755", fresh["made/\xe9.txt"])
    wanted["link"] = Entry("120000", fresh["link"])
    return wanted


def prepared(folder: Path) -> tuple[Checkout, str, str, dict[str, Entry | None], Tree]:
    """The objects of a commit that deletes, changes and adds; nothing moved yet."""
    facts = RepositoryReading("core", folder).facts()
    place = Checkout(folder, facts.git_dir, facts.branch, f"test-{os.getpid()}")
    blobs, tree = Blobs(facts.git), facts.tree.copy()
    wanted = edits(blobs)
    tree.apply(wanted)
    who = "A <a@example.test> 1700000000 +0100"
    body = commit_body(tree.id(), (facts.head,), who, who, "KEY: it holds\n")
    new = object_id("commit", body)
    oids = [e.oid for e in wanted.values() if e]
    head = commit_import.commit_head(who, who, "KEY: it holds\n")
    place.prepare()
    commit_import.import_commits(
        place.git,
        [commit_import.PlannedCommit(new, head, wanted, (facts.head,))],
        blobs.many,
        commit_import.absent(facts.git, oids),
        new,
    )
    blobs.close()
    return place, facts.head, new, wanted, tree


def check_new(folder: Path, new: str) -> None:
    assert git(folder, "rev-parse", "HEAD") == new
    assert git(folder, "status", "--porcelain", "-uno") == ""
    assert (folder / "changed.txt").read_bytes() == b"new\n"
    assert (folder / "made/é.txt").stat().st_mode & 0o111
    assert os.readlink(folder / "link") == "keep.txt"
    assert (folder / "gone/deep/x.env").read_text() == "TOKEN=1"
    assert not (folder / "gone/a.txt").exists()
    assert not (folder / ".git/index.lock").exists()


def test_the_computed_id_of_a_tree_is_git_s(repo: Path):
    place, old, new, wanted, tree = prepared(repo)
    assert git(repo, "rev-parse", f"{new}^{{tree}}") == tree.id()
    write.move(place, old, new, wanted, time.time_ns())
    check_new(repo, new)


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Run the work in a child that is killed at its n-th change of anything; False when it ended before."""
    child = os.fork()
    if child == 0:
        count = 0

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object, **more: object) -> object:
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **more)

            return call

        for name in ("replace", "unlink", "link", "rmdir", "symlink", "open"):
            setattr(os, name, counted(getattr(os, name)))
        Git.read = counted(Git.read)  # type: ignore[method-assign, assignment]
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_after_a_kill_at_any_point_the_next_run_finishes(repo: Path, tmp_path: Path):
    place, old, new, wanted, _ = prepared(repo)
    points = 0
    for step in range(1, 200):
        copy = tmp_path / f"copy{step}"
        subprocess.run(["cp", "-a", str(repo), str(copy)], check=True)
        here = Checkout(copy, copy / ".git", place.branch, place.run)
        git(copy, "update-index", "-q", "--refresh")

        def work(here: Checkout = here) -> None:
            with locks.held(here.git_dir, here.run):
                write.move(here, old, new, wanted, time.time_ns())

        if not killed_at(step, work):
            break
        points += 1
        head = git(copy, "rev-parse", "HEAD")
        assert head in (old, new)
        with locks.held(here.git_dir, "second"):
            write.resume(here)
            if git(copy, "rev-parse", "HEAD") == old:
                write.move(here, old, new, wanted, time.time_ns())
        check_new(copy, new)
        assert not (copy / ".git/remote-first.lock").exists()
    assert points > 15


def test_a_file_changed_after_the_kill_is_not_overwritten(repo: Path):
    place, old, new, wanted, _ = prepared(repo)
    for step in range(1, 100):
        if not killed_at(step, lambda: write.move(place, old, new, wanted, time.time_ns())):
            pytest.fail("never killed between journal and end")
        if (repo / ".git/remote-first/journal.json").exists():
            break
    (repo / "changed.txt").write_text("a person's work\n")
    with pytest.raises(Refused, match=r"changed\.txt"):
        write.resume(place)
    assert (repo / "changed.txt").read_text() == "a person's work\n"


def test_the_lock_of_another_process_is_reported_and_kept(repo: Path):
    place, old, new, wanted, _ = prepared(repo)
    (repo / ".git/index.lock").touch()
    with pytest.raises(Refused, match=r"index\.lock"):
        write.move(place, old, new, wanted, time.time_ns())
    assert (repo / ".git/index.lock").exists()
    assert git(repo, "rev-parse", "HEAD") == old
    with pytest.raises(Refused):
        write.resume(place)


def test_a_living_run_blocks_a_second_one_and_a_dead_run_does_not(repo: Path):
    git_dir = repo / ".git"
    with locks.held(git_dir, "one"), pytest.raises(Refused, match="another run"), locks.held(git_dir, "two"):
        pass
    (git_dir / "remote-first.lock").write_text(json.dumps({"run": "dead", "pid": os.getpid(), "start": 1.0}))
    with locks.held(git_dir, "three"):
        pass


def test_a_file_changed_during_the_run_stops_it(repo: Path):
    place, old, new, wanted, _ = prepared(repo)
    since = time.time_ns()
    probe = repo / ".git/probe"
    probe.touch()
    while probe.stat().st_mtime_ns <= since:  # until the file system's clock has moved on
        probe.touch()
    (repo / "changed.txt").write_text("edited\n")
    with pytest.raises(Refused, match=r"changed\.txt"):
        write.move(place, old, new, wanted, since)
    assert git(repo, "rev-parse", "HEAD") == old
    assert (repo / "gone/a.txt").exists()


def test_a_failed_write_restores_everything(repo: Path, monkeypatch: pytest.MonkeyPatch):
    place, old, new, wanted, _ = prepared(repo)
    real = os.replace

    def full(source: object, target: object, **more: object) -> None:
        if str(target).endswith("changed.txt") and (repo / "gone/a.txt").exists() is False and not full_once:
            full_once.append(True)
            raise OSError(28, "No space left on device", str(target))
        real(source, target, **more)  # type: ignore[arg-type]

    full_once: list[bool] = []
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Trouble, match="No space left"):
        write.move(place, old, new, wanted, time.time_ns())
    monkeypatch.undo()
    assert git(repo, "rev-parse", "HEAD") == old
    assert git(repo, "status", "--porcelain", "-uno") == ""
