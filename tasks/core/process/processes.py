"""Processes of this machine, as /proc lists them, and signals to groups of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process."""

    pid: int
    start: float
    """In clock ticks since boot: it distinguishes a process from a later one with the same pid."""

    argv: tuple[str, ...]

    def variable(self, name: str) -> str:
        """Return an environment variable from its start; empty when unset, or for another user's process."""
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
        """Does it still run?"""
        return self.start != 0 and started(self.pid) == self.start


def pids() -> list[int]:
    """Return the pids of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def running() -> Iterator[Process]:
    """Yield every process whose command line can be read."""
    for pid in pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended meanwhile
        if words[0]:
            yield Process(pid, started(pid), tuple(w.decode("utf-8", "replace") for w in words[:-1]))


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the command's name: state, parent, group, session ...; empty if gone.

    The name may contain blanks, brackets and half a character, because the kernel cuts it at 15 bytes.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()
    except OSError:
        return []


def started(pid: int) -> float:
    """Return when the process started, in clock ticks since boot; 0 for one that has ended, a zombie too."""
    fields = stat(pid)
    return float(fields[19]) if fields and fields[0] != "Z" else 0.0


def group_lives(group: int) -> bool:
    """Does a process of this group run? A zombie does not."""
    return any(fields[2] == str(group) and fields[0] != "Z" for pid in pids() if (fields := stat(pid)))


def deliver(group: int, number: int) -> None:
    """Send the signal to the process group. One that has ended, or belongs to another user, is ignored."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass
