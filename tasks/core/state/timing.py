"""Measured times, kept for `inv timing` and `inv status`: one JSON line each, the newest 2,000."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from tasks.core import ui
from tasks.core.errors import Trouble
from tasks.core.state import store

_KEEP = 2000
_LONG = 400_000  # bytes


def keep(what: str, seconds: float, *, cold: bool = False, **more: Any) -> None:
    """Note that `what` (such as `setup`, `connect`, `intercept`) took so long; cold is a first run.

    Raises Trouble when it cannot be kept: what was measured is done all the same, so callers go on.
    """
    path = _path()
    line = json.dumps({"what": what, "seconds": round(seconds, 3), "at": round(time.time(), 1), "cold": cold, **more})
    store.made(path.parent)
    try:
        # One write of one line to a file opened for appending: the kernel does not mix it with another's, so no lock.
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{line}\n".encode())
            long = os.fstat(handle).st_size > _LONG
        finally:
            os.close(handle)
    except OSError as why:
        raise Trouble(
            f"cannot write {path}: {why.strerror}", fix=f"look at the space and the owner of {path}"
        ) from None
    if long:
        _shorten(path)


def _shorten(path: Path) -> None:
    """Keep the newest lines. A line that another run appends meanwhile may be lost: it is a measurement, no more."""
    with store.lock("timings"):
        newest = (store.read(path) or "").splitlines()[-_KEEP:]
        store.write(path, "".join(f"{old}\n" for old in newest))


def keep_if_possible(what: str, seconds: float, *, cold: bool = False, **more: Any) -> None:
    """The same where a failure must not stop anything, such as between an intercept and its leaving: it is only said."""
    try:
        keep(what, seconds, cold=cold, **more)
    except Trouble as why:
        ui.warn(f"the time was not kept: {why.what}")


def kept(what: str = "") -> list[dict[str, Any]]:
    """The noted times, oldest first; of one thing if given. Broken lines are passed over, and runs that stopped half
    way: how soon a setup failed says nothing of its length."""
    found = []
    for line in (store.read(_path()) or "").splitlines():
        try:
            note = json.loads(line)
        except ValueError:
            continue
        if isinstance(note, dict) and note.get("done", True) and (not what or note.get("what") == what):
            found.append(note)
    return found


def _path() -> Path:
    return store.folder("timings.jsonl")
