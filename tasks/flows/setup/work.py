"""What the setup steps share in one run: answers that take a second are asked for once, and early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from tasks.checks import guard
from tasks.checks.guard import Target
from tasks.core.config.settings import Settings
from tasks.core.errors import REFUSED, Blocked, Refused, ToolError, Trouble
from tasks.core.process.running import end_running
from tasks.core.yaml import nodes
from tasks.tools import az, capabilities, kubectl, telepresence
from tasks.tools import kubeconfig as kc
from tasks.tools.kubeconfig import Context

Answer = TypeVar("Answer")


class Once(Generic[Answer]):
    """An answer that is asked for once, at the latest when it is wanted; several threads may want it."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask, self._lock = ask, threading.Lock()
        self._future: Future[Answer] | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Ask in the background. The thread ends with its question, and the question has a deadline."""
        future, new = self._begun()
        if new:
            self._thread = threading.Thread(target=self._answer, args=(future,), daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Wait for a question that nobody wants any more; what it runs is told to end."""
        if self._thread is not None and self._thread.is_alive():
            end_running()
            self._thread.join(5.0)

    def get(self) -> Answer:
        """The answer; raises what asking raised."""
        future, new = self._begun()
        if new:
            self._answer(future)
        return future.result()

    @property
    def succeeded(self) -> bool:
        """Is there an answer?"""
        with self._lock:
            return self._future is not None and self._future.done() and self._future.exception() is None

    def forget(self) -> None:
        """Ask anew the next time: something has changed."""
        with self._lock:
            self._future = None

    def _begun(self) -> tuple[Future[Answer], bool]:
        with self._lock:
            if self._future is not None:
                return self._future, False
            self._future = Future()
            return self._future, True

    def _answer(self, future: Future[Answer]) -> None:
        try:
            future.set_result(self._ask())
        except BaseException as why:
            future.set_exception(why)


@dataclass
class Work:
    """One run of setup.

    settings: of the run; force: fetch the credentials anew; relogin: log in whatever there is; yes: what would be lost
    is confirmed; way: how to log in, empty for the settings' own; notes: what a step says although nothing is missing,
    by its key.
    """

    settings: Settings
    force: bool = False
    relogin: bool = False
    yes: bool = False
    way: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fetched = Once(lambda: fetch(self.settings))
        self.helped = Once(lambda: ask_help(self.settings))
        self.fresh_login = False
        self._verdicts: dict[str, Once[Target]] = {}
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Ask for what will be wanted, at the same time as the login is tested. Reads only; nothing when logged out."""
        if not az.accounts():
            return
        self.helped.begin()
        try:
            have = kc.load().context(self.settings.cluster.context)
            if have is None or self.force:
                self.fetched.begin()
            else:
                self._verdict(wanted(self.settings, have)).begin()
        except Blocked:
            return  # the step says it

    def end(self) -> None:
        """Nothing that was asked in the background outlives the run."""
        self.fetched.end()
        self.helped.end()
        for verdict in list(self._verdicts.values()):
            verdict.end()

    def logged_in(self) -> None:
        """A new login was made: what was answered before it counts no more."""
        self.fresh_login = True
        self.fetched.forget()
        with self._lock:
            self._verdicts.clear()

    def verdict(self, context: Context) -> Target:
        """The target behind this context, when it may be touched. Raises Refused, which ends the run before any write,
        for production and for what the cluster does not let us look at; Blocked when it cannot be reached: steps that
        touch nothing of it go on."""
        try:
            return self._verdict(context).get()
        except guard.Unknown as why:
            if isinstance(why.cause, kubectl.Forbidden):
                raise
            raise Blocked(why.what, why=why.why, fix=why.fix, code=REFUSED) from None

    @property
    def reached(self) -> bool:
        """Has the cluster answered in this run?"""
        with self._lock:
            return any(verdict.succeeded for verdict in self._verdicts.values())

    def _verdict(self, context: Context) -> Once[Target]:
        key = kc.rendered(context)
        with self._lock:
            return self._verdicts.setdefault(key, Once(lambda: ask_guard(self.settings, context)))


def ask_help(s: Settings) -> None:
    """Learn what this Telepresence can do before a session waits for it; what it cannot be asked, its step says."""
    try:
        for command in ("status", "connect"):
            capabilities.flags(telepresence.tool(s), command)
    except ToolError:
        return


def ask_guard(s: Settings, context: Context) -> Target:
    """The guard's verdict, asked with this context from a private file: nothing else is written before it."""
    with kc.private(context) as file:
        return guard.assess(s, kubeconfig=file)


def wanted(s: Settings, context: Context) -> Context:
    """The context as the session uses it: in the settings' namespace, with its token from az."""
    return replace(kc.through_az(s, context), namespace=s.cluster.namespace)


def fetch(s: Settings) -> Context:
    """The cluster's context as Azure gives it, under the settings' name and in their namespace. No file is touched."""
    content = az.cluster_credentials(s)
    found = kc.parse(content, "what az aks get-credentials printed")
    context = found.context(found.current) or next(
        (c for name in found.names("contexts") if (c := found.context(name)) is not None), None
    )
    if context is None or not context.server:
        raise ToolError(
            "az aks get-credentials ended without an error, and printed no kubeconfig",
            tool="az",
            exit=0,
            fix=f"az aks get-credentials {' '.join(az.credentials_args(s)[2:])}",
        )
    if nodes.find(context.user_body, "auth-provider") is not None:
        raise Blocked(
            "the cluster gives a kubeconfig for the auth plugin that kubectl no longer has",
            fix="ask the platform team for an AAD-integrated cluster (kubelogin)",
        )
    name = s.cluster.context
    return replace(context, name=name, cluster=name, namespace=s.cluster.namespace)


def refusal(why: Trouble) -> Blocked:
    """A refusal that stops one step and not the whole run, with its exit code."""
    return Blocked(why.what, why=why.why, fix=why.fix, code=REFUSED if isinstance(why, Refused) else 1)
