"""The suite's own files: which of them a team's repository gets, and which paths there belong to the suite."""

from __future__ import annotations

import os
from pathlib import Path

from migration.git.objects import Git, decode
from tasks.core.errors import ToolError
from tasks.core.repository import repository_root

_DAILY = (
    "tasks.py",
    "tasks/",
    "config/",
    "scripts/inv",
    "scripts/environment.py",
    "scripts/completion.bash",
    "scripts/requirements.in",
    "scripts/requirements.lock",
    "tilt/",
)
_UNTIL_THE_MIGRATION_IS_OVER = ("migration/", "starlark_harness/")
_CARRIED = (*_DAILY, *_UNTIL_THE_MIGRATION_IS_OVER)
_NEVER = ("config/settings.local.yaml",)


def files(core: Path) -> tuple[dict[str, tuple[str, bytes]], frozenset[str]]:
    """Return what core gets (path -> mode, content), and all paths of the suite.

    Core gets nothing when the suite runs from core itself.
    """
    root = repository_root()
    paths = _listed(root)
    if root == core.resolve():
        return {}, frozenset(paths)
    carried = {path: (_mode(root / path), (root / path).read_bytes()) for path in paths}
    return carried, frozenset(paths)


def _mode(file: Path) -> str:
    return "100755" if os.access(file, os.X_OK) else "100644"


def _listed(root: Path) -> list[str]:
    """Return the suite's files as git has them; without git, as they are in the folder."""
    patterns = [path if path.endswith("/") else f"{path}*" for path in _CARRIED]
    try:
        names = decode(Git(root).read("ls-files", "-z", "--cached", "--", *patterns)).split("\0")
    except ToolError:
        names = []
    if not any(names):  # not a repository, or not committed yet
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return sorted(n for n in names if n.startswith(_CARRIED) and not n.startswith(_NEVER) and (root / n).is_file())


def template(path: str) -> bytes | None:
    """Return a file of the suite that is merged into core, not copied. None in a repository that got no such file."""
    try:
        return (repository_root() / path).read_bytes()
    except OSError:
        return None
