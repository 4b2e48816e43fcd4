"""pnpm: whether the lock file's packages are installed, and their installation."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.process.output import clean
from tasks.core.process.tool import Command, Tool
from tasks.tools import base

# pnpm 10 puts thin spaces around the code of its error line: ERROR, ERR_PNPM_x, ECONNREFUSED.
_ERROR = re.compile(r"^\s*E[A-Z0-9_]{4,}\s")
# Written at the end of an installation. Where there is nothing to install, pnpm 10 writes only the second.
_WRITTEN_LAST = (".modules.yaml", ".pnpm-workspace-state-v1.json")


def tool(s: Settings) -> Tool:
    """Return pnpm without questions: with CI set it replaces a node_modules of another version without asking."""
    env = {"CI": "true", "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0"}
    return base.tool(s, "pnpm", timeout=s.deadlines.packages, env=env)


def folder(s: Settings) -> Path:
    """Return the folder where package.json is expected."""
    return (Path(s.root) / s.packages.folder).resolve()


def missing(s: Settings) -> str:
    """Return why an installation is needed; empty when it is not."""
    place = folder(s)
    if not (place / "package.json").is_file():
        return ""
    finished = next((file for name in _WRITTEN_LAST if (file := place / "node_modules" / name).is_file()), None)
    lock = place / "pnpm-lock.yaml"
    if finished is None:
        return "node_modules is not there"
    if not lock.is_file():
        return ""
    used = place / "node_modules" / ".pnpm" / "lock.yaml"  # pnpm's copy of the lock file that it installed
    if lock.stat().st_mtime_ns <= finished.stat().st_mtime_ns or (
        used.is_file() and used.read_bytes() == lock.read_bytes()
    ):
        return ""
    return "pnpm-lock.yaml is newer than node_modules"


def install(s: Settings, why: str) -> Change[None]:
    """Install the packages of the lock file."""
    command = tool(s)[install_args(s)]
    return Change(f"install the packages ({why})", command.argv, lambda: _install(command, folder(s)))


def _install(command: Command, place: Path) -> None:
    """Run it. pnpm prints its error on stdout, with advice, lists or a stack after it: quote the line with the code."""
    done = command.call(cwd=str(place))
    if done.exit == 0:
        return
    why = command.failed(done)
    errors = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if _ERROR.search(line)]
    if errors:
        why = why.reworded(f"{command.name}: {clean(' '.join(errors[0].split()))[:300]}")
    raise why


def install_args(s: Settings) -> tuple[str, ...]:
    """Return the arguments: frozen, unless the settings say otherwise, because setup must not rewrite the lock file."""
    return ("install", "--frozen-lockfile" if s.packages.frozen else "--no-frozen-lockfile")
