"""Measured times, kept for `inv timing` and `inv status`: one JSON line each, the newest 2,000."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tasks.core import state

_KEEP = 2000


def keep(what: str, seconds: float, *, cold: bool = False, **more: Any) -> None:
    """Note that `what` (such as `setup`, `connect`, `intercept`) took so long; cold is a first run."""
    path = _path()
    line = json.dumps({"what": what, "seconds": round(seconds, 3), "at": round(time.time(), 1), "cold": cold, **more})
    state.made(path.parent)
    with state.lock("timings"):
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        path.chmod(0o600)
        if path.stat().st_size > 400_000:
            state.write(path, "".join(f"{old}\n" for old in path.read_text("utf-8").splitlines()[-_KEEP:]))


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
