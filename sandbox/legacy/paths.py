"""The recorded paths of 29 November 2025, and the number of files of each size."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from sandbox.legacy.archive import DATA
from tasks.core.errors import Trouble

SIZES = {"S": 300, "M": 3_000, "L": 20_000}
LARGEST = 500_000


def count_of(size: str | int) -> int:
    """The number of tracked files in both repositories: `S`, `M`, `L`, a number, or `10k`. Raises Trouble for anything else."""
    word = str(size).strip().upper()
    if word in SIZES:
        return SIZES[word]
    digits, thousands = (word[:-1], 1_000) if word.endswith("K") else (word, 1)
    if not (digits.isascii() and digits.isdigit() and SIZES["S"] <= int(digits) * thousands <= LARGEST):
        raise Trouble(
            f"{size!r} is not a size", fix=f"--size S, M or L, or a number of files from {SIZES['S']} to {LARGEST}"
        )
    return int(digits) * thousands


@cache
def recorded() -> tuple[str, ...]:
    """Every recorded path of the core repository, including its gitops submodule, sorted."""
    return tuple(_unfold((DATA / "core-paths.txt").read_text(encoding="utf-8").splitlines()))


def _unfold(lines: list[str]) -> Iterator[str]:
    path = ""
    for line in lines:
        if line.startswith("#"):
            continue
        shared, rest = line.split(" ", 1)
        path = path[: int(shared)] + rest
        yield path
