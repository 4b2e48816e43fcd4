"""What Telepresence's daemons wrote into their logs: causes that its commands do not tell.

An expired login reads `executable kubelogin failed with exit code 1` on every stream; kubelogin's own words, and a
missing iptables, stand in the daemons' logs alone (2.19 to 2.31).
"""

from __future__ import annotations

import os
from pathlib import Path

from tasks.core.signatures import explain

_NAMES = ("daemon.log", "connector.log", "userd.log", "rootd.log")
_MOST = 256_000  # bytes read at most from the end of each


def folder() -> Path:
    """Where the logs lie."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "telepresence" / "logs"


def mark() -> dict[str, int]:
    """How long each log is now."""
    return {name: _size(folder() / name) for name in _NAMES}


def since(before: dict[str, int]) -> str:
    """What was written after the mark. A log that became shorter was begun anew."""
    found = []
    for name in _NAMES:
        path = folder() / name
        size, start = _size(path), before.get(name, 0)
        start = max(0 if size < start else start, size - _MOST)
        try:
            with path.open("rb") as file:
                file.seek(start)
                found.append(file.read(_MOST).decode("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(found)


def cause(before: dict[str, int]) -> tuple[str, str]:
    """(why, fix) that the new lines of the logs tell; both empty when they tell nothing known."""
    text = since(before)
    # Only lines of trouble: a log at level debug quotes names of everything.
    lines = [
        line
        for line in text.splitlines()
        if any(word in line for word in ("rror", "AADSTS", "az login", "not found", "not permitted", "denied"))
    ]
    return explain("telepresence", "\n".join(lines[-60:]))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
