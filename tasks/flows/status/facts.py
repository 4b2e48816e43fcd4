"""The facts of `inv status`. Each is looked up by itself: one that cannot be looked up says so and delays no other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tasks.core import ports
from tasks.core.config.settings import Settings
from tasks.core.errors import Problem, Trouble
from tasks.core.plan import steps
from tasks.core.state import journal, timing
from tasks.core.state import store as state
from tasks.core.state.journal import Entry

KEPT = "status.json"
_SOON = 300  # seconds that a token should be valid


class State(StrEnum):
    """How good a fact is. `tasks/core/state/cached_status.py` prints a mark for each."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"  # could not be looked up


@dataclass(frozen=True)
class Fact:
    """One line of `inv status`: a value, or a problem with its fix."""

    section: str
    name: str
    value: str = ""
    state: State = State.OK

    problem: Problem | None = None
    """What is wrong; None for a fact that is as it should be."""

    at: float = field(default_factory=time.time)
    """When it was looked up, seconds since the epoch."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "section": self.section,
            "name": self.name,
            "value": self.problem.what if self.problem else self.value,
            "state": str(self.state),
            "fix": self.problem.fix if self.problem else "",
            "at": self.at,
        }


Question = Callable[[Settings], Iterator[Fact]]


def gather(s: Settings, questions: tuple[tuple[str, Question], ...]) -> list[Fact]:
    """Ask all questions at once and return the facts in the questions' order. A Trouble becomes an unknown fact."""

    def ask(section: str, question: Question) -> list[Fact]:
        try:
            return list(question(s))
        except Trouble as why:
            problem = Problem(f"could not look: {why.what}", fix=why.fix)
            return [Fact(section, "", state=State.UNKNOWN, problem=problem)]

    with ThreadPoolExecutor(max_workers=max(1, len(questions))) as pool:
        asked = [pool.submit(ask, section, question) for section, question in questions]
        return [fact for answer in asked for fact in answer.result()]


def keep(s: Settings, documents: list[dict[str, Any]]) -> None:
    """Keep the facts for `inv status --cached`."""
    body = {"schema": 1, "root": s.root, "at": time.time(), "facts": documents}
    state.cache(state.folder(KEPT), json.dumps(body))


def tools(s: Settings) -> Iterator[Fact]:
    """Which programs are installed, in which version, against the wanted ones."""
    from tasks.flows.setup import tools as step
    from tasks.tools import versions

    for name, pin in step.pins(s).items():
        problem = step.problem(s, name, pin)
        installed = versions.installed(s, name) if problem is None else None
        if installed is not None:
            wanted = f"{pin.version}{' or newer' if pin.at_least else ''}"
            yield Fact("tools", name, f"{installed.version} (wanted {wanted})")
        elif problem is not None and pin.optional:
            yield Fact("tools", name, state=State.WARN, problem=replace(problem, what=f"{problem.what} (optional)"))
        elif problem is not None:
            yield Fact("tools", name, state=State.BAD, problem=problem)


def login(s: Settings) -> Iterator[Fact]:
    """Who is logged in to Azure, and how long the cluster token is valid."""
    from tasks.tools import api_server, az, credentials

    account = az.account(s)
    yield Fact("login", "account", f"{account.user}, {account.subscription_name or account.subscription}")
    try:
        expires = api_server.ask(s, lambda limit: credentials.expiry(s, limit), name="az account get-access-token")
    except api_server.Unreachable as why:  # az may wait for the same network
        yield Fact("login", "token", state=State.UNKNOWN, problem=why.problem)
        return
    seconds = expires - time.time()
    text = f"good for {seconds / 60:.0f} min" if seconds > 0 else "expired"
    if problem := api_server.cause(s):
        untried = Problem(f"{text}, but not tried: {problem.what}", fix=problem.fix)
        yield Fact("login", "token", state=State.UNKNOWN, problem=untried)
    elif seconds > _SOON:
        yield Fact("login", "token", text)
    else:
        yield Fact("login", "token", state=State.WARN, problem=Problem(text, fix="inv aks.login"))


