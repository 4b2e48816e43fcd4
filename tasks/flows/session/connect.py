"""Connect to the place of the settings: what is missing for it, and what a switch would lose."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, Problem, Refused, TimedOut, ToolError, Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.process.processes import Process
from tasks.core.state import journal, store, timing
from tasks.flows.session import daemons, tunnel
from tasks.tools import api_server, base, kubeconfig, telepresence
from tasks.tools.telepresence import Session
from tasks.tools.telepresence import logs as telepresence_logs

# For up to 6 s after a daemon was killed 2.31 still counts on it (its file in ~/.cache/telepresence/daemons is stale
# only then), and connect fails with "user daemon is not running".
_KILLED_DAEMON_IS_KNOWN = 6.5  # seconds
_CONNECTING = 0.5  # seconds between two questions about a session that another command opens
_TRIES = 3  # of a connect that meets daemons of an earlier session


@dataclass(frozen=True)
class Look:
    """The session as it is."""

    session: Session

    here: bool
    """Connected to the place of the settings."""

    why: str = ""
    """Why it is not `here`, for people."""

    orphans: tuple[Process, ...] = ()
    """Daemons that `status` does not know of, or cannot reach."""

    problem: Problem | None = None
    """Why the API server cannot be reached. With a session open: it carries nothing now, whatever `status` says."""

    daemon: Process | None = None
    """The session's user daemon; None when it was not started with the session's kubeconfig."""

    @property
    def is_enough(self) -> bool:
        """Is there nothing to do before an intercept?"""
        return self.here and not self.orphans

    @property
    def unresponsive(self) -> bool:
        """Is there a daemon, while `status` says that none is running?"""
        return bool(self.orphans) and not self.session.running


def look(s: Settings) -> Look:
    """Ask `status`, compare with the settings, and find daemons that `status` does not know as processes."""
    try:
        session = telepresence.status(s)
    except api_server.Unreachable as why:
        found = api_server.cause(s) or why.problem
        return Look(Session(), False, found.what, tuple(daemons.ours(s)), found)
    running = tuple(daemons.ours(s))
    problem = api_server.cause(s) if session.running or running else None
    return replace(_compared(s, session, running), problem=problem)


def settled(s: Settings, now: Look | None = None) -> Look:
    """Look, and wait for a session that another command is about to open. now: a look of a moment ago."""
    now = now or look(s)
    if not now.session.connecting:
        return now
    ui.talk("   another command is connecting; waiting for it")
    end = time.monotonic() + s.deadlines.connect
    while now.session.connecting and time.monotonic() < end:
        time.sleep(_CONNECTING)
        now = look(s)
    return now


def _compared(s: Settings, session: Session, running: tuple[Process, ...]) -> Look:
    if session.sessions > 1:
        return Look(session, False, "several daemons are running", running)
    if not session.running:
        why = "a daemon is running, but does not answer" if running else "not connected"
        return Look(session, False, why, running)
    if session.connecting:
        return Look(session, False, "connecting: another command opens the session now")
    if not session.connected:
        return Look(session, False, session.error or f"the daemon says: {session.state or 'not connected'}", running)
    difference = _difference(s, session)
    user_daemons = _user_daemons_by_age(running)
    own = user_daemons[-1] if user_daemons else None
    return Look(session, not difference, difference, tuple(user_daemons[:-1]), daemon=own)


def still_holds(s: Settings, now: Look) -> bool:
    """Is a session that was open when it was seen still the one? Asks no program.

    Another terminal ends the daemon when it quits or connects to another place, and may write the kubeconfig again.
    """
    lives = now.daemon is not None and now.daemon.lives
    return now.is_enough and lives and not _difference(s, now.session)


def connect_changes(s: Settings, *, yes: bool = False, now: Look | None = None) -> Iterator[Change[object]]:
    """Yield what is missing for a session to the place of the settings; nothing when it is open.

    now: a look of a moment ago, which is not repeated

    Raises Blocked without a kubeconfig, Refused when intercepts elsewhere would be lost (unless `yes`), Unreachable
    when the API server cannot be reached.
    """
    base.must_be_installed(s, "kubectl", "telepresence")
    freeze = kubeconfig.freeze(s)
    now = settled(s, now)
    if now.is_enough:
        return
    if now.problem:
        raise api_server.unreachable(now.problem, name="telepresence connect", tool="telepresence")
    at_stake = _at_stake(now)
    if at_stake and not yes:
        raise Refused(
            f"connected elsewhere ({now.why}), with {', '.join(at_stake)} intercepted",
            why="a switch would end these intercepts",
            fix="inv leave; or inv tp.connect --yes switches and loses them",
        )
    if freeze is not None:
        yield freeze
    if now.session.running:
        yield telepresence.quit(s)
    if now.orphans:
        yield daemons.end(now.orphans, "does not answer")
    yield _connect_change(s)


def prepare(s: Settings, *, dry: bool = False) -> bool:
    """Write the session kubeconfig from the user's, before the first question to the cluster. Returns whether it changed.

    Raises Blocked when the user's kubeconfig does not have the context; in a dry run also when the file is missing.
    """
    base.must_be_installed(s, "kubectl")
    change = kubeconfig.freeze(s)
    if change is None:
        return False
    if dry:
        raise Blocked("the session kubeconfig does not exist yet", fix="inv tp.connect writes it, or inv setup")
    perform(change)
    return True


def allowed(s: Settings, *, dry: bool) -> None:
    """Ask the guard about the place of the settings. In a dry run nothing is written for that.

    Raises Refused for production and for a target that cannot be looked at, Blocked when the user's kubeconfig does
    not have the context.
    """
    base.must_be_installed(s, "kubectl", "telepresence")
    change = kubeconfig.freeze(s)
    if change is None:
        guard.assess(s)
    elif dry:
        with kubeconfig.private(kubeconfig.through_az(s, kubeconfig.wanted_context(s))) as file:
            guard.assess(s, kubeconfig=file)
    else:
        perform(change)
        guard.assess(s)


def ensure(s: Settings, *, yes: bool = False, guarded: bool = False, now: Look | None = None) -> float:
    """Be connected to the place of the settings. Returns the seconds that it took; 0 when it was connected already.

    guarded: the guard was asked a moment ago. It is asked again when the kubeconfig has changed since.
    now: a look of a moment ago; an open session in it is enough while its daemon runs

    A lost session is reconnected once; the intercepts it held come back with the same parameters. Of several runs
    that need a session one connects; the others wait, and find it open.
    """
    if now is not None and still_holds(s, now):
        return 0.0
    began = time.monotonic()
    with ExitStack() as held:
        alone = _takes_free_lock(held)
        changes = list(connect_changes(s, yes=yes))
        if not changes:
            return 0.0
        if not alone:
            held.enter_context(store.lock("session", wait=s.deadlines.connect))
        # Before the guard looks: what it assesses is what Telepresence gets.
        if prepare(s) or not alone:
            changes = list(connect_changes(s, yes=yes))
        if changes:  # else another run has connected meanwhile
            _connect(s, changes, began, guarded=guarded)
        return time.monotonic() - began


def _takes_free_lock(held: ExitStack) -> bool:
    """Take the lock of the session if it is free, so that what is seen holds until the connect."""
    try:
        held.enter_context(store.lock("session", wait=0))
    except Trouble:  # another run has it, or the state folder may not be written: an open session needs no lock
        return False
    return True


def mine(s: Settings) -> tuple[str, ...]:
    """Return the names of this client's intercepts in the open session; empty without one."""
    now = look(s)
    return tuple(name for name, _ in now.session.intercepts) if now.here else ()


