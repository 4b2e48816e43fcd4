"""The env file of an intercept: written with it and removed with it, unless somebody has put another file there."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.core import ui
from tasks.core.config.catalogue import Dev
from tasks.core.state import journal, store
from tasks.core.state.journal import Entry
from tasks.flows.intercept import environment


def write(entry: Entry, path: Path, pod: Mapping[str, str], dev: Dev) -> None:
    """Write the file of this intercept. Its hash is recorded before it exists, because it holds the pod's secrets."""
    environment.write_file(path, pod, dev, before=lambda text: _record(entry, path, {"sha256": _sha256(text.encode())}))
    _record(entry, path, _identity(path))


def rewritten(path: Path) -> None:
    """Record that `inv tp.env` has written this file again, if an intercept has it."""
    for entry in journal.entries("intercept"):
        if any(known.get("path") == str(path) for known in _known(entry)):
            _record(entry, path, _identity(path))


def remove(entry: Entry) -> None:
    """Remove the files of this intercept. One that is not the written one any more is kept and named."""
    for known in _known(entry):
        path = Path(str(known.get("path")))
        store.sweep_beside(path)
        if not os.path.lexists(path):
            continue
        if _is_written_one(path, known):
            path.unlink(missing_ok=True)
        else:
            ui.warn(f"{path} is not the env file that was written, and is kept; look whether it has secrets of the pod")


def _is_written_one(path: Path, known: Mapping[str, Any]) -> bool:
    """Have the file's number and content stayed the same? A kill may have left the hash alone in the journal."""
    found = _identity(path)
    return bool(known.get("sha256")) and all(found.get(key) == value for key, value in known.items() if key != "path")


def _identity(path: Path) -> dict[str, Any]:
    """Return what identifies the file; nothing for anything but a regular file that can be read."""
    try:
        found = os.lstat(path)
        content = path.read_bytes() if stat.S_ISREG(found.st_mode) else None
    except OSError:
        content = None
    if content is None:
        return {}
    return {"device": found.st_dev, "inode": found.st_ino, "sha256": _sha256(content)}


def _record(entry: Entry, path: Path, identity: dict[str, Any]) -> None:
    journal.update(entry, files=[{"path": str(path), **identity}])


def _known(entry: Entry) -> Iterator[dict[str, Any]]:
    """Yield the recorded files. An earlier version recorded only paths."""
    for known in entry.data.get("files") or []:
        yield known if isinstance(known, dict) else {"path": str(known)}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
