"""The mark that every child of the suite carries in its environment, and what it starts in turn.

A pid of the journal may be another process's by now: after a reboot, or in a rebuilt container. Only a process group
in which a process carries the mark of the run that the journal names is ended.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core.process.processes import Process, pids, started, stat

VARIABLE = "INV_RUN"


@functools.cache
def boot() -> str:
    """Return the id of this boot of the machine; empty where the kernel does not tell it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def of(pid: int, start: float, boot: str) -> str:
    """Return the mark of the children of this run of the suite."""
    return f"{boot}:{pid}:{start:.0f}"


def marked(environment: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the environment of a child, text or bytes, with the mark of this run."""
    kept = {name: value for name, value in environment.items() if os.fsencode(name) != VARIABLE.encode()}
    return {**kept, VARIABLE: of(os.getpid(), started(os.getpid()), boot())}


def carried_in_group(group: int, mark: str) -> bool:
    """Does a living process of this group carry the mark?"""
    return any(
        fields[2] == str(group) and fields[0] != "Z" and Process(pid, 0.0, ()).variable(VARIABLE) == mark
        for pid in pids()
        if (fields := stat(pid))
    )