def _connect(s: Settings, changes: list[Change[object]], began: float, *, guarded: bool) -> None:
    was_open = bool(journal.entries("session"))
    if not guarded or guard.outdated(s):
        guard.assess(s)
    _perform(changes)
    if was_open:
        ui.talk("the session was lost; reconnected")
    timing.keep_if_possible("connect", time.monotonic() - began)


def _perform(changes: list[Change[object]]) -> None:
    for change in changes:
        ui.progress("running", "connect", change.text)
        perform(change)


def _connect_change(s: Settings) -> Change[Look]:
    """Connect, and leave no daemon behind when that fails or runs out of time."""
    connect = telepresence.connect(s)

    def run() -> Look:
        entry = _record_session(s)
        store.made(base.session_folder(s))
        before = {p.pid for p in daemons.everything(s)}
        logs = telepresence_logs.mark()
        with ThreadPoolExecutor(max_workers=1) as beside:
            hosts = beside.submit(tunnel.hosts, s)
            try:
                _open(s, connect)
                now = _must_be_here(settled(s))
                tunnel.must_carry(hosts.result())
                if guard.outdated(s):  # another run has written the kubeconfig meanwhile
                    guard.assess(s)
                return now
            except (ToolError, Refused, SystemExit) as why:
                started = [p for p in daemons.everything(s) if p.pid not in before]
                if started:
                    perform(daemons.end(started, "the failed connect left behind"))
                journal.forget(entry)
                if isinstance(why, ToolError):
                    raise _explained(why, logs) from None
                raise

    return Change(connect.text, connect.argv, run)


