"""`inv down`: undo exactly what the journal says this workstation made. Twice is the same as once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Absent, TimedOut, Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.process import foreground, processes
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.flows import session
from tasks.flows.intercept import leave
from tasks.flows.session import daemons
from tasks.tools import base, telepresence
from tasks.tools.private_caches import without_trace


def run(*, dry: bool, tilt: bool) -> None:
    """Undo all; go on after a failure, and fail at the end. Releases of Tilt only when asked."""
    with without_trace() if dry else nullcontext():
        _run(settings(), dry=dry, tilt=tilt)


def _run(s: Settings, *, dry: bool, tilt: bool) -> None:
    _guarded(s)
    failures: list[Trouble] = []
    undone = 0
    for change in changes(s, failures, tilt=tilt):
        try:
            if dry:
                ui.say(change.would)
            else:
                perform(change)
                ui.progress("done", "down", change.text)
            undone += 1
        except Trouble as why:
            failures.append(why)
    for other in failures[1:]:
        ui.talk(other.text())
    if failures:
        first = failures[0]
        raise Trouble(f"not all is undone: {first.what}", why=first.why, fix=first.fix or "inv down again")
    if not undone:
        ui.say("nothing to undo")
    if not tilt and journal.entries("release"):
        ui.say("releases of Tilt stay: inv tilt.down removes this workstation's")


def changes(s: Settings, failures: list[Trouble], *, tilt: bool = False) -> Iterator[Change[object]]:
    """What is there to undo, in the order that is safe: intercepts, processes, files, releases, the session.

    failures: takes what could not be looked at; the rest goes on.
    """
    for part in (
        leave.changes(s, journal.entries("intercept")),
        _here(),
        _releases(s) if tilt else (),
        _session(s),
    ):
        try:
            yield from part
        except Trouble as why:
            failures.append(why)


def _here() -> Iterator[Change[object]]:
    """What was made on this machine."""
    for entry in journal.entries("process"):
        yield Change(
            f"end {entry.data.get('name', 'a process')} (pid {entry.data.get('group')})", run=partial(_end, entry)
        )
    for entry in journal.entries("file"):
        yield Change(f"remove {entry.data.get('path')}", run=partial(_remove, entry))


def _releases(s: Settings) -> Iterator[Change[object]]:
    """Tilt's; where nobody has been in the cluster from here there are none."""
    from tasks.flows.tilt import down as releases

    if base.frozen_kubeconfig(s).exists() or journal.entries("release"):
        yield from releases.changes(s)


def _guarded(s: Settings) -> None:
    """Production is refused here too. What cannot be looked at (a login that ran out) may still be cleaned up: the
    place was guarded when things were made there, and only that place is touched."""
    guard.names(s)
    if not base.frozen_kubeconfig(s).exists():
        return
    try:
        guard.assess(s)
    except guard.Unknown as why:
        ui.warn(f"{why.what}; only what was made there is undone")


def _session(s: Settings) -> Iterator[Change[object]]:
    """The session, when it is ours: made with this place's kubeconfig, and holding nothing made by hand."""
    try:
        now = session.look(s)
    except Absent:
        return
    except TimedOut:
        if daemons.ours(s):
            yield Change("end the daemon that gives no answer", run=partial(_end_daemons, s))
        return
    ours = daemons.ours(s)
    noted = [e for e in journal.entries("session") if e.data.get("kubeconfig") == str(base.frozen_kubeconfig(s))]
    by_hand = leave.by_hand(now.session)
    if by_hand and (ours or noted):
        ui.warn(f"the session stays: {', '.join(by_hand)} was intercepted by hand; inv tp.quit --yes ends both")
        return
    if now.session.running and (ours or (now.here and noted)):
        yield telepresence.quit(s)
    if ours:
        yield Change("end its daemons", run=partial(_end_daemons, s))
    for entry in noted:
        yield Change("forget the session", run=partial(journal.forget, entry))


def _end_daemons(s: Settings) -> None:
    left = daemons.ours(s)
    if left:
        perform(daemons.end(left, "did not end with quit"))


def _end(entry: Entry) -> None:
    group = int(entry.data.get("group") or 0)
    if group and processes.started(group) == float(entry.data.get("start") or -1):
        foreground.end_group(group)
    journal.forget(entry)


def _remove(entry: Entry) -> None:
    Path(str(entry.data.get("path"))).unlink(missing_ok=True)
    journal.forget(entry)
