"""What prevents a commit: one error with its fix, and nothing changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migration import cli
from migration.model import Block, Reason
from tasks.core.errors import REFUSED, Problem
from tests.migration.conftest import Pair, code_of

pytestmark = pytest.mark.slow
ODD_SETTINGS = {
    "submodule.recurse": "true",  # what the team of the legacy pair sets
    "core.quotePath": "true",
    "color.ui": "always",
    "diff.noprefix": "true",
    "diff.relative": "true",
    "format.pretty": "fuller",
    "grep.lineNumber": "true",
    "log.showRoot": "false",
    "log.showSignature": "true",
    "status.short": "true",
    "core.abbrev": "4",
    "core.autocrlf": "true",
}


@contextmanager
def small_file_system(folder: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs of this size at the folder; skipped where nobody may mount one."""
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small file system")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def heads(repos: Pair) -> list[str]:
    return [repos.git(name, "rev-parse", "HEAD") for name in ("core", "gitops")]


def clean(repos: Pair) -> bool:
    return all(
        repos.git(name, "status", "--porcelain", "-uno", "--ignore-submodules") == "" for name in ("core", "gitops")
    )


def one_error(said: str) -> str:
    """The only error that was said, with its fix."""
    lines = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(lines) <= 1
    assert "Traceback" not in said
    assert "fix:" in said, said[-600:]
    return said


def test_a_sparse_checkout_is_refused(pair: Callable[..., Pair], capsys: pytest.CaptureFixture[str]):
    repos = pair()
    repos.git("core", "sparse-checkout", "set", "services")
    before = heads(repos)
    assert repos.run(1) == 3
    said = one_error(capsys.readouterr().err)
    assert "sparse checkout" in said
    assert f"git -C {repos.core} sparse-checkout disable" in said
    assert heads(repos) == before
    repos.git("core", "sparse-checkout", "disable")
    assert repos.run(1) == 0


