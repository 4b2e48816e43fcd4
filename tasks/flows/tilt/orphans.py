"""What a Tilt leaves behind: Tilt ends after two seconds whatever still runs, and at once when it is killed.

All that it started carries a mark in its environment. The commands of its resources lead sessions of their own, and
are orphans once Tilt has gone; an intercept among them needs some seconds to leave.
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

_TO_LEAVE = 20.0  # seconds an intercept gets to leave


def end(run: str) -> list[str]:
    """End what the Tilt with this mark left; the commands that were still there. Nothing there is fine."""
    found = orphans(run)
    for process in found:
        processes.deliver(process.pid, signal.SIGTERM)
    if found:
        ui.talk(f"ending what Tilt left: {', '.join(_shown(p) for p in found)}")
        until(lambda: not any(p.lives for p in found), every=0.1, for_=_TO_LEAVE)
    for process in marked(run):
        foreground.end_group(process.pid)
    return [_shown(p) for p in found]


def recover() -> list[str]:
    """End the Tilts, and what they left, of runs of the suite that were killed. What was ended."""
    ended = []
    for entry in runs():
        if not entry.owner_lives:
            ended += stop(entry)
    return ended


def runs() -> list[Entry]:
    """The journal's Tilts: `group` is the pid of one, `start` its start, `port` where it listens."""
    return [e for e in journal.entries("process") if e.data.get("name") == "tilt"]


def lives(entry: Entry) -> bool:
    """Is this Tilt still there?"""
    group, start = int(entry.data.get("group") or 0), float(entry.data.get("start") or 0)
    return bool(group and start and processes.started(group) == start)


def stop(entry: Entry) -> list[str]:
    """End this Tilt and all that it started, and forget it."""
    ended = []
    if lives(entry):
        ended.append(f"tilt (pid {entry.data['group']})")
        foreground.end_group(int(entry.data["group"]), grace=5.0)
    ended += end(str(entry.data.get("run") or entry.id))
    journal.forget(entry)
    return ended


def marked(run: str) -> list[Process]:
    """Leaders of sessions with this mark, without this process, its own parents and the daemons of Telepresence.

    The daemons inherit the mark, and belong to the session, which other work may need.
    """
    own = _ancestors()
    return [
        p
        for p in processes.running()
        if p.pid not in own and not daemons.is_called(p) and p.variable(MARK) == run and _session(p.pid) == p.pid
    ]


def orphans(run: str) -> list[Process]:
    """Those among them whose parent has gone: what Tilt itself started."""
    found = marked(run)
    known = {p.pid for p in found}
    return [p for p in found if _parent(p.pid) not in known and not _has_mark(_parent(p.pid), run)]


def _has_mark(pid: int, run: str) -> bool:
    return Process(pid, processes.started(pid), ()).variable(MARK) == run


def _shown(process: Process) -> str:
    words = [os.path.basename(word) for word in process.argv[:1]] + list(process.argv[1:4])
    return f"{' '.join(words)} (pid {process.pid})"


def _ancestors() -> set[int]:
    found, pid = set(), os.getpid()
    while pid > 1:
        found.add(pid)
        pid = _parent(pid)
    return found


def _parent(pid: int) -> int:
    return _field(pid, 1)


def _session(pid: int) -> int:
    return _field(pid, 3)


def _field(pid: int, number: int) -> int:
    """A number of `processes.stat`: 1 parent, 2 group, 3 session. 0 when it has gone."""
    fields = processes.stat(pid)
    return int(fields[number]) if fields else 0
