"""What is written is what git would write, and nothing outside the repository is touched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from migration.git import locks, worktree, write
from migration.git.beneath import Beneath
from migration.git.facts import RepositoryReading
from migration.git.objects import Entry
from migration.git.worktree import Checkout
from tasks.core.errors import Refused, ToolError
from tests.migration.git.conftest import git
from tests.migration.git.test_write import check_new, killed_at, prepared

ATTRIBUTES = """\
*.txt text eol=crlf
*.utf16 text working-tree-encoding=UTF-16LE
*.hidden filter=swap
*.id ident
"""
ATTRIBUTED = {
    "a.txt": b"one\r\ntwo\r\n",
    "a.utf16": "größe\n".encode("utf-16-le"),
    "a.hidden": b"SECRET\n",
    "a.id": b"$Id$\n",
    "plain": b"x\n",
}


def content(folder: Path) -> dict[str, object]:
    """Every path below the folder but git's own, with its type, permissions and content."""
    found: dict[str, object] = {}
    for place in sorted(folder.rglob("*")):
        if ".git" not in place.relative_to(folder).parts:
            status = place.lstat()
            data = os.readlink(place) if place.is_symlink() else place.read_bytes() if place.is_file() else b""
            found[str(place.relative_to(folder))] = (status.st_mode, data)
    return found


