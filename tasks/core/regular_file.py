"""Read a file that may be anything: a named pipe is not waited for, and an endless one does not fill the memory."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST = 32 * 1024 * 1024  # bytes; what the suite reads has some kilobytes


def read(path: str | Path, *, largest: int = LARGEST) -> bytes:
    """Return the file's content. Raises OSError: also for a pipe, a socket, and a file that is larger than `largest`.

    A device is read, because /dev/null is a common way to write "no file".
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError:  # a NUL in the path
        raise OSError(errno.EINVAL, "not a valid path", str(path)) from None
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode) and not stat.S_ISCHR(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return _all(handle, path, largest)
    finally:
        os.close(handle)


def text(path: str | Path) -> str:
    """Return the content as UTF-8, without a byte order mark. Raises OSError as `read`, and UnicodeDecodeError."""
    return read(path).decode("utf-8-sig")


def _all(handle: int, path: str | Path, largest: int) -> bytes:
    content = bytearray()
    while chunk := os.read(handle, 1024 * 1024):
        content += chunk
        if len(content) > largest:
            raise OSError(errno.EFBIG, f"larger than {largest // 1024 // 1024} MiB", str(path))
    return bytes(content)
