"""Read the output of a program that is still running."""

from __future__ import annotations

import os


def text_of(handle: int, start: int = 0) -> str:
    """The file's text from this byte on. The file's position, which the program shares, does not move."""
    size = os.fstat(handle).st_size
    return os.pread(handle, max(0, size - start), start).decode("utf-8", "replace")
