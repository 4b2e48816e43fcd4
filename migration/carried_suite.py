"""The suite's own files: what is carried into a core repository, and what there is ours."""

from __future__ import annotations

import os
from pathlib import Path

from migration.git.objects import Git, decode
from tasks.core.errors import ToolError
from tasks.core.repository import repository_root

# Task files, settings, the starter with its lock, and what the Tiltfile loads.
_CARRIED = (
    "tasks.py",
    "tasks/",
    "migration/",
    "starlark_harness/",
    "config/",
    "scripts/inv",
    "scripts/completion.bash",
    "scripts/requirements.in",
    "scripts/requirements.lock",
    "tilt/",
)
_NEVER = ("config/settings.local.yaml",)


def files(core: Path) -> tuple[dict[str, tuple[str, bytes]], frozenset[str]]:
    """What is to be copied into core (path -> mode, bytes; empty when the suite runs from core), and all paths."""
    root = repository_root()
    paths = _listed(root)
    own = frozenset(paths)
    if root == core.resolve():
        return {}, own
    found: dict[str, tuple[str, bytes]] = {}
    for path in paths:
        place = root / path
        mode = "100755" if os.access(place, os.X_OK) else "100644"
        found[path] = (mode, place.read_bytes())
    return found, own


def _listed(root: Path) -> list[str]:
    try:
        names = decode(
            Git(root).read("ls-files", "-z", "--cached", "--", *(c if c.endswith("/") else f"{c}*" for c in _CARRIED))
        ).split("\0")
        if len(names) < 2:
            raise ToolError("not committed here")
    except ToolError:
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return sorted(n for n in names if n.startswith(_CARRIED) and not n.startswith(_NEVER) and (root / n).is_file())


def template(path: str) -> bytes | None:
    """A file of the suite's own checkout that is merged into core, not copied; None where it is not carried along."""
    try:
        return (repository_root() / path).read_bytes()
    except OSError:
        return None
