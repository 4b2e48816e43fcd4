"""The checkout of a submodule follows its pin.

A checkout that stays at the old commit undoes the pin with the next `git commit --all`, because git then commits what is
checked out.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from migration.git.objects import Git
from tasks.core.errors import ToolError


def follow(core: Path, path: str, old: str, new: str, source: Path, run: str) -> str:
    """Check out `new` where the checkout is at `old`. Return the command that a person must run; empty if all is well.

    A checkout at another commit than `old` may hold somebody's work: it is left alone.

    source: a repository that has `new`, which is fetched from there if the submodule lacks it
    run: marks the git processes of this run
    """
    folder = core / path
    if not (folder / ".git").exists():
        return ""  # not checked out: git commit --all does not touch its pin
    git = Git(folder, run)
    command = shlex.join(("git", "-C", str(core), "submodule", "update", "--init", "--", path))
    try:
        head = git.line("rev-parse", "HEAD")
        if head == new:
            return ""
        if head != old:
            return command
        if not _has(git, new):
            git.read("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", str(source), "HEAD")
        branch = git.line("symbolic-ref", "-q", "--short", "HEAD", ok=(0, 1))
        git.read("checkout", "--quiet", *(("-B", branch) if branch else ("--detach",)), new, "--")
    except ToolError:
        return command
    return ""


def _has(git: Git, commit: str) -> bool:
    return git.line("cat-file", "-t", commit, ok=(0, 1, 128)) == "commit"
