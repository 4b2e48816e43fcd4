"""End what a Tilt leaves behind.

Tilt 0.37 exits two seconds after SIGINT, whatever still runs, and at once when it is killed (tilt-dev/tilt, issue 4648
and cli.go, preCommand). Its resources' commands lead sessions of their own, so they are not in its process group and go
on as orphans. An intercept among them needs some seconds to leave. All of them carry the mark of
`environment.MARK` in their environment: that is how they are found.
"""

from __future__ import annotations

import os
import signal

from tasks.core import ui
from tasks.core.process import foreground, processes
from tasks.core.process.processes import Process
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.core.wait import until
from tasks.flows.session import daemons
from tasks.flows.tilt.environment import MARK

_SECONDS_TO_LEAVE = 20.0  # that an intercept gets


def end(run: str) -> list[str]:
    """End what the Tilt with this mark left behind. Returns the commands that were still running."""
    found = orphans(run)
    for process in found:
        processes.deliver(process.pid, signal.SIGTERM)
    if found:
        ui.talk(f"ending what Tilt left behind: {', '.join(_shown(p) for p in found)}")
        until(lambda: not any(p.lives for p in found), every=0.1, for_=_SECONDS_TO_LEAVE)
    # What remains ignored SIGTERM, or is a descendant that leads a session of its own.
    for process in marked(run):
        foreground.end_group(process.pid)
    return [_shown(p) for p in found]


def recover() -> list[str]:
    """End the Tilts of the suite's killed runs, and what they left behind. Returns the commands that were ended."""
    ended = []
    for entry in runs():
        if not entry.owner_lives:
            ended += stop(entry)
    return ended


def runs() -> list[Entry]:
    """Return the journal's Tilts. In their data: `group` is the pid, `start` its start time, `port` the page's port."""
    return [e for e in journal.entries("process") if e.data.get("name") == "tilt"]


def lives(entry: Entry) -> bool:
    """Is this Tilt still running? The start time tells a reused pid apart."""
    group, start = int(entry.data.get("group") or 0), float(entry.data.get("start") or 0)
    return bool(group and start and processes.started(group) == start)


def stop(entry: Entry) -> list[str]:
    """End this Tilt and everything it started, and forget it. Returns the commands that were ended."""
    ended = []
    if lives(entry) and entry.group:
        ended.append(f"tilt (pid {entry.data['group']})")
        foreground.end_group(int(entry.data["group"]), grace=5.0)
    ended += end(str(entry.data.get("run") or entry.id))
    journal.forget(entry)
    return ended


def marked(run: str) -> list[Process]:
    """Return the session leaders with this mark, without this process, its parents and Telepresence's daemons.

    The daemons inherit the mark of the Tilt that started them. They belong to the session, which other work may need.
    """
    own = _this_process_and_its_parents()
    return [
        p
        for p in processes.running()
        if p.pid not in own and not daemons.is_daemon(p) and _has_mark(p, run) and _session(p.pid) == p.pid
    ]


def orphans(run: str) -> list[Process]:
    """Return those of them that Tilt itself started: their parent is not marked, or has ended."""
    leaders = marked(run)
    pids = {p.pid for p in leaders}
    return [p for p in leaders if _parent(p.pid) not in pids and not _is_marked(_parent(p.pid), run)]


def _is_marked(pid: int, run: str) -> bool:
    return _has_mark(Process(pid, processes.started(pid), ()), run)


def _has_mark(process: Process, run: str) -> bool:
    return process.variable(MARK) == run


def _shown(process: Process) -> str:
    words = [os.path.basename(word) for word in process.argv[:1]] + list(process.argv[1:4])
    return f"{' '.join(words)} (pid {process.pid})"


def _this_process_and_its_parents() -> set[int]:
    pids, pid = set(), os.getpid()
    while pid > 1:
        pids.add(pid)
        pid = _parent(pid)
    return pids


def _parent(pid: int) -> int:
    return _stat_field(pid, 1)


def _session(pid: int) -> int:
    return _stat_field(pid, 3)


def _stat_field(pid: int, index: int) -> int:
    """Return a number of `processes.stat`: 1 parent, 2 group, 3 session. 0 when the process has ended."""
    fields = processes.stat(pid)
    return int(fields[index]) if fields else 0
