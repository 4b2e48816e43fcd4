"""Measured times for `inv timing` and `inv status`: one JSON line each, the newest 2,000."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from tasks.core import strict_json, ui
from tasks.core.errors import Trouble
from tasks.core.shape import Shape, fits
from tasks.core.state import store

_KEEP = 2000
_LONG = 400_000  # bytes


class _Record(Shape):
    """The form of a line."""

    what: str
    seconds: float
    at: float
    cold: bool = False


def keep(what: str, seconds: float, *, cold: bool = False, **more: Any) -> None:
    """Record how long `what` took (`setup`, `connect`, `intercept` ...). cold: it was a first run.

    Raises Trouble when it cannot be written. What was measured is done all the same, so callers continue.
    """
    path = _path()
    line = json.dumps({"what": what, "seconds": round(seconds, 3), "at": round(time.time(), 1), "cold": cold, **more})
    store.made(path.parent)
    try:
        # No lock: the kernel does not mix one write of a line to a file opened for appending with another one.
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
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
    """Keep the newest lines. A line that another run appends meanwhile may be lost."""
    with store.lock("timings"):
        newest = (store.read(path) or "").splitlines()[-_KEEP:]
        store.write(path, "".join(f"{old}\n" for old in newest))


def keep_if_possible(what: str, seconds: float, *, cold: bool = False, **more: Any) -> None:
    """Record it, but only warn when that fails: between an intercept and its end nothing may stop the run."""
    try:
        keep(what, seconds, cold=cold, **more)
    except Trouble as why:
        ui.warn(f"the time was not kept: {why.what}")


def kept(what: str = "") -> list[dict[str, Any]]:
    """Return the recorded times, of one thing or of all, oldest first.

    Broken lines are ignored, and runs that failed: how soon a setup failed does not say how long it takes.
    """
    records = []
    for line in (store.read(_path()) or "").splitlines():
        try:
            record = strict_json.mapping(line)
        except ValueError:
            continue
        if fits(_Record, record) and record.get("done", True) and what in {"", record.get("what")}:
            records.append(record)
    return records


def _path() -> Path:
    return store.folder("timings.jsonl")
