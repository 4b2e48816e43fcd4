"""git for the generator: the same result on every machine, independent of the user's configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tasks.core.errors import Absent, ToolError

MAINTAINER = ("Maintainer", "maintainer@example.test")
MOMENT = "1764689400 +0100"  # 2 December 2025, 16:30, the time of commits by faults


def environment() -> dict[str, str]:
    """An environment in which git reads no configuration of the machine and commits are reproducible."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    name, mail = MAINTAINER
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_AUTHOR_DATE": MOMENT,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
        "GIT_COMMITTER_DATE": MOMENT,
        "LC_ALL": "C",
    }


def git(folder: Path, *words: str, data: bytes | None = None, ok: tuple[int, ...] = (0,)) -> str:
    """Run git in a folder and return its output. Raises ToolError if its exit code is not in `ok`.

    These calls allow file URLs: the submodules are cloned from folders, which git refuses by default.
    """
    if not shutil.which("git"):
        raise Absent("git is not installed", tool="git", fix="sudo apt-get install git")
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", "-c", "core.autocrlf=false", *words],
        cwd=folder,
        env=environment(),
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        check=False,
    )
    stderr = done.stderr.decode("utf-8", "replace")
    if done.returncode not in ok:
        last = (stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolError(f"git {words[0]}: {last}", tool="git", exit=done.returncode, stderr=stderr)
    return done.stdout.decode("utf-8", "surrogateescape").strip()
