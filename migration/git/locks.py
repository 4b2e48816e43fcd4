"""Locks: our own against a second run, git's own recognised as ours or named as somebody else's."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from migration.git.objects import MARK
from tasks.core.errors import Refused, Trouble
from tasks.core.process.processes import started

NEXT = "refs/remote-first/next"  # what fast-import writes to; no branch of anybody
OWN = "remote-first"  # our folder inside the git folder


@contextmanager
def held(git_dir: Path, run: str) -> Iterator[None]:
    """Hold this repository against a second run. A dead owner's lock is taken over, after its children have ended."""
    lock, mine = git_dir / "remote-first.lock", git_dir / f"remote-first.lock.{os.getpid()}"
    try:
        write_json(mine, {"run": run, "pid": os.getpid(), "start": started(os.getpid()), "since": time.time()})
    except OSError as why:
        full = why.errno in (errno.ENOSPC, errno.EDQUOT)
        fix = f"free some space: df -h {git_dir}" if full else f"look at its owner: ls -ld {git_dir}"
        raise Trouble(f"cannot write in {git_dir}: {why.strerror}", fix=fix) from None
    try:
        for _ in range(20):
            try:
                os.link(mine, lock)
                break
            except FileExistsError:
                _take_over(lock)
        else:
            raise Trouble(f"{lock} cannot be taken", fix=f"rm {lock}, when no other run works here")
    finally:
        mine.unlink(missing_ok=True)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _take_over(lock: Path) -> None:
    try:
        noted: dict[str, Any] = json.loads(lock.read_text())
        pid, start, run = int(noted["pid"]), noted["start"], str(noted["run"])
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        pid, start, run = 0, 0.0, ""
    if pid and started(pid) == start:
        raise Refused(
            f"another run works here (process {pid}, lock {lock})", fix="wait for it to end, then run this again"
        )
    end = time.monotonic() + 60
    while children := _children(run):
        if time.monotonic() > end:
            for child in children:
                os.kill(child, signal.SIGKILL)
        time.sleep(0.05)
    lock.unlink(missing_ok=True)


def _children(run: str) -> list[int]:
    """The living processes that a run started, told by their environment."""
    mark, found = f"{MARK}={run}".encode(), []
    if not run:
        return []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue  # it ended, or is another user's
    return [pid for pid in found if pid != os.getpid() and started(pid)]


def drop_dead_ref_locks(git_dir: Path, branch: str) -> None:
    """A machine that crashed may leave git's lock of a ref that only we write, or of the branch we were moving."""
    (git_dir / OWN / "index.new.lock").unlink(missing_ok=True)
    for name in (NEXT, "refs/tags/before-remote-first"):
        (git_dir / f"{name}.lock").unlink(missing_ok=True)
    journal = git_dir / OWN / "journal.json"
    for name in (branch, "HEAD", "packed-refs"):
        lock = git_dir / f"{name}.lock"
        if not name or not lock.exists():
            continue
        if journal.exists() and lock.stat().st_mtime >= journal.stat().st_mtime:
            lock.unlink(missing_ok=True)
        else:
            raise foreign_lock(lock)


def foreign_lock(lock: Path) -> Refused:
    """The refusal for a lock of git that is none of ours."""
    return Refused(
        f"another git process holds {lock}", fix=f"wait for it to end; if none runs (ps -ef | grep git): rm {lock}"
    )


def same_file(one: Path, other: Path) -> bool:
    """Are these two names of one file? No when one is absent."""
    try:
        return os.path.samefile(one, other)
    except FileNotFoundError:
        return False


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        fresh.write_text(json.dumps(data))
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