def swap_after_staging(monkeypatch: pytest.MonkeyPatch, swap: Callable[[], object]) -> None:
    """Run `swap` when the new files are staged, before the first change of the work tree."""
    real = worktree.stage
    todo = [swap]

    def staged(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        if todo:
            todo.pop()()

    monkeypatch.setattr(worktree, "stage", staged)


@pytest.mark.parametrize("folder", ["gone", "gone/deep", "made"])
def test_a_folder_that_became_a_link_is_not_followed(
    repo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
):
    place, old, new, wanted, _ = prepared(repo)
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    for name in ("a.txt", "b.sh", "deep/b.sh", "\xe9.txt"):
        (outside / name).write_text("not in the repository\n")
    (outside / "deep/empty").mkdir()
    before = content(outside)

    def swap() -> None:
        if (repo / folder).exists():
            (repo / folder).rename(repo / "moved-away")
        (repo / folder).symlink_to(outside)

    swap_after_staging(monkeypatch, swap)
    with pytest.raises(Refused, match=f"{folder} became a link or a file"):
        write.move(place, old, new, wanted, time.time_ns())
    assert content(outside) == before
    assert git(repo, "rev-parse", "HEAD") == old
    assert (repo / "changed.txt").read_text() == "old\n"
    assert (repo / folder).is_symlink()
    assert not (repo / ".git/index.lock").exists()
    assert not (repo / ".git/remote-first/journal.json").exists()


def test_a_link_at_the_place_of_a_file_is_replaced_and_its_target_stays(
    repo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    place, old, new, wanted, _ = prepared(repo)
    outside = tmp_path / "outside.txt"
    outside.write_text("not in the repository\n")

    def swap() -> None:
        (repo / "changed.txt").unlink()
        (repo / "changed.txt").symlink_to(outside)

    swap_after_staging(monkeypatch, swap)
    write.move(place, old, new, wanted, time.time_ns())
    assert outside.read_text() == "not in the repository\n"
    check_new(repo, new)


@pytest.mark.parametrize("name", ["remote-first", "remote-first/stage"])
def test_a_link_at_the_suite_s_own_folder_is_refused(repo: Path, tmp_path: Path, name: str):
    place, old, new, wanted, _ = prepared(repo)
    outside = tmp_path / "outside"
    (outside / "stage").mkdir(parents=True)
    (outside / "stage/theirs").write_text("theirs\n")
    (outside / "journal.json").write_text("theirs\n")
    before = content(outside)
    for leftover in (repo / ".git/remote-first").iterdir():
        leftover.unlink()
    own = repo / ".git" / name
    if name == "remote-first":
        own.rmdir()
    own.symlink_to(outside)
    with pytest.raises(Refused, match="is not a folder"), locks.held(repo / ".git", "run"):
        write.resume(place)
    with pytest.raises(Refused, match="is not a folder"):
        write.move(place, old, new, wanted, time.time_ns())
    assert content(outside) == before
    assert git(repo, "rev-parse", "HEAD") == old


def test_files_move_to_another_file_system_by_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root, staged = tmp_path / "root", tmp_path / "staged"
    root.mkdir()
    staged.mkdir()
    (root / ".a.remote-first").write_text("half a copy of a killed run")
    (staged / "a").write_text("new\n")
    (staged / "a").chmod(0o755)
    (staged / "link").symlink_to("a")
    real = os.replace

    def across(source: object, target: object, **more: object) -> None:
        if "src_dir_fd" not in more:
            raise OSError(18, "Invalid cross-device link")
        real(source, target, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", across)
    with Beneath(root) as tree:
        tree.put(staged / "a", "a")
        tree.put(staged / "link", "deep/link")
    assert (root / "a").read_text() == "new\n"
    assert (root / "a").stat().st_mode & 0o777 == 0o755
    assert os.readlink(root / "deep/link") == "a"
    assert sorted(p.name for p in root.iterdir()) == ["a", "deep"]


@pytest.fixture
def attributed(repo: Path) -> tuple[Path, str, str, dict[str, Entry | None]]:
    """A repository with files of many attributes, and the move that deletes them all."""
    git(repo, "config", "filter.swap.clean", "tr A-Z a-z")
    git(repo, "config", "filter.swap.smudge", "tr a-z A-Z")
    git(repo, "config", "filter.swap.required", "true")
    (repo / ".gitattributes").write_text(ATTRIBUTES)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "attributes")
    git(repo, "rm", "-q", "-r", "--cached", ".")
    git(repo, "reset", "-q", "--hard")
    without = git(repo, "rev-parse", "HEAD")
    for name, data in ATTRIBUTED.items():
        (repo / name).write_bytes(data)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "files")
    for name in ATTRIBUTED:
        (repo / name).unlink()
    git(repo, "checkout", "--", ".")  # $Id$ is expanded now
    tree = RepositoryReading("core", repo).facts().tree
    return repo, without, git(repo, "rev-parse", "HEAD"), {p: tree.get(p) for p in ATTRIBUTED}


def here(folder: Path) -> Checkout:
    return Checkout(folder, folder / ".git", "refs/heads/main", "run")


def test_files_come_back_as_git_writes_them(attributed: tuple[Path, str, str, dict[str, Entry | None]]):
    folder, without, full, back = attributed
    before = content(folder)
    assert git(folder, "status", "--porcelain") == ""
    write.move(here(folder), full, without, dict.fromkeys(back), time.time_ns())
    assert not (folder / "a.hidden").exists()
    assert git(folder, "status", "--porcelain") == ""
    write.move(here(folder), without, full, back, time.time_ns())
    assert content(folder) == before
    assert git(folder, "status", "--porcelain") == ""


def test_a_filter_that_fails_leaves_everything_as_it_was(attributed: tuple[Path, str, str, dict[str, Entry | None]]):
    folder, without, full, back = attributed
    write.move(here(folder), full, without, dict.fromkeys(back), time.time_ns())
    before = content(folder)
    git(folder, "config", "filter.swap.smudge", "false")
    with pytest.raises(ToolError, match="git checkout-index"):
        write.move(here(folder), without, full, back, time.time_ns())
    assert content(folder) == before
    assert git(folder, "rev-parse", "HEAD") == without
    assert not (folder / ".git/index.lock").exists()


def test_a_kill_between_converted_files_is_finished(
    attributed: tuple[Path, str, str, dict[str, Entry | None]], tmp_path: Path
):
    folder, without, full, back = attributed
    before = content(folder)
    write.move(here(folder), full, without, dict.fromkeys(back), time.time_ns())
    checkout = here(folder)
    for step in range(1, 200):
        if not killed_at(step, lambda: write.move(checkout, without, full, back, time.time_ns())):
            pytest.fail("never killed between two files")
        written = [p for p in ATTRIBUTED if (folder / p).exists()]
        if written and len(written) < len(ATTRIBUTED):
            break
        with locks.held(folder / ".git", "second"):
            write.resume(checkout)
        if git(folder, "rev-parse", "HEAD") == full:
            write.move(checkout, full, without, dict.fromkeys(back), time.time_ns())
    with locks.held(folder / ".git", "second"):
        assert "finished" in write.resume(checkout)
    assert content(folder) == before
    assert git(folder, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["refs/heads/main.lock", "HEAD.lock"])
def test_a_lock_that_appears_meanwhile_restores_everything_and_stays(
    repo: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    place, old, new, wanted, _ = prepared(repo)
    before, lock = content(repo), repo / ".git" / name
    swap_after_staging(monkeypatch, lock.touch)
    with pytest.raises(ToolError, match=lock.name):
        write.move(place, old, new, wanted, time.time_ns())
    assert lock.exists()
    assert content(repo) == before
    lock.unlink()
    assert git(repo, "rev-parse", "HEAD") == old
    assert git(repo, "status", "--porcelain", "-uno") == ""