def _record_session(s: Settings) -> journal.Entry:
    """Replace the journal's entry of this session, before it is opened."""
    file = str(base.frozen_kubeconfig(s))
    for old in daemons.recorded(s):
        journal.forget(old)
    return journal.record("session", context=s.cluster.context, namespace=s.cluster.namespace, kubeconfig=file)


def _open(s: Settings, connect: Change[None]) -> None:
    """Connect; again when daemons of an earlier session are in the way."""
    for left in reversed(range(_TRIES)):
        try:
            perform(connect)
            return
        except telepresence.DaemonNotRunning:
            if not left:
                raise
            ui.talk("   Telepresence has not noticed yet that its daemon was killed; trying once more in some seconds")
            time.sleep(_KILLED_DAEMON_IS_KNOWN)
        except telepresence.RootDaemonBusy:
            if not left:
                raise
            ui.talk("   Telepresence's root daemon keeps the earlier session; ending it and trying once more")
            _end_daemons(s)


def _end_daemons(s: Settings) -> None:
    perform(telepresence.quit(s))
    if found := daemons.everything(s):
        perform(daemons.end(found, "keeps the earlier session"))


def _must_be_here(now: Look) -> Look:
    if now.here:
        return now
    doubt = tunnel.doubt() if not now.session.running else None
    raise ToolError(
        f"telepresence connect ended without an error, but: {now.why}",
        tool="telepresence",
        why=doubt.what if doubt else "",
        fix=doubt.fix if doubt else "",
    )


def _explained(error: ToolError, logs: dict[str, int]) -> ToolError:
    """Return the error with the cause, which may be in the daemons' logs only."""
    why, fix = telepresence_logs.cause(logs)
    if not why and isinstance(error, TimedOut):
        why = "the API server or the credential plugin does not answer"
        fix = "inv aks.login, then inv tp.connect; behind a VPN check that it is up"
    return error.reworded(why=why, fix=fix or error.fix or "inv tp.quit, then inv tp.connect")


def _difference(s: Settings, session: Session) -> str:
    """Say in what the session differs from the settings; empty when it does not. What `status` omits is not compared."""
    cluster = s.cluster
    server = kubeconfig.server_of(s, str(base.frozen_kubeconfig(s)))
    wanted = set(cluster.mapped_namespaces or [cluster.namespace])
    mapped = session.mapped_namespaces
    differences = (
        (
            _differ(session.context, cluster.context),
            f"connected to the context {session.context}, not {cluster.context}",
        ),
        (
            session.namespace != cluster.namespace,
            f"connected to the namespace {session.namespace}, not {cluster.namespace}",
        ),
        (
            _differ(_normal_url(session.server), _normal_url(server)),
            f"connected to the server {session.server}, not {server}",
        ),
        (
            _differ(session.manager_namespace, cluster.manager_namespace),
            f"connected through the manager in {session.manager_namespace}, not {cluster.manager_namespace}",
        ),
        (
            bool(mapped) and set(mapped) != wanted,
            f"mapped namespaces are {', '.join(mapped)}, not {', '.join(sorted(wanted))}",
        ),
    )
    return next((text for differs, text in differences if differs), "")


def _differ(actual: str, wanted: str) -> bool:
    """Are both known, and different?"""
    return bool(actual and wanted) and actual != wanted


def _normal_url(server: str) -> str:
    """Return the URL without a final slash and without https's default port."""
    return server.rstrip("/").removesuffix(":443")


def _at_stake(now: Look) -> list[str]:
    """Return the intercepts that would be lost with the sessions: the listed ones, and those of runs still alive."""
    listed = [name for name, _ in now.session.intercepts]
    running = [str(e.data.get("name")) for e in journal.entries("intercept") if e.owner_lives]
    return sorted({*listed, *running}) if (now.session.running or now.orphans) else []


def _user_daemons_by_age(running: Sequence[Process]) -> list[Process]:
    """Return the user daemons. A session has exactly one, the newest; `status` does not list the others."""
    return sorted((p for p in running if daemons.is_daemon(p, user_only=True)), key=lambda p: p.start)