def test_a_read_only_file_system_is_refused(
    pair: Callable[..., Pair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with small_file_system(tmp_path / "small", 64) as place:
        shutil.copytree(pair().folder, place / "pair", symlinks=True)
        repos = Pair(place / "pair")
        before = heads(repos)
        remount(place, "ro")
        try:
            assert repos.run(1) in (1, 3)
            said = one_error(capsys.readouterr().err)
            assert "cannot write" in said or "may not be written" in said
            assert repos.run(1, dry=True) == 3  # looking is possible, and says the same
        finally:
            remount(place, "rw")
        assert heads(repos) == before
        assert repos.run(1) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("where", [".", ".git"])
def test_no_write_permission_is_refused(
    pair: Callable[..., Pair], where: str, capsys: pytest.CaptureFixture[str]
):  # pragma: no cover
    repos = pair()
    before = heads(repos)
    (repos.core / where).chmod(0o555)
    try:
        assert repos.run(1) in (1, 3)
    finally:
        (repos.core / where).chmod(0o755)
    one_error(capsys.readouterr().err)
    assert heads(repos) == before


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_full_disk_stops_a_phase_and_changes_nothing(
    pair: Callable[..., Pair],
    migrated_template: Path,
    tmp_path: Path,
    number: int,
    capsys: pytest.CaptureFixture[str],
):
    template = migrated_template if number == 4 else pair().folder
    if number == 2:
        assert Pair(template).run(1) == 0
    with small_file_system(tmp_path / "small", 48) as place:
        shutil.copytree(template, place / "pair", symlinks=True)
        repos = Pair(place / "pair")
        stopped = 0
        for kilobytes in (0, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096):
            before = heads(repos)
            filled = fill(place, kilobytes)
            code = repos.run(number)
            said = capsys.readouterr().err
            filled.unlink()
            if code == 0:
                break
            stopped += 1
            assert code in (1, 3)
            one_error(said)
            assert "space" in said
            # Each repository is moved whole: gitops may be there already, core is never half way.
            assert heads(repos)[0] == before[0]
            assert clean(repos)
            assert not list(repos.core.glob(".git/*.lock"))
        assert stopped
        assert repos.run(number) == 0
        assert clean(repos)


def fill(place: Path, left: int) -> Path:
    """Use up the file system but for this many kilobytes."""
    path = place / "filler"
    free = os.statvfs(place)
    size = free.f_bavail * free.f_frsize - left * 1024
    with path.open("wb") as file:
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, size)
    return path


def test_undo_after_a_push_adds_a_commit(pair: Callable[..., Pair]):
    from migration import undo

    repos = pair(remotes=True)
    trees = [repos.tree(n) for n in ("core", "gitops")]
    for number in (1, 2, 3, 4):
        assert repos.run(number, push=True) == 0
    for name in ("core", "gitops"):
        repos.git(name, "push", "--quiet", "origin", "HEAD")
    pushed = heads(repos)
    assert code_of(lambda: undo.undo(repos.core, repos.gitops, yes=True, dry=False, json=False)) == 0
    assert [repos.tree(n) for n in ("core", "gitops")] == trees
    for name, head in zip(("core", "gitops"), pushed, strict=True):
        assert repos.git(name, "rev-parse", "HEAD~1") == head  # one commit on top: what was pushed stays
        assert "Remote-First: UNDO" in repos.git(name, "log", "-1", "--format=%B")
        repos.git(name, "push", "--quiet", "origin", "HEAD")
    assert clean(repos)
    # A second undo has nothing to do; and the way forward is open again.
    assert code_of(lambda: undo.undo(repos.core, repos.gitops, yes=True, dry=False, json=False)) == 0
    assert repos.git("core", "rev-parse", "HEAD~1") == pushed[0]


def test_unusual_git_settings_make_no_difference(pair: Callable[..., Pair]):
    repos = pair()
    for name in ("core", "gitops"):
        for key, value in ODD_SETTINGS.items():
            repos.git(name, "config", key, value)
    for number in (1, 2, 3, 4):
        assert repos.run(number) == 0
    assert clean(repos)


def test_without_a_git_identity_status_works_and_commits_are_refused(
    pair: Callable[..., Pair], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    repos = pair()
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name in ("core", "gitops"):
        repos.git(name, "config", "user.useConfigOnly", "true")
        for key in ("user.name", "user.email"):
            repos.git(name, "config", "--unset", key)
    before = heads(repos)
    assert code_of(lambda: cli.status(repos.flags())) == 0
    assert "does not know who commits" in capsys.readouterr().out
    assert code_of(lambda: cli.plan(repos.flags(), str(tmp_path / "plan.json"))) == 3
    assert not (tmp_path / "plan.json").exists()
    capsys.readouterr()
    assert repos.run(1) == 3
    assert "config user.email" in one_error(capsys.readouterr().err)
    assert heads(repos) == before


def test_a_block_is_a_problem_with_its_place_and_its_fix(pair: Callable[..., Pair]):
    path, other = "tools/bootstrap/configs/dev.yaml", "infra/environments/dev/bootstrap.yaml"
    blocks = {block.path: block for result in pair("two-sources").plan((1,)).results for block in result.blocks}
    accept = f"--accept {path} or --accept {other}"
    fix = f"make them equal, list twins in `decided` of config/migration.yaml, or accept the loss of one: {accept}"
    assert blocks[path] == Block.at(path, Reason.DIVERGED, other, fix, path)
    assert blocks[path].problem == Problem(f"{path} is blocked: diverged", why=other, fix=fix, code=REFUSED)


def test_a_file_in_the_way_blocks_with_its_path(pair: Callable[..., Pair]):
    repos = pair()
    (repos.gitops / "policies").write_text("a person's\n")
    fix = "an untracked file is where policies/"
    blocks = [block for result in repos.plan((1,)).results for block in result.blocks]
    assert blocks
    assert {(b.path, b.reason, b.where) for b in blocks} == {("policies", Reason.CUSTOM, "gitops:policies")}
    assert all(b.fix.startswith(fix) and b.fix.endswith("belongs; move it away") for b in blocks)
