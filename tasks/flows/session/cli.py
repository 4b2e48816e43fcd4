"""The bodies of `inv tp.connect`, `tp.status` and `tp.quit`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import MISSING, Refused
from tasks.core.plan.change import Change, perform
from tasks.core.state import journal, store
from tasks.core.state.journal import Entry
from tasks.flows.session import daemons
from tasks.flows.session.connect import Look, allowed, connect_changes, ensure, look
from tasks.tools import api_server, base, credentials, telepresence
from tasks.tools.private_caches import without_trace


def connect(*, yes: bool, dry: bool, check: bool, json: bool) -> None:
    """Connect, or show what is missing for it. With `check` exit with 2 when something is."""
    s = settings()
    guard.check_names(s)
    if dry or check:
        changes = _missing(s, yes=yes)
        _show_missing(changes, json=json)
        if check and changes:
            raise SystemExit(MISSING)
        return
    allowed(s, dry=False)
    seconds = ensure(s, yes=yes, guarded=True)
    _show_connected(s, seconds, json=json)


def status(*, json: bool) -> None:
    """Show the session. Starts nothing. Raises Unreachable when Telepresence does not answer without the API server."""
    s = settings()
    now = look(s)
    if now.problem and not now.session.running:
        raise api_server.unreachable(now.problem, name="telepresence status", tool="telepresence")
    entries = journal.entries("intercept")
    if json:
        ui.as_json(_document(now, entries))
        return
    _show(now)
    for entry in entries:
        if not entry.owner_lives and not entry.data.get("keep"):
            ui.say(f"left behind: {entry.data.get('name')} (by a killed run); inv down removes it")


def quit(*, yes: bool, dry: bool) -> None:
    """End the session. Refused without `yes` when that loses an intercept of a living run, a kept one or one by hand."""
    s = settings()
    if dry:
        store.only_read()
    wanted = _wanted_intercepts()
    if wanted and not yes:
        raise _would_lose(wanted)
    now = look(s)
    if now.session.intercepts and not yes:
        raise _would_lose_by_hand(now)
    changes = _quit_changes(s, now)
    if dry:
        for change in changes:
            ui.talk(change.would)
        return
    for change in changes:
        perform(change)
    _end_remaining_daemons(s)
    for entry in journal.entries("session"):
        journal.forget(entry)
    if changes:
        _forget_ended(s, wanted)
    ui.say("the session has ended" if changes else "there was no session: nothing to do")
    credentials.forget(s)  # last: the session has ended also when the state cannot be written


def _missing(s: Settings, *, yes: bool) -> list[Change[object]]:
    with without_trace():
        allowed(s, dry=True)
        return list(connect_changes(s, yes=yes))


def _show_missing(changes: Sequence[Change[object]], *, json: bool) -> None:
    if json:
        ui.as_json({"connected": not changes, "changes": [{"text": c.text, "command": c.command} for c in changes]})
        return
    for change in changes:
        ui.say(change.would)
    if not changes:
        ui.say("already connected: nothing to do")


def _show_connected(s: Settings, seconds: float, *, json: bool) -> None:
    if json:
        ui.as_json({"connected": True, "seconds": round(seconds, 3), "session": asdict(look(s).session)})
        return
    place = f"connected to {s.cluster.context}, namespace {s.cluster.namespace}"
    if seconds:
        ui.say(f"{place}, in {seconds:.1f} s (budget {s.budgets.connect:g} s)")
    else:
        ui.say(f"{place}: nothing to do")


def _document(now: Look, entries: Sequence[Entry]) -> dict[str, object]:
    intercepts = [{"name": name, "client": client} for name, client in now.session.intercepts]
    return {
        "here": now.here,
        "why": now.why,
        "problem": asdict(now.problem) if now.problem else None,
        "session": {**asdict(now.session), "intercepts": intercepts},
        "journal": [
            {"name": e.data.get("name"), "made": e.made, "pid": e.pid, "lives": e.owner_lives} for e in entries
        ],
    }


def _show(now: Look) -> None:
    if now.session.connecting:
        ui.say(now.why)
    elif now.session.running:
        _show_session(now)
        if now.problem:
            ui.say(f"  fix: {now.problem.fix}")
    else:
        ui.say(f"no session: {now.why}")
        ui.say("  connect: inv tp.connect")


def _show_session(now: Look) -> None:
    session = now.session
    ui.table(
        [
            ("session", f"{session.state or session.error}{_but(now)}"),
            ("cluster", f"{session.context} {session.server}"),
            ("namespace", f"{session.namespace} (manager in {session.manager_namespace})"),
            ("versions", f"client {session.client_version}, manager {session.manager_version or 'unknown'}"),
            *(("intercept", f"{name} by {client}") for name, client in session.intercepts),
        ]
    )


def _but(now: Look) -> str:
    if now.problem:
        return f", but {now.problem.summary}"
    return "" if now.here else f" ({now.why})"


def _wanted_intercepts() -> list[Entry]:
    """Return the recorded intercepts of living runs, and those kept with --no-run."""
    return [e for e in journal.entries("intercept") if e.owner_lives or e.data.get("keep")]


def _would_lose(entries: Sequence[Entry]) -> Refused:
    names = ", ".join(str(entry.data.get("name")) for entry in entries)
    living = next((f": its run is still alive (pid {entry.pid})" for entry in entries if entry.owner_lives), "")
    return Refused(f"{names} would be lost{living}", fix="inv leave first, or add --yes")


def _would_lose_by_hand(now: Look) -> Refused:
    names = [name for name, _ in now.session.intercepts]
    return Refused(
        f"{', '.join(names)} would be lost, intercepted by hand", fix=f"telepresence leave {names[0]}, or add --yes"
    )


def _quit_changes(s: Settings, now: Look) -> list[Change[object]]:
    changes: list[Change[object]] = []
    if now.session.running and not now.problem:  # `quit` hangs without the API server; the daemons are ended anyway
        changes.append(telepresence.quit(s))
    if now.problem and (found := daemons.everything(s)):
        changes.append(daemons.end(found, "waits for the API server"))
    elif now.orphans:
        changes.append(daemons.end(now.orphans, "does not answer"))
    return changes


def _end_remaining_daemons(s: Settings) -> None:
    if remaining := daemons.everything(s):
        perform(daemons.end(remaining, "did not end with quit"))


def _forget_ended(s: Settings, entries: Sequence[Entry]) -> None:
    """Forget the kept intercepts, which ended with the session: `inv down` would reconnect to leave them."""
    for entry in entries:
        if not entry.owner_lives and entry.data.get("kubeconfig") == str(base.frozen_kubeconfig(s)):
            journal.forget(entry)
