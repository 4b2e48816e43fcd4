"""git's submodules, as far as setup needs them: whether one is checked out, and its checkout."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.process.tool import Tool
from tasks.tools import base


def tool(s: Settings, folder: Path) -> Tool:
    """git in this folder. It asks nobody for a password, takes no lock for a read, obeys no surrounding git."""
    env = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    if not os.environ.get("GIT_SSH_COMMAND") and not os.environ.get("GIT_SSH"):
        env["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    drop = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    return base.tool(s, "git", "-C", str(folder), timeout=s.deadlines.git, env=env, drop=drop)


def submodule_state(s: Settings, folder: Path, path: str) -> str:
    """git's own sign for the submodule at this path: `-` not checked out, `+` at another commit than the pin, `U` in
    conflict, a blank for as pinned; empty when there is no submodule at this path. Raises ToolError without a repository.
    """
    done = tool(s, folder).call("submodule", "status", "--", path)
    if done.exit != 0:
        if "did not match any file" in done.stderr:
            return ""
        raise tool(s, folder).failed(("submodule", "status"), done)
    return done.stdout[:1]


def submodule_update(s: Settings, folder: Path, path: str) -> Change[object]:
    """Check the submodule out at the commit that is pinned."""
    args = submodule_args(path)
    return Change(f"check out the submodule {path}", ("git", *args), lambda: tool(s, folder).run(*args))


def submodule_args(path: str) -> tuple[str, ...]:
    """The arguments of the checkout."""
    return ("submodule", "update", "--init", "--", path)
