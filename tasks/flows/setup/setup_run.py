"""One run of setup: its options, and the answers that several steps need."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tasks.checks import guard
from tasks.checks.guard import Target
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, Problem, ToolError, Trouble
from tasks.flows import session
from tasks.flows.setup.lazy import Lazy
from tasks.tools import az, capabilities, credentials, kubectl, telepresence
from tasks.tools import kubeconfig as kc
from tasks.tools.az import cluster as az_cluster
from tasks.tools.az import fetched
from tasks.tools.kubeconfig import Context

_MOMENT = 1.0  # second; a connect takes longer


@dataclass
class SetupRun:
    """The context of the setup steps. Answers that take a second are fetched once, as early as possible."""

    settings: Settings

    force: bool = False
    """Fetch the credentials even if the kubeconfig has them."""

    relogin: bool = False
    """Log in even if the present login works."""

    yes: bool = False
    """Allow changes that destroy something."""

    login_mode: str = ""
    """How to log in; empty for the mode in the settings."""

    remarks: dict[str, str] = field(default_factory=dict)
    """Step key to what the step reports although it is done."""

    skipped: set[str] = field(default_factory=set)
    """Keys of the steps that have nothing to do here; the remark says why."""

    problems: dict[str, list[Problem]] = field(default_factory=dict)
    """Step key to the single problems, where a step is blocked by several."""

    def skip(self, key: str, why: str) -> None:
        """Report that the step has nothing to do here."""
        self.skipped.add(key)
        self.remarks[key] = why

    def __post_init__(self) -> None:
        self.fetched_context = Lazy(lambda: fetched.context(self.settings))
        self.shown_cluster = Lazy(lambda: az_cluster.show(self.settings))
        self.seen_session = Lazy(lambda: session.settled(self.settings))
        self.fresh_login = False
        self._looked_early: float | None = None
        self._telepresence_help = Lazy(lambda: load_telepresence_help(self.settings))
        self._targets: dict[str, Lazy[Target]] = {}
        self._lock = threading.Lock()

    def prefetch(self) -> None:
        """Start the slow reads while the login is tested. Does nothing when nobody is logged in."""
        if not az.accounts():
            return
        with suppress(Blocked):  # the step reports it
            present = kc.load().context(self.settings.cluster.context)
            if present is None or self.force:
                self.fetched_context.start()  # first: the whole run waits for it
                self.shown_cluster.start()
            else:
                self._target(session_context(self.settings, present)).start()
        self._telepresence_help.start()

    def look_early(self) -> None:
        """Look at the session while the guard looks at the target."""
        self._looked_early = time.monotonic()
        self.seen_session.start()

    def session_to_connect(self) -> session.Look:
        """Return the session as it is under the lock of the step.

        An early look counts only for a moment, and only when there was nothing: daemons that another run has just
        started look like abandoned ones.
        """
        early, self._looked_early = self._looked_early, None
        if early is not None and not (self._saw_nothing() and time.monotonic() - early < _MOMENT):
            self.seen_session.invalidate()
        return self.seen_session.get()

    def _saw_nothing(self) -> bool:
        """Is there neither a session nor a daemon, nor a reason to doubt that?"""
        try:
            now = self.seen_session.get()
        except Trouble:
            return False
        return not (now.session.running or now.orphans or now.problem)

    def stop(self) -> None:
        """End the reads that are still running."""
        self.seen_session.stop()
        self.fetched_context.stop()
        self.shown_cluster.stop()
        self._telepresence_help.stop()
        for target in list(self._targets.values()):
            target.stop()

    def logged_in(self) -> None:
        """Invalidate the answers from before a new login."""
        self.fresh_login = True
        self.fetched_context.invalidate()
        self.shown_cluster.invalidate()
        with self._lock:
            self._targets.clear()

    def checked_target(self, context: Context) -> Target:
        """Return the target of this context if the guard allows it.

        Raises Refused, which ends the run before any write, for production and when the cluster denies the look.
        Raises Blocked when the cluster does not answer: steps that do not need it go on.
        """
        try:
            return self._target(context).get()
        except guard.UnknownTarget as why:
            if isinstance(why.cause, kubectl.Forbidden):
                raise
            raise blocked(why) from None

    @property
    def cluster_answered(self) -> bool:
        """True when the cluster has answered in this run."""
        with self._lock:
            return any(target.succeeded for target in self._targets.values())

    def _target(self, context: Context) -> Lazy[Target]:
        key = kc.rendered(context)
        with self._lock:
            return self._targets.setdefault(key, Lazy(lambda: assess_target(self.settings, context)))


def load_telepresence_help(s: Settings) -> None:
    """Read which flags Telepresence has, before a session waits for the answer. Its own step reports failures."""
    try:
        for command in ("status", "connect"):
            capabilities.flags(telepresence.tool(s), command)
    except ToolError:
        return


def assess_target(s: Settings, context: Context) -> Target:
    """Let the guard assess the target of this context, through a private file: nothing else is written before."""
    with kc.private(credentials.in_private(s, context)) as file:
        return guard.assess(s, kubeconfig=file)


def session_context(s: Settings, context: Context) -> Context:
    """Return the context as the session uses it: in the namespace of the settings, with its token from az."""
    return replace(kc.through_az(s, context), namespace=s.cluster.namespace)


def blocked(why: Trouble) -> Blocked:
    """Return the trouble as one that blocks a step and does not end the run. A refusal keeps its exit code."""
    return Blocked(why.what, why=why.why, fix=why.fix, code=why.problem.code)
