"""Connect to the place of the settings: what is missing for it, and what would be lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, Refused, TimedOut, ToolError
from tasks.core.plan.change import Change, perform
from tasks.core.process.processes import Process
from tasks.core.state import journal, store, timing
from tasks.flows.session import daemons
from tasks.tools import base, kubeconfig, telepresence
from tasks.tools.telepresence import Session
from tasks.tools.telepresence import logs as telepresence_logs

_NOT_YET = "user daemon is not running"
_DEAF = "a daemon runs that answers no longer"
_AS_ROOT = "run as a user with sudo (remoteUser in devcontainer.json): as root in a container 2.31 takes itself for its own container"


@dataclass(frozen=True)
class Look:
    """The session as it is: `here` when it is connected to the place of the settings; `why` when it is not."""

    session: Session
    here: bool
    why: str = ""
    orphans: tuple[Process, ...] = ()


def look(s: Settings) -> Look:
    """Ask `status` and compare with the settings; daemons that `status` does not know are found as processes."""
    session = telepresence.status(s)
    found = daemons.ours(s)
    if session.sessions > 1:
        return Look(session, False, "several daemons run", tuple(found))
    if not session.running:
        if found:
            return Look(session, False, _DEAF, tuple(found))
        return Look(session, False, "not connected")
    if not session.connected:
        return Look(
            session, False, session.error or f"the daemon says: {session.state or 'not connected'}", tuple(found)
        )
    other = _elsewhere(s, session)
    return Look(session, not other, other, tuple(_beyond_one(found)))


def connect_changes(s: Settings, *, yes: bool = False) -> Iterator[Change[object]]:
    """The session of these settings is open. What is missing for it; nothing when it is there.

    Raises Blocked without a kubeconfig, Refused when intercepts elsewhere would be lost (unless `yes`).
    """
    freeze = kubeconfig.freeze(s)
    now = look(s)
    if now.here and not now.orphans:
        return
    held = _at_stake(now)
    if held and not yes:
        raise Refused(
            f"connected elsewhere ({now.why}), with {', '.join(held)} intercepted",
            why="a switch would end these intercepts",
            fix="inv leave; or inv tp.connect --yes switches and loses them",
        )
    if freeze is not None:
        yield freeze
    if now.session.running:
        yield telepresence.quit(s)
    if now.orphans:
        yield daemons.end(list(now.orphans), "answers no longer")
    yield _watched(s)


def prepare(s: Settings, *, dry: bool = False) -> None:
    """The session's own kubeconfig is cut from the user's, before the first question to the cluster.

    Raises Blocked when the user's has no such context; in a dry run also when it would have to be cut first.
    """
    change = kubeconfig.freeze(s)
    if change is None:
        return
    if dry:
        raise Blocked("the session's own kubeconfig is not there yet", fix="inv tp.connect makes it, or inv setup")
    perform(change)


def allowed(s: Settings, *, dry: bool) -> None:
    """The guard's verdict on the place of the settings; in a dry run nothing is cut for it.

    Raises Refused for production and for what cannot be looked at, Blocked when the user has no such context.
    """
    change = kubeconfig.freeze(s)
    if change is None:
        guard.assess(s)
    elif dry:
        with kubeconfig.private(kubeconfig.through_az(s, kubeconfig.wanted_context(s))) as file:
            guard.assess(s, kubeconfig=file)
    else:
        perform(change)
        guard.assess(s)


def ensure(s: Settings, *, yes: bool = False, guarded: bool = False) -> float:
    """Be connected to the place of the settings. Seconds that it took; 0 when it already was.

    guarded: the guard was asked a moment ago.

    A session that was lost is remade once; intercepts that the lost one held come back with the same parameters.
    Of several runs that need it one connects, the others wait and find it done.
    """
    began = time.monotonic()
    if not list(connect_changes(s, yes=yes)):
        return 0.0
    with store.lock("session", wait=s.deadlines.connect):
        return _connected(s, began, yes=yes, guarded=guarded)


def _connected(s: Settings, began: float, *, yes: bool, guarded: bool) -> float:
    changes = list(connect_changes(s, yes=yes))
    if not changes:
        return time.monotonic() - began
    lost = journal.entries("session")
    if not guarded:
        guard.assess(s)
    try:
        _do(changes)
    except ToolError as why:
        if _NOT_YET not in f"{why.what}{why.output}":
            raise
        # For up to 6 s after a daemon was killed, 2.31 takes it for living and says that it is not running.
        ui.talk("   the killed daemon of before is still remembered; trying once more in some seconds")
        time.sleep(6.5)
        _do(list(connect_changes(s, yes=yes)))
    seconds = time.monotonic() - began
    if lost:
        ui.talk("the session of before was gone; it was made anew")
    timing.keep_if_possible("connect", seconds)
    return seconds


def _do(changes: list[Change[object]]) -> None:
    for change in changes:
        ui.progress("running", "connect", change.text)
        perform(change)


def mine(s: Settings) -> tuple[str, ...]:
    """The intercepts of this client in the open session; empty without one."""
    now = look(s)
    return tuple(name for name, _ in now.session.intercepts) if now.here else ()


def _watched(s: Settings) -> Change[object]:
    """Connect, and leave no daemon behind when it fails or runs out of time."""
    change = telepresence.connect(s)

    def run() -> object:
        for old in journal.entries("session"):
            if old.data.get("kubeconfig") == str(base.frozen_kubeconfig(s)):
                journal.forget(old)
        entry = journal.record(
            "session",
            context=s.cluster.context,
            namespace=s.cluster.namespace,
            kubeconfig=str(base.frozen_kubeconfig(s)),
        )
        store.made(base.session_folder(s))
        before = {p.pid for p in daemons.ours(s)}
        logs = telepresence_logs.mark()
        try:
            perform(change)
            now = look(s)
            if not now.here:
                raise ToolError(f"telepresence connect ended without an error, and yet: {now.why}", tool="telepresence")
        except (ToolError, SystemExit) as why:
            left = [p for p in daemons.ours(s) if p.pid not in before]
            if left:
                perform(daemons.end(left, "the failed connect left"))
            journal.forget(entry)
            if isinstance(why, ToolError):
                raise _explained(why, logs) from None
            raise
        return now

    return Change(change.text, change.argv, run)


def _explained(error: ToolError, logs: dict[str, int]) -> ToolError:
    """The error with the cause that only the daemons' logs tell, where they tell one."""
    why, fix = telepresence_logs.cause(logs)
    if not why and isinstance(error, TimedOut):
        why = "the API server or the credential plugin gives no answer"
        fix = "inv aks.login, then inv tp.connect; behind a VPN look whether it is up"
    otherwise = _AS_ROOT if _DEAF in error.what else "inv tp.quit, then inv tp.connect"
    return error.reworded(why=why, fix=fix or error.fix or otherwise)


