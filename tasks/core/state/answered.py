"""Which services' requests are answered by a process of this workstation: one file each, with the pid of the run.

Tilt's readiness probe of an intercept reads the file (tilt/intercepts.star); the pid tells a killed run from a living one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tasks.core.state import store


def folder() -> Path:
    """Return the folder of the files."""
    return store.folder("answered")


def mark(service: str) -> None:
    """Record that a request has reached the process that this run started."""
    store.cache(folder() / service, f"{os.getpid()}\n")


def clear(service: str) -> None:
    """Delete the record."""
    with suppress(OSError):
        (folder() / service).unlink(missing_ok=True)
