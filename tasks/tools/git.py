"""git: submodules, as far as setup needs them, and the tracked files."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.process.tool import Tool
from tasks.tools import base

_NO_SUCH_PATH = "did not match any file"  # git 2.39: `error: pathspec 'x' did not match any file(s) known to git`


class Submodule(StrEnum):
    """git's own sign for a submodule."""

    AS_PINNED = " "
    NOT_CHECKED_OUT = "-"
    OTHER_COMMIT = "+"
    IN_CONFLICT = "U"
    ABSENT = ""
    """There is no submodule at this path: git prints no line."""


def tool(s: Settings) -> Tool:
    """Return git. It never asks for a password, takes no lock to read, ignores a surrounding git."""
    env = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    if not os.environ.get("GIT_SSH_COMMAND") and not os.environ.get("GIT_SSH"):
        env["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    drop = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    return base.tool(s, "git", timeout=s.deadlines.git, env=env, drop=drop)


def submodule_state(s: Settings, folder: Path, path: str) -> Submodule:
    """Return the state of the submodule at this path. Raises ToolError without a repository."""
    command = tool(s)["submodule", "status", "--", path]
    done = command.call(cwd=str(folder))
    if done.exit == 0:
        return Submodule(done.stdout[:1])
    if _NO_SUCH_PATH in done.stderr:
        return Submodule.ABSENT
    raise command.failed(done)


def submodule_update(s: Settings, folder: Path, path: str) -> Change[str]:
    """Check the submodule out at the commit that is pinned."""
    command = tool(s)[submodule_args(path)]
    return Change(f"check out the submodule {path}", command.argv, lambda: command.run(cwd=str(folder)))


def submodule_args(path: str) -> tuple[str, ...]:
    """Return the arguments of the checkout, for a person in the repository."""
    return ("submodule", "update", "--init", "--", path)


def index(s: Settings, folder: Path) -> dict[str, str]:
    """Return path -> mode of the tracked files. Raises ToolError without a repository."""
    entries = tool(s)["ls-files", "--stage", "-z"].run(cwd=str(folder)).split("\0")
    return {entry.partition("\t")[2]: entry[:6] for entry in entries if entry}
