"""The kubeconfigs that the guard has assessed in this run, byte for byte.

The file is written again when the user's kubeconfig changes, also by a run in another terminal. What was assessed
before may then be another cluster than the one that a program would use now.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tasks.core.errors import Refused

_digests: dict[str, set[str]] = {}  # by path


def remember(path: Path, content: str) -> None:
    """Note that the guard allows this content of this file."""
    _digests.setdefault(str(path), set()).add(_digest(content.encode()))


def outdated(path: Path) -> bool:
    """Is the content now another than what was assessed? False for a file that was not assessed in this run."""
    digests = _digests.get(str(path))
    if digests is None:
        return False
    try:
        return _digest(path.read_bytes()) not in digests
    except OSError:
        return True


def must_be_current(path: Path) -> None:
    """Raise Refused before a write with a file that has changed since it was assessed."""
    if outdated(path):
        raise Refused(
            "the session's kubeconfig changed while this ran",
            why=f"another run has written {path} again, and the guard has not looked at that cluster",
            fix="run this again: the guard then assesses the cluster that is used",
        )


def forget() -> None:
    """Forget all, for a test that starts in the process of an earlier one."""
    _digests.clear()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
