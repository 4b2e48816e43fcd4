"""The words after `--`, byte for byte. Invoke joins them with blanks, so they are read from argv."""

from __future__ import annotations

import sys

from tasks.core.errors import Trouble


def rest(*, required: bool = False) -> list[str]:
    """The words after the first `--`; empty when there is none. With `--` and nothing behind it: Trouble."""
    if "--" not in sys.argv:
        return []
    words = sys.argv[sys.argv.index("--") + 1 :]
    if not words and required:
        raise Trouble("there is no command after --", fix="leave `--` away, or name a command behind it")
    return words
