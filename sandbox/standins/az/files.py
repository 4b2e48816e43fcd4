"""How az writes its files: in place, so that a file keeps its inode."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from sandbox.world.state import World

_IN_USE = threading.Lock()


def write(world: World, path: Path, content: bytes, mode: int = 0o644) -> None:
    """Truncate the file and write it; create it with this mode if it does not exist."""
    if world.fault("disk-full"):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _IN_USE, os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)


def read(path: Path) -> str:
    """Return the content, never of a file that another call is just writing: az reads such a file again."""
    with _IN_USE:
        return path.read_text(encoding="utf-8-sig")