def target(s: Settings) -> Iterator[Fact]:
    """Where the settings point, and which of them are overridden from where."""
    yield Fact("target", "context", f"{s.cluster.context}, namespace {s.cluster.namespace}")
    for key, origin in sorted(s.origins.items()):
        yield Fact("target", key, f"overridden by {origin}")


def session(s: Settings) -> Iterator[Fact]:
    """The Telepresence session and what it intercepts."""
    from tasks.flows import session as sessions

    now = sessions.look(s)
    connection = now.session
    place = f"{connection.context}, namespace {connection.namespace}, client {connection.client_version}"
    if now.problem:
        what = f"open to {place}, but {now.problem.what}" if now.here else f"does not answer: {now.problem.what}"
        yield Fact("session", "", state=State.BAD, problem=Problem(what, fix=now.problem.fix))
    elif now.here:
        yield Fact("session", "", f"connected to {place}")
    else:
        # Not to be connected is fine. A daemon that is connected elsewhere, or does not answer, is not.
        how_bad = State.WARN if now.session.running else State.OK
        yield Fact("session", "", state=how_bad, problem=Problem(now.why, fix="inv tp.connect"))
    for name, client in now.session.intercepts:
        yield Fact("intercepts", name, f"held by {client}")


def made(s: Settings) -> Iterator[Fact]:
    """What this workstation made and has not undone, and what a killed run left behind."""
    for entry in journal.entries():
        if entry.kind != "session":
            yield _made(entry)


def setup(s: Settings) -> Iterator[Fact]:
    """How the steps of `inv setup` ended in the last run."""
    from tasks.flows.setup.cli import last

    kept = last()
    if not kept:
        yield Fact("setup", "", state=State.WARN, problem=Problem("never run here", fix="inv setup"))
        return
    not_done = {key: step for key, step in kept.items() if step.get("state") != steps.State.DONE}
    for key, step in not_done.items():
        # Not the state of now, so only a warning: what the other sections say is newer, see `last_setup`.
        problem = Problem(f"{step['state']} in the last run: {step['note']}", fix=step["fix"])
        yield Fact("setup", key, state=State.WARN, problem=problem, at=float(step["at"]))
    if not not_done:
        newest = max(float(step["at"]) for step in kept.values())
        skipped = [key for key, step in kept.items() if step.get("skipped")]
        done = f"{len(kept) - len(skipped)} steps done, skipped: {', '.join(skipped)}"
        yield Fact("setup", "", done if skipped else f"all {len(kept)} steps done", at=newest)


def budgets(s: Settings) -> Iterator[Fact]:
    """The newest measured times against the budgets."""
    limits = {"setup": s.budgets.setup, "connect": s.budgets.connect, "intercept": s.budgets.intercept}
    for what, budget in limits.items():
        kept = timing.kept(what)
        if kept:
            seconds, at = float(kept[-1].get("seconds", 0)), float(kept[-1].get("at", 0))
            how_good = State.OK if seconds <= budget else State.WARN
            yield Fact("times", what, f"{seconds:.1f} s of {budget:g} s", how_good, at=at)


def _made(entry: Entry) -> Fact:
    name = str(entry.data.get("name") or entry.data.get("release") or entry.id)
    if entry.kind == "release":  # outlives the run that made it, as it should
        return Fact("made here", name, "release of Tilt, kept until inv tilt.down")
    if entry.owner_lives:
        return Fact("running", name, f"{entry.kind} of pid {entry.pid}{_listens(entry)}")
    if entry.data.get("keep"):
        return Fact("made here", name, f"{entry.kind}, kept until inv leave")
    problem = Problem(f"{entry.kind} of a killed run (pid {entry.pid})", fix="inv down")
    return Fact("left behind", name, state=State.WARN, problem=problem)


def _listens(entry: Entry) -> str:
    port = int(entry.data.get("local_port") or 0)
    return f", port {port}: {ports.owner(port) or 'nothing listens'}" if port else ""


QUESTIONS: tuple[tuple[str, Question], ...] = (
    ("target", target),
    ("tools", tools),
    ("login", login),
    ("session", session),
    ("made here", made),
    ("setup", setup),
    ("times", budgets),
)
