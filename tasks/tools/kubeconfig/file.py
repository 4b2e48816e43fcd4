"""Write the user's kubeconfig under kubectl's lock and one of ours, as a whole or not at all.

Mode, owner and a link's target stay. A file that cannot be replaced by a rename (a mounted file, a hard link, a
folder that may not be written) is written in place, with a backup until that has succeeded.
"""

from __future__ import annotations

import errno
import os
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tasks.core import regular_file
from tasks.core.errors import Blocked
from tasks.core.process import processes
from tasks.core.state import store

_WAIT = 5.0  # seconds for another kubectl to end its write; it holds the lock for milliseconds
_OURS = "remote-dev"
_NO_RENAME = {errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM}


@contextmanager
def locked(files: Sequence[Path]) -> Iterator[None]:
    """Hold our own lock and client-go's lock of each file. Raises Blocked for a lock that stays."""
    with store.lock("kubeconfig"), ExitStack() as held:
        for path in sorted(files):  # always in the same order, as client-go does
            if path.is_file() or path == files[-1] or not path.parent.exists():
                held.enter_context(_client_go_lock(path))
        yield


@contextmanager
def _client_go_lock(path: Path) -> Iterator[None]:
    """Hold `<file>.lock`, created with O_EXCL: kubectl and kubelogin do not write while it exists; az ignores it."""
    lock = Path(f"{path}.lock")
    _folder(path.parent)
    end = time.monotonic() + _WAIT
    while True:
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            break
        except FileExistsError:
            if _left_by_us(lock):
                lock.unlink(missing_ok=True)
            elif time.monotonic() > end:
                raise _stale(lock) from None
            else:
                time.sleep(0.05)
        except PermissionError:  # the folder may not be written: kubectl cannot lock either
            yield
            return
        except OSError as why:
            raise _cannot_write(path, why) from None
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{_OURS} {os.getpid()} {processes.started(os.getpid())}\n")
        yield
    finally:
        lock.unlink(missing_ok=True)


def _left_by_us(lock: Path) -> bool:
    """Did a killed run of this suite leave it? client-go's own locks are empty."""
    try:
        words = regular_file.text(lock).split()
    except (OSError, UnicodeDecodeError):
        return False
    return (
        len(words) == 3
        and words[0] == _OURS
        and words[1].isdigit()
        and str(processes.started(int(words[1]))) != words[2]
    )


def _stale(lock: Path) -> Blocked:
    try:
        age = f", created {time.time() - lock.stat().st_mtime:.0f} s ago"
    except OSError:
        age = ""
    return Blocked(
        f"{lock} exists{age}",
        why="kubectl or kubelogin is writing, or one was killed while it wrote",
        fix=f"when no kubectl is running: rm {shlex.quote(str(lock))}",
    )


def replace_file(path: Path, content: bytes) -> None:
    """Write the file's new content; a new file gets mode 0600. Raises Blocked when it cannot be written."""
    real = Path(os.path.realpath(path))
    _folder(real.parent)
    try:
        old = real.stat()
    except FileNotFoundError:
        old = None
    except OSError as why:
        raise _cannot_write(path, why) from None
    if old is not None and old.st_nlink > 1:
        _in_place(real, content)
        return
    name = ""
    try:
        store.sweep_beside(real)
        handle, name = tempfile.mkstemp(dir=real.parent, prefix=store.beside(real))
        with os.fdopen(handle, "wb") as file:
            if old is not None:
                os.fchmod(file.fileno(), old.st_mode & 0o7777)
                mine = os.fstat(file.fileno())
                if (mine.st_uid, mine.st_gid) != (old.st_uid, old.st_gid):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, real)
    except OSError as why:
        if name:
            with suppress(OSError):  # the folder has become read-only
                Path(name).unlink(missing_ok=True)
        if old is None or why.errno not in _NO_RENAME:
            raise _cannot_write(path, why) from None
        _in_place(real, content)


def _in_place(path: Path, content: bytes) -> None:
    """Overwrite the file. Restore the old content when that fails; until then the state folder holds a backup."""
    backup = store.folder("backups", f"{path.name}.{os.getpid()}")
    try:
        old = regular_file.read(path)
        store.write(backup, old)
        with path.open("r+b") as file:
            try:
                _overwrite(file.fileno(), content)
            except OSError:
                _overwrite(file.fileno(), old)
                raise
    except OSError as why:
        raise _cannot_write(path, why, f"; a copy of it is {backup}" if backup.exists() else "") from None
    backup.unlink(missing_ok=True)


def _overwrite(handle: int, content: bytes) -> None:
    os.lseek(handle, 0, os.SEEK_SET)
    done = 0
    while done < len(content):
        done += os.write(handle, content[done:])
    os.ftruncate(handle, len(content))
    os.fsync(handle)


def _folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as why:
        raise _cannot_write(path, why) from None


def _cannot_write(path: Path, why: OSError, more: str = "") -> Blocked:
    reason = f"{why.strerror}{more}"
    if why.errno == errno.ENOSPC:
        return Blocked(f"cannot write {path}: {reason}", fix="free some space, then run this again")
    return Blocked(
        f"cannot write {path}: {reason}",
        fix=f"look at the owner of {path.parent}; or set KUBECONFIG to a file that can be written",
    )
