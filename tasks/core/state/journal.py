"""What this workstation made and has not undone yet: one file for each thing.

An entry is written before the thing is made and deleted after it is undone. A kill at any moment leaves at most an
entry for something that does not exist, which is harmless to undo. The journal only decides what to undo.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.core import regular_file, shape, strict_json
from tasks.core.process import mark
from tasks.core.process.processes import started
from tasks.core.state import store

TRIAL = "INV_TRIAL"  # set by a trial of the migration for what it runs, which is removed after it


@dataclass(frozen=True)
class Entry:
    """A thing to undo."""

    id: str
    kind: str
    """intercept, process, session or release."""

    made: float
    """In seconds since the epoch."""

    pid: int
    """Of the run that made it, together with its start: what a living run made is left alone."""

    start: float
    boot: str = ""
    """The boot of the machine in which that run was started."""

    data: dict[str, Any] = field(default_factory=dict)
    """What is needed to undo it, without secrets."""

    @property
    def owner_lives(self) -> bool:
        """Does the run that made it still run? The start time distinguishes it from a later one with the same pid."""
        return self.start != 0 and self.boot in {"", mark.boot()} and started(self.pid) == self.start

    @property
    def group(self) -> int:
        """The process group that the run started, if it still is that group; 0 otherwise."""
        group = self.data.get("group")
        if not isinstance(group, int) or group <= 0:  # none yet; or the file is damaged
            return 0
        return group if mark.carried_in_group(group, mark.of(self.pid, self.start, self.boot)) else 0


def record(kind: str, **data: Any) -> Entry:
    """Record that something is about to be made."""
    id, pid = f"{kind}-{int(time.time())}-{secrets.token_hex(3)}", os.getpid()
    trial = {"trial": os.environ[TRIAL]} if os.environ.get(TRIAL) else {}
    entry = Entry(id, kind, time.time(), pid, started(pid), mark.boot(), {**data, **trial})
    store.write(_path(entry.id), json.dumps(asdict(entry)))
    return entry


def update(entry: Entry, **data: Any) -> Entry:
    """Add data that came later, such as a pid. Keep what others added meanwhile."""
    kept = next((e for e in entries(entry.kind) if e.id == entry.id), entry)
    newer = replace(kept, data={**kept.data, **data})
    store.write(_path(entry.id), json.dumps(asdict(newer)))
    return newer


def forget(entry: Entry) -> None:
    """Delete the entry."""
    store.delete(_path(entry.id))


def entries(kind: str = "") -> list[Entry]:
    """Return the entries of this kind, or all, oldest first. Files that are not valid entries are ignored."""
    read = (_read(path) for path in store.folder("journal").glob("*.json"))
    wanted = [entry for entry in read if entry is not None and kind in {"", entry.kind}]
    return sorted(wanted, key=lambda entry: (entry.made, entry.id))


def _read(path: Path) -> Entry | None:
    try:
        entry = shape.convert(strict_json.mapping(regular_file.text(path)), Entry)
    except (OSError, ValueError):  # msgspec.ValidationError is a ValueError
        return None
    return entry if entry.id == path.stem else None  # the name is deleted later


def _path(id: str) -> Path:
    return store.folder("journal", f"{id}.json")
