"""The state folder of this workstation: folders 0700, files 0600, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import Trouble
from tasks.core.state import cached_status

VARIABLE = "REMOTE_DEV_STATE"
_only_read = False


def only_read() -> None:
    """From here on this process writes no caches: a dry run leaves no trace."""
    global _only_read
    _only_read = True


def cache(path: Path, data: str | bytes) -> None:
    """Write what can be found out again. Not in a dry run, and no error when it cannot be written."""
    if _only_read:
        return
    try:
        write(path, data)
    except Trouble:
        pass  # a cache that cannot be written costs time, nothing else


def must_be_usable() -> None:
    """Raise Trouble when there is no home folder, or when what is kept cannot be read: it belongs to somebody else,
    after a `sudo inv` perhaps. Not to be able to look must not read as `nothing is there`."""
    if os.path.expanduser("~") == "~":
        raise Trouble(
            "HOME is not set, and this user is not in /etc/passwd", fix="export HOME=FOLDER, then run this again"
        )
    base = folder()
    for path in (base, *map(Path, _below(base))):
        if not os.access(path, os.R_OK | os.X_OK) and os.path.lexists(path):
            raise Trouble(
                f"cannot read the state in {path}: it belongs to user {os.lstat(path).st_uid}",
                fix=f"sudo chown -R {os.getuid()}:{os.getgid()} {base}; or set {VARIABLE} to another folder",
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
    """The folder, made with mode 0700 together with its parents."""
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


def write(path: Path, data: str | bytes) -> None:
    """Write the file with mode 0600 by a rename, so that a kill leaves the old one or the new one."""
    made(path.parent)
    body = data.encode() if isinstance(data, str) else data
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        os.replace(name, path)
    except OSError as why:
        if name:
            Path(name).unlink(missing_ok=True)
        raise _cannot_write(path, why) from None


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder with mode 0700 that is gone after the block. Raises Trouble when none can be made."""
    try:
        made_here = tempfile.TemporaryDirectory(prefix="remote-dev-")
    except OSError as why:  # also when there is no folder at all for what is temporary
        raise Trouble(
            f"no temporary folder can be made: {why.strerror}",
            fix="free some space, or set TMPDIR to a folder that can be written",
        ) from None
    with made_here as name:
        yield Path(name)


@contextmanager
def only_reading() -> Iterator[None]:
    """No cache is written in the block: a dry run leaves nothing behind, not even what it learnt."""
    global _only_read
    before, _only_read = _only_read, True
    try:
        yield
    finally:
        _only_read = before


def read(path: Path) -> str | None:
    """The file's text, or None when there is none."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as why:
        raise Trouble(f"cannot read {path}: {why}", fix=f"look at the owner and the content of {path}") from None


def load_locks() -> None:
    """Load what `lock` needs (it brings all of asyncio) at a moment when there is something else to wait for."""
    import filelock  # noqa: F401


@contextmanager
def lock(name: str, *, wait: float = 30.0, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock of this name; a lock of a dead process is none (the kernel drops it).

    wait: seconds at most, none of them once the run is interrupted; waiting: called when somebody else holds it.
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
        fix=f"free some space or mend the owner of {path.parent}; or set {VARIABLE} to a folder that can be written",
    )
