"""Processes of this machine, as /proc shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.core.journal import started


@dataclass(frozen=True)
class Process:
    """argv as started; start in clock ticks since boot, so that a pid used again is told apart."""

    pid: int
    start: float
    argv: tuple[str, ...]

    def variable(self, name: str) -> str:
        """An environment variable it was started with; empty when unset or when it belongs to somebody else."""
        try:
            data = Path(f"/proc/{self.pid}/environ").read_bytes()
        except OSError:
            return ""
        prefix = name.encode() + b"="
        return next(
            (v[len(prefix) :].decode("utf-8", "replace") for v in data.split(b"\0") if v.startswith(prefix)), ""
        )

    @property
    def lives(self) -> bool:
        """Is it still there, and still the same?"""
        return self.start != 0 and started(self.pid) == self.start


def running() -> Iterator[Process]:
    """Every process whose command line can be read."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended while we looked
        if words and words[0]:
            yield Process(
                int(name), started(int(name)), tuple(w.decode("utf-8", "replace") for w in words[:-1] if w is not None)
            )
