"""Start a child process: the one place that does. No shell, an own process group, a stdin that is not the terminal's."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.errors import Absent, ToolError
from tasks.core.process.mark import marked
from tasks.core.repository import CATALOGUE

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
        return _begin(argv, env, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd)
    except OSError as why:
        if why.errno == errno.E2BIG:
            raise _too_big(argv, env) from None
        raise _not_started(why, argv[0], env, cwd, fix) from None
    except ValueError:  # a NUL, or half a surrogate pair, which no program can get
        raise ToolError(
            f"{argv[0]} could not be started", tool=argv[0], why=_unfit(argv, env), fix="correct it where it comes from"
        ) from None


def _begin(argv: Sequence[str], env: Mapping[Any, Any], **options: Any) -> Child:
    options = {**options, "env": marked(env), "start_new_session": True}
    try:
        return subprocess.Popen(list(argv), **options)
    except PermissionError:
        # Python tries each folder on PATH and raises the first error: a folder that may not be read, or a file that may
        # not be executed, hides why the program in a later folder did not start.
        program = _on_path(argv[0], env, os.X_OK)
        if not program:
            raise
        return subprocess.Popen(list(argv), executable=program, **options)


def _too_big(argv: Sequence[str], env: Mapping[Any, Any]) -> ToolError:
    """The error for more than the kernel passes to a program: 128 KiB in one string, some MiB in all."""
    sizes = {os.fsdecode(name): len(os.fsencode(name)) + len(os.fsencode(text)) + 2 for name, text in env.items()}
    words = max((len(os.fsencode(word)) for word in argv), default=0)
    name = max(sizes, key=sizes.__getitem__, default="")
    if words > sizes.get(name, 0):
        what, fix = f"an argument has {words:,} bytes", "shorten it, or give it in a file"
    else:
        what = f"the variable {name} has {sizes.get(name, 0):,} bytes"
        fix = f"unset {name}" if name in os.environ else f"drop {name}: `dev.drop` in {CATALOGUE}"
    return ToolError(
        f"{argv[0]} could not be started: {what}",
        tool=argv[0],
        why=f"the kernel passes at most 128 KiB in one string; all variables have {sum(sizes.values()):,} bytes",
        fix=fix,
    )


def _unfit(argv: Sequence[str], env: Mapping[Any, Any]) -> str:
    """Name the variable or the argument that cannot be passed."""
    unfit = (name for name, text in env.items() if not (_fits(name) and _fits(text)) or b"=" in os.fsencode(name))
    for name in unfit:
        return f"the variable {os.fsdecode(name)!r} holds a character that no program can get"
    return f"the argument {next((word for word in argv if not _fits(word)), '')!r} holds a character that no program can get"


def _fits(text: str | bytes) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _on_path(program: str, env: Mapping[Any, Any], mode: int) -> str:
    """The program's file on the PATH of the child; empty without one, or when the program is a path itself."""
    if os.path.dirname(program):
        return ""
    return shutil.which(program, mode=mode, path=os.pathsep.join(os.get_exec_path(env))) or ""


def _exists(program: str, env: Mapping[Any, Any]) -> bool:
    """Whether there is such a file. A folder on PATH that may not be read causes a PermissionError without one."""
    return bool(os.path.dirname(program) or _on_path(program, env, os.F_OK))


def _not_started(
    why: OSError, program: str, env: Mapping[Any, Any], cwd: str | os.PathLike[str] | None, fix: str
) -> ToolError:
    if isinstance(why, NotADirectoryError):
        return ToolError(f"{cwd or program} is not a folder", tool=program, fix=fix)
    if isinstance(why, FileNotFoundError) and cwd is not None and not os.path.isdir(cwd):
        return ToolError(f"the folder {cwd} does not exist", tool=program, fix=fix)
    if isinstance(why, FileNotFoundError) or (isinstance(why, PermissionError) and not _exists(program, env)):
        return Absent(f"{program} is not installed", tool=program, fix=fix or f"install {program}")
    if isinstance(why, PermissionError):
        return Absent(f"{program} may not be executed", tool=program, fix=fix or f"chmod +x {program}")
    return ToolError(f"{program} could not be started: {why.strerror}", tool=program, fix=fix)
