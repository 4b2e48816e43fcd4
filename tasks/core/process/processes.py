"""Processes of this machine, as /proc shows them, and signals to groups of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


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


def pids() -> list[int]:
    """Every process there is now."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def running() -> Iterator[Process]:
    """Every process whose command line can be read."""
    for pid in pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended while we looked
        if words[0]:
            yield Process(pid, started(pid), tuple(w.decode("utf-8", "replace") for w in words[:-1]))


def stat(pid: int) -> list[str]:
    """What /proc/PID/stat tells behind the command's name: state, parent, group, session ...; empty when it has gone.

    The name itself may hold blanks, brackets, and half a character: the kernel cuts it at 15 bytes.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()
    except OSError:
        return []


def started(pid: int) -> float:
    """When the process started, in clock ticks since boot; 0 when there is no such process (or it is a zombie)."""
    fields = stat(pid)
    return float(fields[19]) if fields and fields[0] != "Z" else 0.0


def group_lives(group: int) -> bool:
    """Is there a process of this group that is no zombie?"""
    return any(fields[2] == str(group) and fields[0] != "Z" for pid in pids() if (fields := stat(pid)))


def deliver(group: int, number: int) -> None:
    """Send the signal to the process group; one that has ended, or belongs to another user, is fine."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass
