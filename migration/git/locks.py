"""Locks: our own keeps a second run out; git's own are recognised as ours or reported as another process's."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from migration.git.objects import MARK
from tasks.core import regular_file, strict_json
from tasks.core.errors import Refused, Trouble
from tasks.core.process.processes import started

NEXT = "refs/remote-first/next"  # the ref that fast-import writes; no branch
OWN = "remote-first"  # the suite's folder inside the git folder
_ATTEMPTS = 20  # to take a lock that dead runs left
_PATIENCE = 60.0  # seconds until the processes of a dead run are killed


@contextmanager
def held(git_dir: Path, run: str) -> Iterator[None]:
    """Hold this repository against a second run. A dead owner's lock is taken over, after its children have ended."""
    lock, mine = git_dir / "remote-first.lock", git_dir / f"remote-first.lock.{os.getpid()}"
    try:
        write_json(mine, {"run": run, "pid": os.getpid(), "start": started(os.getpid()), "since": time.time()})
    except OSError as why:
        full = why.errno in (errno.ENOSPC, errno.EDQUOT)
        place = shlex.quote(str(git_dir))
        fix = f"free some space: df -h {place}" if full else f"look at its owner: ls -ld {place}"
        raise Trouble(f"cannot write in {git_dir}: {why.strerror}", fix=fix) from None
    try:
        for _ in range(_ATTEMPTS):
            try:
                os.link(mine, lock)
                break
            except FileExistsError:
                _take_over(lock)
        else:
            raise Trouble(f"{lock} cannot be taken", fix=f"rm {shlex.quote(str(lock))}, when no other run works here")
    finally:
        mine.unlink(missing_ok=True)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _take_over(lock: Path) -> None:
    """Delete the lock of a dead run, once its children have ended. Raises Refused when its owner is alive."""
    try:
        owner = strict_json.mapping(regular_file.text(lock))
        pid, start, run = int(owner["pid"]), owner["start"], str(owner["run"])
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        pid, start, run = 0, 0.0, ""
    if pid and started(pid) == start:
        raise Refused(
            f"another run works here (process {pid}, lock {lock})", fix="wait for it to end, then run this again"
        )
    deadline = time.monotonic() + _PATIENCE
    while children := _children(run):
        if time.monotonic() > deadline:
            for child in children:
                os.kill(child, signal.SIGKILL)
        time.sleep(0.05)
    lock.unlink(missing_ok=True)


def _children(run: str) -> list[int]:
    """Return the living processes that a run started, recognised by their environment."""
    mark, marked = f"{MARK}={run}".encode(), []
    if not run:
        return []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                marked.append(int(path.parent.name))
        except OSError:
            continue  # it has ended, or belongs to another user
    return [pid for pid in marked if pid != os.getpid() and started(pid)]


def drop_dead_ref_locks(git_dir: Path, branch: str) -> None:
    """Delete git's ref locks that a crash of the machine may leave: of refs that only we write, of the moved branch."""
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
    """Return the refusal for a lock that another git process made."""
    return Refused(
        f"another git process holds {lock}",
        fix=f"wait for it to end; if none runs (ps -ef | grep git): rm {shlex.quote(str(lock))}",
    )


def same_file(one: Path, other: Path) -> bool:
    """Whether these are two names of one file. False when one is absent."""
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
