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
_SHARED = ("packed-refs", "config", "shallow", "refs/tags/before-remote-first")  # what else git locks, beside HEAD
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
        _sweep(git_dir)
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


def common_dir(git_dir: Path) -> Path:
    """Return the folder of refs and configuration: that of the main work tree, for a linked one."""
    try:
        return (git_dir / (git_dir / "commondir").read_text().strip()).resolve()
    except OSError:
        return git_dir


def refuse_foreign_locks(git_dir: Path, branch: str, new: str) -> None:
    """Raise Refused for a lock of another git process. A killed run's own locks are deleted.

    new: the commit that a killed run was moving the branch to. Only its git wrote this id into the branch's lock. What
    cannot be proven, such as an empty lock, is named and stays. git_dir's index.lock is not looked at.
    """
    shared = common_dir(git_dir)
    for lock in (git_dir / OWN / "index.new.lock", shared / f"{NEXT}.lock"):  # names that nobody else uses
        lock.unlink(missing_ok=True)
    if branch and new and _holds(shared / f"{branch}.lock", new):
        (shared / f"{branch}.lock").unlink(missing_ok=True)
    places = [shared / f"{name}.lock" for name in (branch, *_SHARED) if name]
    for lock in (git_dir / "HEAD.lock", *places):
        if os.path.lexists(lock):
            raise foreign_lock(lock)


def _holds(lock: Path, commit: str) -> bool:
    try:
        return regular_file.read(lock) == f"{commit}\n".encode()
    except OSError:
        return False


def foreign_lock(lock: Path) -> Refused:
    """Return the refusal for a lock that another git process made."""
    return Refused(
        f"another git process holds {lock}, or was killed and left it",
        fix=f"wait for it to end; if none runs (ps -ef | grep git): rm {shlex.quote(str(lock))}",
    )


def _sweep(git_dir: Path) -> None:
    """Delete files that killed runs were writing. Call it with the lock held: only living runs wait for it then."""
    for leftover in git_dir.glob("remote-first.lock.*"):
        pid = leftover.name.removeprefix("remote-first.lock.").partition(".")[0]
        if pid.isdigit() and not started(int(pid)):
            leftover.unlink(missing_ok=True)
    own = git_dir / OWN
    if own.is_dir() and not own.is_symlink():
        for leftover in own.glob("*.json.*.new"):
            leftover.unlink(missing_ok=True)


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
    fresh.unlink(missing_ok=True)
    try:
        with fresh.open("x", encoding="utf-8") as file:  # never through a link
            json.dump(data, file)
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
