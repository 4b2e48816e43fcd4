"""Leave what this workstation intercepted: exactly what the journal says, even after `kill -9`. Safe to repeat."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.process import foreground
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.core.wait import until
from tasks.flows import session
from tasks.flows.intercept import env_file, notice
from tasks.tools import api_server, base, telepresence


def name_of(entry: Entry) -> str:
    """Return the intercept's name in Telepresence."""
    return str(entry.data.get("name", ""))


def find(word: str = "") -> list[Entry]:
    """Return the journal's intercepts; only those of one service, workload or intercept name when given."""
    entries = journal.entries("intercept")
    return [e for e in entries if not word or word in {name_of(e), e.data.get("service"), e.data.get("workload")}]


def changes(s: Settings, entries: list[Entry]) -> Iterator[Change[None]]:
    """Yield what is to be done to leave these intercepts. A run that is still alive is asked to end itself."""
    for entry in entries:
        if entry.owner_lives and entry.pid != os.getpid():
            yield Change(
                f"end the run of {name_of(entry)} (pid {entry.pid})",
                run=partial(_end_run, s, entry),
                equivalent=("kill", str(entry.pid)),
            )
        else:
            where = "" if _made_here(s, entry) else f", once the settings point to {_target(entry)} again"
            yield Change(
                f"leave the intercept {name_of(entry)}{where}", _leave_command(s, entry), partial(leave_entry, s, entry)
            )


def leave_entry(s: Settings, entry: Entry) -> None:
    """Leave one intercept and end its process.

    Raises Trouble when it may still be held; its journal entry stays then, so that `inv down` can try again.
    """
    end_process(entry)
    if not _made_here(s, entry):
        raise Refused(
            f"the intercept {name_of(entry)} was made in {_target(entry)}",
            why="the settings point to another place now, and an intercept is left only where it was made",
            fix=f"REMOTE_DEV_CLUSTER__CONTEXT={_quoted(entry, 'context')} REMOTE_DEV_CLUSTER__NAMESPACE={_quoted(entry, 'namespace')} inv down",
        )
    _reconnect_if_lost(s, entry)
    notice.remove(s, name_of(entry))
    perform(telepresence.leave(s, name_of(entry)))
    gone = until(lambda: not holds(telepresence.status(s), name_of(entry)), every=0.2, for_=5)
    if not gone:
        raise ToolError(
            f"{name_of(entry)} is still intercepted after leaving it", tool="telepresence", fix="inv tp.quit"
        )
    env_file.remove(current(entry))
    journal.forget(entry)


def current(entry: Entry) -> Entry:
    """Return the entry with what was added to it since."""
    return next((e for e in journal.entries("intercept") if e.id == entry.id), entry)


def holds(now: telepresence.Session, name: str) -> bool:
    """Does this client hold the intercept? A replacement is listed as WORKLOAD/CONTAINER."""
    return any(listed == name or listed.startswith(f"{name}/") for listed, _ in now.intercepts)


def made_by_hand(now: telepresence.Session) -> list[str]:
    """Return the intercepts of this client that are not in the journal."""
    noted = {name_of(entry) for entry in journal.entries("intercept")}
    return [listed for listed, _ in now.intercepts if not noted & {listed, listed.partition("/")[0]}]


def end_process(entry: Entry) -> None:
    """End the dev process of a run that was killed, and what is left of its group."""
    if group := entry.group:
        foreground.end_group(group)


def _reconnect_if_lost(s: Settings, entry: Entry) -> None:
    """Connect again when the session that holds the intercept is gone.

    The traffic manager still holds the intercept then, and requests to it hang until the same client comes back:
    reconnected with the same parameters, the client takes its intercepts over and can leave them
    (tests/tasks/flows/intercept/test_inner_loop.py, test_after_kill_9...).
    """
    if problem := api_server.cause(s):
        later = replace(problem, fix=f"{problem.fix}; then inv down")
        raise api_server.unreachable(later, name=f"{name_of(entry)} may still be held")
    now = session.look(s)
    if now.here:
        return
    ui.talk(f"the session that held {name_of(entry)} is gone; reconnecting to free it")
    guard.check_names(s)
    session.ensure(s, yes=not now.session.connected)  # a session that is connected elsewhere may hold other intercepts


def _leave_command(s: Settings, entry: Entry) -> tuple[str, ...]:
    """Return the command of this Telepresence version; the classic one when the program cannot be asked."""
    try:
        return telepresence.leave(s, name_of(entry)).argv
    except ToolError:
        return ("telepresence", "leave", name_of(entry))


def _quoted(entry: Entry, key: str) -> str:
    return shlex.quote(str(entry.data.get(key)))


def _target(entry: Entry) -> str:
    return f"{entry.data.get('context')}/{entry.data.get('namespace')}"


def _made_here(s: Settings, entry: Entry) -> bool:
    """Was it made in the place that the settings point to now?"""
    return entry.data.get("kubeconfig") == str(base.frozen_kubeconfig(s))


def _end_run(s: Settings, entry: Entry) -> None:
    """Ask the run to end, and after ten seconds once more: a run kills its process on the second signal."""
    for seconds in (10, 10):
        try:
            os.kill(entry.pid, signal.SIGTERM)
            os.kill(entry.pid, signal.SIGCONT)  # a run that Ctrl-Z has stopped takes no other signal
        except ProcessLookupError:
            break
        if until(lambda: not entry.owner_lives, every=0.1, for_=seconds):
            break
    else:
        raise Trouble(
            f"the run of {name_of(entry)} (pid {entry.pid}) does not end", fix=f"kill -9 {entry.pid}, then inv down"
        )
    for remaining in journal.entries("intercept"):
        if remaining.id == entry.id:  # the run has ended, but could not leave
            leave_entry(s, remaining)
