"""Telepresence's daemons as processes: how those are found and ended that `quit` does not reach.

`telepresence quit -s` always exits with 0. It does not reach the daemon of a connect that was killed, and a daemon of
2.31 may confirm `Quit` and live on. So the process table decides, not the exit code.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.process import processes
from tasks.core.process.processes import Process
from tasks.core.wait import until
from tasks.tools import base

_USER, _ROOT = {"userd", "connector-foreground"}, {"rootd", "daemon-foreground"}  # since 2.31, and before it


def ours(s: Settings) -> list[Process]:
    """Return the daemons that were started with this session's kubeconfig. Other projects' daemons have another."""
    wanted = str(base.frozen_kubeconfig(s))
    return [p for p in processes.running() if _is_telepresence(p) and p.variable("KUBECONFIG") == wanted]


def end(found: Sequence[Process], that: str) -> Change[None]:
    """End these daemons: SIGTERM, 3 s, SIGKILL. that: completes `the daemon that ...`."""
    pids = [str(p.pid) for p in found]
    return Change(
        f"end the daemon that {that} (pid {', '.join(pids)})",
        run=lambda: _end(found),
        equivalent=("kill", *pids),
    )


def is_daemon(process: Process, *, user_only: bool = False) -> bool:
    """Do its first arguments name a daemon of Telepresence? user_only: the user daemon, not the root daemon."""
    return bool((_USER if user_only else _USER | _ROOT) & set(process.argv[1:3]))


def _is_telepresence(process: Process) -> bool:
    return "telepresence" in os.path.basename(process.argv[0]) and is_daemon(process)


def _end(found: Sequence[Process]) -> None:
    for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)):
        for process in found:
            if process.lives:
                try:
                    os.kill(process.pid, number)
                except (ProcessLookupError, PermissionError):
                    continue
        if until(lambda: not any(p.lives for p in found), every=0.05, for_=seconds):
            return
