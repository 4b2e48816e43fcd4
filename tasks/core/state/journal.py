"""What this workstation made and has not undone yet: one file for each thing.

Written before the thing is made, removed after it is undone, so that a kill at any moment leaves at most an entry
for something that is not there; undoing that is harmless. Nothing is decided from the journal but what to undo.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.core.process.processes import started
from tasks.core.state import store


@dataclass(frozen=True)
class Entry:
    """kind: intercept, process, file, session, release ...; data: what undoing it needs, without secrets;
    made: seconds since the epoch; pid and start: of the run that made it, so that a living run is left alone."""

    id: str
    kind: str
    made: float
    pid: int
    start: float
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def owner_lives(self) -> bool:
        """Is the run that made it still there? The start time tells a reused pid apart."""
        return self.start != 0 and started(self.pid) == self.start


def record(kind: str, **data: Any) -> Entry:
    """Note that something is about to be made."""
    entry = Entry(
        f"{kind}-{int(time.time())}-{secrets.token_hex(3)}", kind, time.time(), os.getpid(), started(os.getpid()), data
    )
    store.write(_path(entry.id), json.dumps(asdict(entry)))
    return entry


def update(entry: Entry, **data: Any) -> Entry:
    """Add to what is known of it (such as a pid that came later); what was added meanwhile stays."""
    kept = next((e for e in entries(entry.kind) if e.id == entry.id), entry)
    newer = replace(kept, data={**kept.data, **data})
    store.write(_path(entry.id), json.dumps(asdict(newer)))
    return newer


def forget(entry: Entry) -> None:
    """It is undone."""
    _path(entry.id).unlink(missing_ok=True)


def entries(kind: str = "") -> list[Entry]:
    """What is open, oldest first; of one kind if given. A file that is none of ours is passed over."""
    found = []
    for path in sorted(store.folder("journal").glob("*.json")):
        try:
            entry = Entry(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            continue
        if not (isinstance(entry.data, dict) and isinstance(entry.made, int | float) and isinstance(entry.pid, int)):
            continue
        if not kind or entry.kind == kind:
            found.append(entry)
    return sorted(found, key=lambda e: (e.made, e.id))


def _path(id: str) -> Path:
    return store.folder("journal", f"{id}.json")
