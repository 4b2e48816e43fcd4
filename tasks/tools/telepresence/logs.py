"""The logs of Telepresence's daemons: causes that its commands do not print.

For an expired login every stream says `executable kubelogin failed with exit code 1`. Only the daemons' logs have
kubelogin's own message, or the missing iptables (2.19 to 2.31).
"""

from __future__ import annotations

import os
from pathlib import Path

from tasks.core.signatures import explain

_NAMES = ("daemon.log", "connector.log", "userd.log", "rootd.log")
_MOST = 256_000  # bytes read at most from the end of each


def folder() -> Path:
    """Return the folder of the logs."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "telepresence" / "logs"


def mark() -> dict[str, int]:
    """Return the size of each log, to read from there later."""
    return {name: _size(folder() / name) for name in _NAMES}


def since(before: dict[str, int]) -> str:
    """Return what was written since the mark. A log that became shorter was started again."""
    texts = []
    for name in _NAMES:
        path = folder() / name
        size, start = _size(path), before.get(name, 0)
        start = max(0 if size < start else start, size - _MOST)
        try:
            with path.open("rb") as file:
                file.seek(start)
                texts.append(file.read(_MOST).decode("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(texts)


def cause(before: dict[str, int]) -> tuple[str, str]:
    """Return why and fix from the new lines of the logs; both empty when nothing in them is known."""
    text = since(before)
    # Only lines about failures: a log at level debug quotes all kinds of names.
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
