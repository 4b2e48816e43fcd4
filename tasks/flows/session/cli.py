"""What `inv tp.connect`, `tp.status` and `tp.quit` do."""

from __future__ import annotations

from dataclasses import asdict

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import settings
from tasks.core.errors import MISSING, Refused, Trouble
from tasks.core.plan.change import perform
from tasks.core.state import journal, store
from tasks.flows.session import daemons
from tasks.flows.session.connect import allowed, connect_changes, ensure, look
from tasks.tools import base, telepresence
from tasks.tools.private_caches import without_trace


def connect(*, yes: bool, dry: bool, check: bool, json: bool) -> None:
    """Connect, or say what is missing for it."""
    s = settings()
    guard.names(s)
    if dry or check:
        with without_trace():
            allowed(s, dry=True)
            changes = list(connect_changes(s, yes=yes))
        if json:
            ui.as_json({"connected": not changes, "changes": [{"text": c.text, "command": c.command} for c in changes]})
        for change in changes if not json else ():
            ui.say(change.would)
        if not json and not changes:
            ui.say("connected already: nothing to do")
        if check and changes:
            raise SystemExit(MISSING)
        return
    allowed(s, dry=False)
    seconds = ensure(s, yes=yes, guarded=True)
    if json:
        ui.as_json({"connected": True, "seconds": round(seconds, 3), "session": asdict(look(s).session)})
    elif seconds:
        budget = s.budgets.connect
        ui.say(
            f"connected to {s.cluster.context}, namespace {s.cluster.namespace}, in {seconds:.1f} s (budget {budget:g} s)"
        )
    else:
        ui.say(f"connected to {s.cluster.context}, namespace {s.cluster.namespace}: nothing to do")


def status(*, json: bool) -> None:
    """Show the session. Starts nothing."""
    s = settings()
    now = look(s)
    open_entries = journal.entries("intercept")
    if json:
        ui.as_json(
            {
                "here": now.here,
                "why": now.why,
                "session": {
                    **asdict(now.session),
                    "intercepts": [{"name": n, "client": c} for n, c in now.session.intercepts],
                },
                "journal": [
                    {"name": e.data.get("name"), "made": e.made, "pid": e.pid, "lives": e.owner_lives}
                    for e in open_entries
                ],
            }
        )
        return
    session = now.session
    if not session.running:
        ui.say(f"no session: {now.why}")
        ui.say("  connect: inv tp.connect")
    else:
        ui.table(
            [
                ("session", f"{session.state or session.error}{'' if now.here else f' ({now.why})'}"),
                ("cluster", f"{session.context} {session.server}"),
                ("namespace", f"{session.namespace} (manager in {session.manager_namespace})"),
                ("versions", f"client {session.client_version}, manager {session.manager_version or 'not told'}"),
                *(("intercept", f"{name} by {client}") for name, client in session.intercepts),
            ]
        )
    for entry in open_entries:
        if not entry.owner_lives and not entry.data.get("keep"):
            ui.say(f"left behind: {entry.data.get('name')} (a run that was killed); inv down removes it")


def quit(*, yes: bool, dry: bool) -> None:
    """End the session; intercepts of runs that live, and those kept with --no-run, are not ended without a yes."""
    s = settings()
    if dry:
        store.only_read()
    open_ones = [e for e in journal.entries("intercept") if e.owner_lives or e.data.get("keep")]
    if open_ones and not yes:
        living = next((f": the run still lives (pid {e.pid})" for e in open_ones if e.owner_lives), "")
        names = ", ".join(str(e.data.get("name")) for e in open_ones)
        raise Refused(f"{names} would be lost{living}", fix="inv leave first, or add --yes")
    now = look(s)
    if now.session.intercepts and not yes:  # of no run of ours: made by hand
        names = ", ".join(name for name, _ in now.session.intercepts)
        raise Refused(
            f"{names} would be lost, intercepted by hand",
            fix=f"telepresence leave {now.session.intercepts[0][0]}, or add --yes",
        )
    changes = ([telepresence.quit(s)] if now.session.running else []) + (
        [daemons.end(list(now.orphans), "answers no longer")] if now.orphans else []
    )
    if dry:
        for change in changes:
            ui.talk(change.would)
        return
    for change in changes:
        perform(change)
    left = daemons.ours(s)
    if left:
        perform(daemons.end(left, "did not end with quit"))
    if daemons.ours(s):
        raise Trouble(
            f"the daemon (pid {daemons.ours(s)[0].pid}) does not end", fix=f"sudo kill -9 {daemons.ours(s)[0].pid}"
        )
    for entry in journal.entries("session"):
        journal.forget(entry)
    if changes:
        # They ended with the session: nothing is held that a later `inv down` would have to free.
        for entry in open_ones:
            if not entry.owner_lives and entry.data.get("kubeconfig") == str(base.frozen_kubeconfig(s)):
                journal.forget(entry)
    ui.say("the session is ended" if changes else "there was no session: nothing to do")
