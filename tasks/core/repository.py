"""The repository that holds the suite, and the parts of the suite that are in it."""

from __future__ import annotations

from pathlib import Path


def repository_root() -> Path:
    """Return the folder that holds tasks/ and config/."""
    return Path(__file__).resolve().parents[2]


def must_be_here(path: str) -> None:
    """Raise Trouble when this part of the suite does not exist in this repository.

    The migration copies only the daily suite into a team's repository.
    """
    from tasks.core.errors import Trouble

    if not (repository_root() / path).exists():
        raise Trouble(
            f"{path} is not in this repository",
            why="only the files for daily use were copied here",
            fix="run this in the suite's own checkout",
        )
