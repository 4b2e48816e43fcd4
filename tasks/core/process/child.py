"""Start a child process: the one place that does. No shell, an own process group, a stdin that is not the terminal's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.errors import Absent, ToolError
from tasks.core.process.mark import marked

DEVNULL = subprocess.DEVNULL
PIPE = subprocess.PIPE
TimeoutExpired = subprocess.TimeoutExpired
Child = subprocess.Popen[bytes]


def start(
    argv: Sequence[str],
    *,
    env: Mapping[Any, Any],
    cwd: str | os.PathLike[str] | None = None,
    stdin: int = DEVNULL,
    stdout: int | None = PIPE,
    stderr: int | None = PIPE,
    fix: str = "",
) -> Child:
    """Start the program, which is looked up on PATH now. Raises Absent when it does not exist, else ToolError.

    env: the whole environment, as text or as bytes; the mark of this run is added
    stdin, stdout, stderr: as subprocess.Popen takes them
    fix: how to get the program
    """
    try:
        return subprocess.Popen(
            list(argv), stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=marked(env), start_new_session=True
        )
    except OSError as why:
        raise _not_started(why, argv[0], cwd, fix) from None


def _not_started(why: OSError, program: str, cwd: str | os.PathLike[str] | None, fix: str) -> ToolError:
    if isinstance(why, NotADirectoryError):
        return ToolError(f"{cwd or program} is not a folder", tool=program, fix=fix)
    if isinstance(why, FileNotFoundError) and cwd is not None and not os.path.isdir(cwd):
        return ToolError(f"the folder {cwd} does not exist", tool=program, fix=fix)
    if isinstance(why, FileNotFoundError):
        return Absent(f"{program} is not installed", tool=program, fix=fix or f"install {program}")
    if isinstance(why, PermissionError):
        return Absent(f"{program} may not be executed", tool=program, fix=fix or f"chmod +x {program}")
    return ToolError(f"{program} could not be started: {why.strerror}", tool=program, fix=fix)