def _elsewhere(s: Settings, session: Session) -> str:
    server = kubeconfig.server_of(s, str(base.frozen_kubeconfig(s)))
    wanted = set(s.cluster.mapped_namespaces or [s.cluster.namespace])
    if session.context and session.context != s.cluster.context:
        return f"connected to the context {session.context}, not {s.cluster.context}"
    if session.namespace != s.cluster.namespace:
        return f"connected to the namespace {session.namespace}, not {s.cluster.namespace}"
    if server and session.server and _plain(session.server) != _plain(server):
        return f"connected to the server {session.server}, not {server}"
    if session.manager_namespace and session.manager_namespace != s.cluster.manager_namespace:
        return f"connected through the manager in {session.manager_namespace}, not {s.cluster.manager_namespace}"
    if session.mapped_namespaces and set(session.mapped_namespaces) != wanted:
        return f"mapped namespaces are {', '.join(session.mapped_namespaces)}, not {', '.join(sorted(wanted))}"
    return ""


def _plain(server: str) -> str:
    """The URL without what means nothing: the last slash and the port of https."""
    return server.rstrip("/").removesuffix(":443")


def _at_stake(now: Look) -> list[str]:
    """Names of intercepts that ending the sessions would lose: those shown, and those of runs that still live."""
    shown = [name for name, _ in now.session.intercepts]
    running = [str(e.data.get("name")) for e in journal.entries("intercept") if e.owner_lives]
    return sorted({*shown, *running}) if (now.session.running or now.orphans) else []


def _beyond_one(found: list[Process]) -> list[Process]:
    """With one session there is one user daemon, and a root daemon; more user daemons are ones that `status` hides."""
    users = [p for p in found if daemons.is_called(p, user=True)]
    return sorted(users, key=lambda p: p.start)[:-1] if len(users) > 1 else []
