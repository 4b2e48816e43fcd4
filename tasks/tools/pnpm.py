"""pnpm: whether the lock file's packages are installed, and their installation."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.process.tool import Tool, clean
from tasks.tools import base

_ERROR = re.compile(r"^\s*E[A-Z0-9_]{4,}\s")  # in thin spaces, as pnpm 10 prints it: ERROR, ERR_PNPM_x, ECONNREFUSED


def tool(s: Settings) -> Tool:
    """pnpm without questions: with CI set it replaces a node_modules of another version instead of asking first."""
    env = {"CI": "true", "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0"}
    return base.tool(s, "pnpm", timeout=s.deadlines.packages, env=env)


def folder(s: Settings) -> Path:
    """Where package.json is expected."""
    return (Path(s.root) / s.packages.folder).resolve()


def missing(s: Settings) -> str:
    """Why an installation is due, empty when there is nothing to install."""
    place = folder(s)
    if not (place / "package.json").is_file():
        return ""
    done = place / "node_modules" / ".modules.yaml"  # pnpm writes it last
    lock = place / "pnpm-lock.yaml"
    if not done.is_file():
        return "node_modules is not there"
    if not lock.is_file():
        return ""
    used = place / "node_modules" / ".pnpm" / "lock.yaml"  # pnpm's copy of the lock file it installed
    if lock.stat().st_mtime_ns <= done.stat().st_mtime_ns or (
        used.is_file() and used.read_bytes() == lock.read_bytes()
    ):
        return ""
    return "pnpm-lock.yaml is newer than node_modules"


def install(s: Settings, why: str) -> Change[object]:
    """Install what the lock file names."""
    args = install_args(s)
    return Change(f"install the packages ({why})", ("pnpm", *args), lambda: _install(s, args))


def _install(s: Settings, args: tuple[str, ...]) -> None:
    """pnpm tells its error on stdout and advice, lists or a stack below it: the line with its code is the error."""
    done = tool(s).call(*args, cwd=str(folder(s)))
    if done.exit == 0:
        return
    why = tool(s).failed(args, done)
    line = next((found for found in f"{done.stdout}\n{done.stderr}".splitlines() if _ERROR.search(found)), "")
    if line:
        why = why.reworded(f"pnpm {args[0]}: {clean(' '.join(line.split()))[:300]}")
    raise why


def install_args(s: Settings) -> tuple[str, ...]:
    """Frozen unless the settings say otherwise: an installation that rewrites the lock file is no setup."""
    return ("install", "--frozen-lockfile" if s.packages.frozen else "--no-frozen-lockfile")
