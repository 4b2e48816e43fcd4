"""What `inv down` undoes: exactly what the journal says this workstation made. Safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Absent, TimedOut, Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.process import foreground
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.flows import session
from tasks.flows.intercept import leave
from tasks.flows.session import daemons
from tasks.flows.session.connect import Look
from tasks.tools import api_server, base, telepresence
from tasks.tools.telepresence import Session


def changes(s: Settings, failures: list[Trouble], *, tilt: bool = False) -> Iterator[Change[object]]:
    """Yield what there is to undo, in a safe order: intercepts, processes, releases, the session.

    The session comes last: leaving an intercept needs it. failures: takes what could not be looked at.
    """
    for part in (
        leave.changes(s, journal.entries("intercept")),
        _local_changes(),
        _release_changes(s) if tilt else (),
        _session_changes(s),
    ):
        try:
            yield from part
        except Trouble as why:
            failures.append(why)


def _local_changes() -> Iterator[Change[object]]:
    """Yield what was made on this machine."""
    for entry in journal.entries("process"):
        name, pid = entry.data.get("name", "a process"), entry.data.get("group")
        yield Change(f"end {name} (pid {pid})", run=partial(_end_process, entry))


def _release_changes(s: Settings) -> Iterator[Change[object]]:
    """Yield Tilt's releases. Helm is not asked where this workstation was never connected."""
    from tasks.flows.tilt import removal

    if base.frozen_kubeconfig(s).exists() or journal.entries("release"):
        if problem := api_server.cause(s):
            raise api_server.unreachable(problem, name="helm list", tool="helm")
        yield from removal.changes(s)


def _session_changes(s: Settings) -> Iterator[Change[object]]:
    """Yield the end of the session, if it is ours: made with this place's kubeconfig, holding nothing made by hand."""
    try:
        now = session.look(s)
    except Absent:
        return
    except TimedOut as why:
        now = Look(Session(), False, why.what)
    recorded = daemons.recorded(s)
    if not daemons.everything(s) and not recorded:
        return
    if made_by_hand := leave.made_by_hand(now.session):
        ui.warn(f"the session stays: {', '.join(made_by_hand)} was intercepted by hand; inv tp.quit --yes ends both")
        return
    if now.session.running and not now.problem and (daemons.ours(s) or now.here):
        yield telepresence.quit(s)
    if daemons.everything(s):
        yield Change("end the session's daemons", run=partial(_end_daemons, s))
    if daemons.everything(s):  # one could not be ended: the entry stays, so that the next run still knows it
        return
    for entry in recorded:
        yield Change("remove the session from the journal", run=partial(journal.forget, entry))


def _end_daemons(s: Settings) -> None:
    if remaining := daemons.everything(s):
        perform(daemons.end(remaining, "did not end with quit"))


def _end_process(entry: Entry) -> None:
    """End the process group, if it is still the recorded one: its pid may have been reused.

    What a Tilt has started leads sessions of its own, and may still deploy a release.
    """
    if entry.data.get("name") == "tilt":
        from tasks.flows.tilt import orphans

        orphans.stop(entry)
    elif group := entry.group:
        foreground.end_group(group)
    journal.forget(entry)
