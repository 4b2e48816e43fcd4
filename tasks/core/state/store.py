"""The state folder of this workstation: folders 0700, files 0600, each written as a whole or not at all."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.core import regular_file
from tasks.core.errors import Refused, Trouble
from tasks.core.process.processes import started
from tasks.core.state import cached_status

VARIABLE = "REMOTE_DEV_STATE"
_PRIVATE = "private-"  # temporary folders: private-PID-START-xxxx
_only_read = False


def only_read() -> None:
    """Write no caches in this process from here on, because a dry run writes nothing."""
    global _only_read
    _only_read = True


def cache(path: Path, data: str | bytes) -> None:
    """Write something that can be found out again. Skip it in a dry run, and ignore failures."""
    if _only_read:
        return
    try:
        write(path, data)
    except Trouble:
        pass  # without the cache the next run only takes longer


def must_be_usable() -> None:
    """Raise Trouble without a home folder, or when the state cannot be read, as after a `sudo inv`.

    An unreadable folder must not look like an empty one. Raises Refused for a folder that another user owns or can
    enter: it decides which processes are ended and which files are deleted. Deletes what killed runs left.
    """
    if os.path.expanduser("~") == "~":
        raise Trouble(
            "HOME is not set, and this user is not in /etc/passwd", fix="export HOME=FOLDER, then run this again"
        )
    base = folder()
    if os.environ.get(VARIABLE) and not base.parent.is_dir():
        raise Refused(
            f"the state folder cannot be created: {base.parent} is not a folder",
            why=f"{VARIABLE} is {base}: this shell belongs to something that has ended or did not start",
            fix=f"open a new shell, or correct {VARIABLE} where it is set",
        )
    for path in (base, *map(Path, _below(base))):
        if not os.access(path, os.R_OK | os.X_OK) and os.path.lexists(path):
            raise Trouble(
                f"cannot read the state in {path}: it belongs to user {os.lstat(path).st_uid}",
                fix=f"sudo chown -R {os.getuid()}:{os.getgid()} {shlex.quote(str(base))}; or set {VARIABLE} to another folder",
            )
    _must_be_private(base)
    sweep()


def _must_be_private(base: Path) -> None:
    try:
        found = os.stat(base)
    except OSError:  # it does not exist yet
        return
    if found.st_uid != os.geteuid():
        raise Refused(
            f"the state folder {base} belongs to user {found.st_uid}",
            why="its owner could have processes ended and files deleted in your name",
            fix=f"sudo chown -R {os.getuid()}:{os.getgid()} {shlex.quote(str(base))}; or set {VARIABLE} to another folder",
        )
    if found.st_mode & 0o077:
        raise Refused(
            f"the state folder {base} is open to other users (mode {found.st_mode & 0o777:04o})",
            why="it holds logins, and the list of what is ended and deleted",
            fix=f"chmod 700 {shlex.quote(str(base))}",
        )


def _below(base: Path) -> Iterator[str]:
    """The folders in the state folder, two levels deep."""
    for place, folders, _ in os.walk(base):
        yield from (os.path.join(place, name) for name in folders)
        if place != str(base):
            folders.clear()


def folder(*parts: str) -> Path:
    """Return a folder below the state folder, without creating it."""
    return Path(cached_status.state_folder()).joinpath(*parts)


def made(path: Path) -> Path:
    """Create the folder, and its parents, with mode 0700; return it."""
    if path.is_dir():
        return path
    parent = path.parent
    if not parent.is_dir():
        made(parent)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as why:
        raise _cannot_write(path, why) from None
    return path


def write(path: Path, data: str | bytes, *, mode: int = 0o600) -> None:
    """Write the file by a rename: a kill leaves the old one or the new one."""
    made(path.parent)
    sweep_beside(path)
    body = data if isinstance(data, bytes) else _encoded(path, data)
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=beside(path))
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(body)
        os.replace(name, path)
    except OSError as why:
        if name:
            with suppress(OSError):  # the folder has become read-only
                Path(name).unlink(missing_ok=True)
        raise _cannot_write(path, why) from None


def delete(path: Path) -> None:
    """Delete the file; one that does not exist is fine. Raises Trouble when the folder may not be written."""
    try:
        path.unlink(missing_ok=True)
    except OSError as why:
        raise _cannot_write(path, why) from None


def _encoded(path: Path, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: JSON can hold it, UTF-8 cannot
        raise Trouble(f"cannot write {path}: the text is not valid Unicode", fix="correct the value in it") from None


@contextmanager
def temporary() -> Iterator[Path]:
    """Create a folder with mode 0700 that is deleted after the block. Raises Trouble when it cannot be created.

    It holds copies of logins. So it is in the state folder and named after this process: the next run deletes what a
    killed one left.
    """
    base = folder()
    existed = base.is_dir()
    try:
        place = Path(tempfile.mkdtemp(prefix=f"{_PRIVATE}{_process(os.getpid())}-", dir=made(base)))
    except OSError as why:
        raise _cannot_write(base, why) from None
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if not existed:
            with suppress(OSError):  # something else was kept meanwhile
                base.rmdir()


def sweep() -> None:
    """Delete the temporary folders and files of runs that have ended without deleting them."""
    base = folder()
    for place in base.glob(f"{_PRIVATE}*"):
        if _has_ended(place.name.removeprefix(_PRIVATE)):
            shutil.rmtree(place, ignore_errors=True)
    for place in (base, *map(Path, _below(base))):
        _sweep_files(place, r".+")


def sweep_beside(path: Path) -> None:
    """Delete the temporary files of this file that killed runs left beside it."""
    _sweep_files(path.parent, re.escape(path.name))


def beside(path: Path) -> str:
    """Return how the name of a temporary file begins that is to replace the path."""
    return f".{path.name}.{_process(os.getpid())}-"


def _process(pid: int) -> str:
    """Return the pid with the start of the process, which distinguishes it from a later one with the same pid."""
    return f"{pid}-{started(pid):.0f}"


def _sweep_files(place: Path, name: str) -> None:
    pattern = re.compile(rf"\.{name}\.(\d+-\d+-\w{{8}})")  # as mkstemp names them, see `beside`
    with suppress(OSError):  # the folder does not exist, or may not be written
        for found in map(pattern.fullmatch, os.listdir(place)):
            if found and _has_ended(found[1]):
                (place / found[0]).unlink(missing_ok=True)


def _has_ended(mark: str) -> bool:
    """Has the process ended? mark: its pid and its start, followed by `-` and anything else."""
    pid, start, _ = (*mark.split("-"), "", "", "")[:3]
    return not pid.isdecimal() or _process(int(pid)) != f"{pid}-{start}"


def reads_only() -> bool:
    """Is this a dry run, which writes no caches?"""
    return _only_read


@contextmanager
def only_reading() -> Iterator[None]:
    """Write no caches in the block."""
    global _only_read
    before, _only_read = _only_read, True
    try:
        yield
    finally:
        _only_read = before


def read(path: Path) -> str | None:
    """Return the file's text, None when it does not exist."""
    try:
        return regular_file.text(path)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as why:
        raise Trouble(
            f"cannot read {path}: {why}", fix=f"look at the owner and the content of {path}, or move it away"
        ) from None


def load_locks() -> None:
    """Import what `lock` needs, while the caller waits for something else: it brings all of asyncio."""
    import filelock  # noqa: F401


@contextmanager
def lock(name: str, *, wait: float = 30.0, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock of this name. The kernel releases the lock of a process that ends.

    wait: seconds at most; an interrupted run does not wait
    waiting: called when another process holds it
    """
    import filelock

    from tasks.core.process.running import interrupted

    path = made(folder("locks")) / f"{name}.lock"
    held = filelock.FileLock(path, mode=0o600)
    try:
        try:
            held.acquire(timeout=0)
        except filelock.Timeout:
            waiting()
            held.acquire(timeout=wait, cancel_check=interrupted)
    except filelock.Timeout:
        raise Trouble(
            f"another run holds the lock '{name}' for more than {wait:g} s",
            fix="wait for it to end, then run this again",
        ) from None
    except OSError as why:
        raise _cannot_write(path, why) from None
    try:
        yield
    finally:
        held.release()


def _cannot_write(path: Path, why: OSError) -> Trouble:
    return Trouble(
        f"cannot write {path}: {why.strerror}",
        fix=f"free some space or correct the owner of {path.parent}; or set {VARIABLE} to a folder that can be written",
    )
