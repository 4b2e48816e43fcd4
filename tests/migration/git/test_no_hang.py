"""Bulk talk with git: more than any pipe holds, and a git that stops reading or answering."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from migration.git import commit_import, streams
from migration.git.objects import Blobs, Git
from tasks.core.errors import TimedOut, ToolError

MANY = 30_000  # their ids and answers fill both pipes many times
QUIET = 1.0


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    return folder


def fake_git(folder: Path, monkeypatch: pytest.MonkeyPatch, verb: str, body: str) -> Path:
    """Put a git on PATH that runs the Python body for one verb. Return the file with the pid of its last run."""
    real, pid = shutil.which("git"), folder / "pid"
    (folder / "bin").mkdir()
    program = folder / "bin/git"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys, time\n"
        f"if {verb!r} in sys.argv:\n"
        f"    open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        + "".join(f"    {line}\n" for line in body.splitlines())
        + f"os.execv({real!r}, ['git', *sys.argv[1:]])\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(streams, "QUIET", QUIET)
    return pid


def is_gone(pid: Path) -> bool:
    try:
        os.kill(int(pid.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


ANSWERS_TWICE = """
for line in sys.stdin.buffer:
    print(line.decode().strip(), "blob 3", flush=True)
    print("abc", flush=True)
    time.sleep(600)
"""
READS_NOTHING = "time.sleep(600)"
READS_A_LITTLE = "os.read(0, 10)\ntime.sleep(600)"
CLOSES_ITS_PIPES = "os.close(0)\nos.close(1)\ntime.sleep(600)"


def test_more_ids_than_the_pipes_hold_are_asked_at_once(repo: Path):
    asked = [f"{number:040x}" for number in range(MANY)]
    assert commit_import.absent(Git(repo), asked) == asked


@pytest.mark.parametrize("size", [1, 100, 70_000])
def test_all_blobs_arrive_whatever_the_pipes_hold(repo: Path, size: int):
    wanted = {}
    for number in range(3):
        data = f"{number} ".encode() * size
        done = subprocess.run(
            ["git", "-C", str(repo), "hash-object", "-w", "--stdin"], input=data, check=True, capture_output=True
        )
        wanted[done.stdout.decode().strip()] = data
    blobs = Blobs(Git(repo))
    asked = list(wanted) * 2000
    try:
        for (oid, data), expected in zip(blobs.many(asked, most=5000), asked, strict=True):
            assert oid == expected
            assert data == wanted[oid]
    finally:
        blobs.close()


@pytest.mark.parametrize("body", [READS_NOTHING, READS_A_LITTLE, CLOSES_ITS_PIPES])
def test_a_git_that_stops_reading_ends_in_an_error_with_its_verb(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
):
    pid = fake_git(tmp_path, monkeypatch, "cat-file", body)
    began = time.monotonic()
    with pytest.raises(ToolError, match=r"git cat-file: "):
        Git(repo).feed(b"x" * 5_000_000, "cat-file", "--batch-check", timeout=QUIET)
    assert time.monotonic() - began < 60
    assert is_gone(pid)


@pytest.mark.parametrize("body", [READS_NOTHING, ANSWERS_TWICE, "print('x blob 1000', flush=True)\ntime.sleep(600)"])
def test_a_git_that_stops_answering_ends_in_an_error_with_its_verb(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
):
    pid = fake_git(tmp_path, monkeypatch, "cat-file", body)
    blobs = Blobs(Git(repo))
    with pytest.raises(TimedOut, match=r"git cat-file: no answer in 1 s"):
        list(blobs.many([f"{number:040x}" for number in range(2000)]))
    blobs.close()
    assert is_gone(pid)


def test_an_import_that_stops_reading_ends_in_an_error(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pid = fake_git(tmp_path, monkeypatch, "fast-import", READS_A_LITTLE)
    with pytest.raises(TimedOut, match=r"git fast-import: no answer in 1 s"):
        commit_import.import_commits(
            Git(repo), [], lambda oids: ((oid, b"x" * 100_000) for oid in oids), ["0"] * 50, "1"
        )
    assert is_gone(pid)


def test_a_child_that_works_slowly_is_not_late(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    steady = (
        f"for part in range(8):\n    os.read(0, 1)\n    os.write(1, b'x')\n    time.sleep({QUIET / 4})\nos._exit(0)"
    )
    fake_git(tmp_path, monkeypatch, "cat-file", steady)
    assert Git(repo).feed(b"12345678", "cat-file", timeout=QUIET) == b"x" * 8


def test_a_child_that_prints_without_end_is_ended(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pid = fake_git(tmp_path, monkeypatch, "log", "while True:\n    os.write(1, b'x')\n    time.sleep(0.05)")
    monkeypatch.setattr(streams, "MOST", QUIET)
    with pytest.raises(TimedOut, match=r"git log: did not end in 1 s"):
        Git(repo).read("log", timeout=QUIET)
    assert is_gone(pid)
