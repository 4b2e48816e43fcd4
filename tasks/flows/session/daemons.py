"""Telepresence's daemons as processes: those that this session's commands left behind."""

from __future__ import annotations

import os
import signal

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.process import processes
from tasks.core.process.processes import Process
from tasks.core.wait import until
from tasks.tools import base

_USER, _ROOT = {"userd", "connector-foreground"}, {"rootd", "daemon-foreground"}  # 2.31 and before it


def ours(s: Settings) -> list[Process]:
    """The daemons that were started with this session's kubeconfig; another project's are none of ours."""
    wanted = str(base.frozen_kubeconfig(s))
    return [p for p in processes.running() if _is_daemon(p) and p.variable("KUBECONFIG") == wanted]


def end(found: list[Process], why: str) -> Change[object]:
    """End these daemons: what `quit -s` no longer reaches (a killed connect leaves its daemon, 2.31 even answers
    `Quit` while it lives on)."""
    pids = ", ".join(str(p.pid) for p in found)
    return Change(
        f"end the daemon that {why} (pid {pids})", ("kill", *(str(p.pid) for p in found)), lambda: _end(found)
    )


def _end(found: list[Process]) -> None:
    for number, wait in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)):
        for process in found:
            if process.lives:
                try:
                    os.kill(process.pid, number)
                except (ProcessLookupError, PermissionError):
                    continue
        if until(lambda: not any(p.lives for p in found), every=0.05, for_=wait):
            return


def is_called(process: Process, *, user: bool = False) -> bool:
    """Do its first arguments say that it is a daemon of Telepresence? user: the user daemon alone."""
    return bool((_USER if user else _USER | _ROOT) & set(process.argv[1:3]))


def _is_daemon(process: Process) -> bool:
    program = os.path.basename(process.argv[0])
    return "telepresence" in program and is_called(process)
