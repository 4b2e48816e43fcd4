"""The process that a sandbox ends with, such as the shell of `inv sandbox.shell`."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

from sandbox.protocol.call import BOX_VARIABLE
from tasks.core.process.processes import Process, running, started, stat
from tasks.core.wait import until

_GRACE = 5.0  # seconds that a process gets to leave its intercept


def wait_for_end(pid: int, start: float) -> None:
    """Wait until the process has ended. start: as `processes.started` says."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # Linux before 5.3
        while started(pid) == start:
            time.sleep(0.2)
        return
    try:
        if started(pid) == start:
            select.select([handle], [], [])
    finally:
        os.close(handle)


def end_programs(box: Path) -> None:
    """End the processes that were started in the sandbox: they have its variable. The server's own children go on."""
    found = [p for p in running() if p.variable(BOX_VARIABLE) == str(box) and not _is_ours(p)]
    _signal(found, signal.SIGTERM)
    if not until(lambda: not any(p.lives for p in found), every=0.05, for_=_GRACE):
        _signal(found, signal.SIGKILL)


def _signal(found: list[Process], number: int) -> None:
    for process in found:
        if process.lives:
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue  # it ended meanwhile


def _is_ours(process: Process) -> bool:
    fields = stat(process.pid)
    return process.pid == os.getpid() or (len(fields) > 1 and fields[1] == str(os.getpid()))
