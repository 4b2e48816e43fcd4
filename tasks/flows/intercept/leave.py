"""Leave what this workstation intercepted: exactly what the journal says, even after `kill -9`; twice is the same as once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.process import foreground, processes
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.core.wait import until
from tasks.flows import session
from tasks.flows.intercept import notice
from tasks.tools import base, telepresence


def name_of(entry: Entry) -> str:
    """The intercept's name in Telepresence."""
    return str(entry.data.get("name", ""))


def changes(s: Settings, entries: list[Entry]) -> Iterator[Change[object]]:
    """What leaving these intercepts takes, as values. A run that still lives is asked to end itself."""
    for entry in entries:
        if entry.owner_lives and entry.pid != os.getpid():
            words: tuple[str, ...] = ("kill", str(entry.pid))
            text = f"end the run of {name_of(entry)} (pid {entry.pid})"
            yield Change(text, words, partial(_end_run, s, entry))
        else:
            where = "" if _same_place(s, entry) else f", once the settings point to {_place(entry)} again"
            yield Change(f"leave the intercept {name_of(entry)}{where}", _words(s, entry), partial(one, s, entry))


def one(s: Settings, entry: Entry) -> None:
    """Leave one intercept and end its process. Raises Trouble when it may still be held; the entry stays then."""
    end_process(entry)
    if not _same_place(s, entry):
        raise Refused(
            f"the intercept {name_of(entry)} was made in {_place(entry)}",
            why="the settings point elsewhere now, and only the place where it was made is touched",
            fix=f"REMOTE_DEV_CLUSTER__CONTEXT={entry.data.get('context')} REMOTE_DEV_CLUSTER__NAMESPACE={entry.data.get('namespace')} inv down",
        )
    now = session.look(s)
    if not now.here:
        # The daemon is gone, but the traffic manager still holds the intercept, and requests hang there, until the
        # same client comes back: a reconnect with the same parameters takes the intercept over, then it can be left.
        ui.talk(f"the session that held {name_of(entry)} is gone; connecting again to free it")
        guard.names(s)
        session.ensure(s, yes=not now.session.connected)  # a session to another place may hold other intercepts
    notice.remove(s, name_of(entry))
    perform(telepresence.leave(s, name_of(entry)))
    gone = until(lambda: not held(telepresence.status(s), name_of(entry)), every=0.2, for_=5)
    if not gone:
        raise ToolError(
            f"{name_of(entry)} is still intercepted after leaving it", tool="telepresence", fix="inv tp.quit"
        )
    remove_files(entry)
    journal.forget(entry)


def held(now: telepresence.Session, name: str) -> bool:
    """Does this client hold it? A replacement is shown as WORKLOAD/CONTAINER."""
    return any(shown == name or shown.startswith(f"{name}/") for shown, _ in now.intercepts)


def by_hand(now: telepresence.Session) -> list[str]:
    """Intercepts of this client that no run of the suite has noted."""
    noted = {name_of(entry) for entry in journal.entries("intercept")}
    return [shown for shown, _ in now.intercepts if not noted & {shown, shown.partition("/")[0]}]


def end_process(entry: Entry) -> None:
    """End the dev process of a run that was killed, when it is still the same process."""
    group, start = int(entry.data.get("group") or 0), float(entry.data.get("start") or 0)
    if group and start and processes.started(group) == start:
        foreground.end_group(group)
    elif group and not processes.started(group) and processes.group_lives(group):
        foreground.end_group(group)  # the leader has ended, and a pid is not used again while its group lives


def remove_files(entry: Entry) -> None:
    """Remove the files that were written for it."""
    for path in entry.data.get("files") or []:
        Path(path).unlink(missing_ok=True)


def all_of(word: str = "") -> list[Entry]:
    """The journalled intercepts; of one service, workload or intercept name when given."""
    found = journal.entries("intercept")
    return [e for e in found if not word or word in {name_of(e), e.data.get("service"), e.data.get("workload")}]


def _words(s: Settings, entry: Entry) -> tuple[str, ...]:
    """The command as this client has it; one that cannot be asked stops nothing here."""
    try:
        return telepresence.leave(s, name_of(entry)).argv
    except ToolError:
        return ("telepresence", "leave", name_of(entry))


def _place(entry: Entry) -> str:
    return f"{entry.data.get('context')}/{entry.data.get('namespace')}"


def _same_place(s: Settings, entry: Entry) -> bool:
    return entry.data.get("kubeconfig") == str(base.frozen_kubeconfig(s))


def _end_run(s: Settings, entry: Entry) -> None:
    """Ask the run to end, and after ten seconds once more: its second signal kills the process that does not."""
    for wait in (10, 10):
        try:
            os.kill(entry.pid, signal.SIGTERM)
            os.kill(entry.pid, signal.SIGCONT)  # one that was stopped by Ctrl-Z hears nothing else
        except ProcessLookupError:
            break
        if until(lambda: not entry.owner_lives, every=0.1, for_=wait):
            break
    else:
        raise Trouble(
            f"the run of {name_of(entry)} (pid {entry.pid}) does not end", fix=f"kill -9 {entry.pid}, then inv down"
        )
    for left in journal.entries("intercept"):
        if left.id == entry.id:  # it ended, and could not leave
            one(s, left)
