"""Measured times, kept for `inv timing` and `inv status`: one JSON line each, the newest 2,000."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tasks.core import state, ui
from tasks.core.errors import Trouble

_KEEP = 2000


def keep(what: str, seconds: float, *, cold: bool = False, **more: Any) -> None:
    """Note that `what` (such as `setup`, `connect`, `intercept`) took so long; cold is a first run.

    Raises Trouble when it cannot be kept: what was measured is done all the same, so callers go on.
    """
    path = _path()
    line = json.dumps({"what": what, "seconds": round(seconds, 3), "at": round(time.time(), 1), "cold": cold, **more})
    state.made(path.parent)
    with state.lock("timings"):
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            path.chmod(0o600)
            long = path.stat().st_size > 400_000
            newest = path.read_text("utf-8", "replace").splitlines()[-_KEEP:] if long else []
        except OSError as why:
            raise Trouble(
                f"cannot write {path}: {why.strerror}", fix=f"look at the space and the owner of {path}"
            ) from None
        if newest:
            state.write(path, "".join(f"{old}\n" for old in newest))


def keep_if_possible(what: str, seconds: float, *, cold: bool = False, **more: Any) -> None:
    """The same where a failure must not stop anything, such as between an intercept and its leaving: it is only said."""
    try:
        keep(what, seconds, cold=cold, **more)
    except Trouble as why:
        ui.warn(f"the time was not kept: {why.what}")


def kept(what: str = "") -> list[dict[str, Any]]:
    """The noted times, oldest first; of one thing if given. Broken lines are passed over."""
    found = []
    for line in (state.read(_path()) or "").splitlines():
        try:
            note = json.loads(line)
        except ValueError:
            continue
        if isinstance(note, dict) and (not what or note.get("what") == what):
            found.append(note)
    return found


def _path() -> Path:
    return state.folder("timings.jsonl")
