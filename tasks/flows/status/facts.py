"""The facts of `inv status`, each looked up by itself; one that cannot be looked up says so and delays nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.core import ports
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.state import journal, timing
from tasks.core.state import store as state

KEPT = "status.json"


@dataclass(frozen=True)
class Fact:
    """section and name say what; state: ok, warn, bad or unknown; at: when it was looked up, epoch seconds."""

    section: str
    name: str
    value: str
    state: str = "ok"
    fix: str = ""
    at: float = field(default_factory=time.time)


Question = Callable[[Settings], Iterator[Fact]]


def gather(s: Settings, questions: tuple[tuple[str, Question], ...]) -> list[Fact]:
    """Ask all questions at once; a Trouble becomes an unknown fact. In the order of the questions."""

    def ask(section: str, question: Question) -> list[Fact]:
        try:
            return list(question(s))
        except Trouble as why:
            return [Fact(section, "", f"could not look: {why.what}", "unknown", why.fix)]

    with ThreadPoolExecutor(max_workers=max(1, len(questions))) as pool:
        asked = [pool.submit(ask, section, question) for section, question in questions]
        return [fact for answer in asked for fact in answer.result()]


def keep(s: Settings, facts: list[Fact]) -> None:
    """Keep them for `inv status --cached`."""
    body = {"schema": 1, "root": s.root, "at": time.time(), "facts": [asdict(f) for f in facts]}
    state.cache(state.folder(KEPT), json.dumps(body))


def tools(s: Settings) -> Iterator[Fact]:
    """Which programs are there, in which version, against the wanted ones."""
    from tasks.flows.setup import tools as step
    from tasks.tools import versions

    for name, pin in step.pins(s).items():
        problem = step.problem(s, name, pin)
        found = versions.installed(s, name) if problem is None else None
        wanted = f"{pin.version}{' or newer' if pin.at_least else ''}"
        if found is not None:
            yield Fact("tools", name, f"{found.version} (wanted {wanted})")
        elif problem is not None:
            state, suffix = ("warn", " (optional)") if pin.optional else ("bad", "")
            yield Fact("tools", name, f"{problem.what}{suffix}", state, problem.fix)


def login(s: Settings) -> Iterator[Fact]:
    """Who is logged in to Azure, and how long the cluster token lives."""
    from tasks.tools import az

    account = az.account(s)
    yield Fact("login", "account", f"{account.user}, {account.subscription_name or account.subscription}")
    left = az.token_expiry(s) - time.time()
    yield Fact(
        "login",
        "token",
        f"good for {left / 60:.0f} min" if left > 0 else "expired",
        "ok" if left > 300 else "warn",
        "" if left > 300 else "inv aks.login",
    )


def place(s: Settings) -> Iterator[Fact]:
    """Where the settings point, and which of them are overridden from where."""
    yield Fact("target", "context", f"{s.cluster.context}, namespace {s.cluster.namespace}")
    for key, origin in sorted(s.origins.items()):
        yield Fact("target", key, f"overridden by {origin}")


def session(s: Settings) -> Iterator[Fact]:
    """The Telepresence session and what it intercepts."""
    from tasks.flows import session as sessions

    now = sessions.look(s)
    if now.here:
        yield Fact(
            "session",
            "",
            f"connected to {now.session.context}, namespace {now.session.namespace}, client {now.session.client_version}",
        )
    else:
        yield Fact("session", "", now.why, "warn" if now.session.running else "ok", "inv tp.connect")
    for name, client in now.session.intercepts:
        yield Fact("intercepts", name, f"held by {client}")


def made(s: Settings) -> Iterator[Fact]:
    """What this workstation made and has not undone; what a killed run left is named as such."""
    for entry in journal.entries():
        if entry.kind == "session":
            continue
        name = str(entry.data.get("name") or entry.data.get("release") or entry.id)
        if entry.kind == "release":  # it outlives the run that made it, as it should
            yield Fact("made here", name, "release of Tilt, kept until inv tilt.down")
        elif entry.owner_lives:
            port = int(entry.data.get("local_port") or 0)
            listens = f", port {port}: {ports.owner(port) or 'nobody listens'}" if port else ""
            yield Fact("running", name, f"{entry.kind} of pid {entry.pid}{listens}")
        elif entry.data.get("keep"):
            yield Fact("made here", name, f"{entry.kind}, kept until inv leave")
        else:
            yield Fact(
                "left behind", name, f"{entry.kind} of a run that was killed (pid {entry.pid})", "warn", "inv down"
            )


def setup(s: Settings) -> Iterator[Fact]:
    """How the steps of `inv setup` ended when they were last run."""
    from tasks.flows.setup.cli import last

    kept = last()
    if not kept:
        yield Fact("setup", "", "never run here", "warn", "inv setup")
        return
    still_open = {key: step for key, step in kept.items() if step.get("state") != "done"}
    for key, step in still_open.items():
        yield Fact("setup", key, f"{step['state']}: {step['note']}", "bad", step["fix"], float(step["at"]))
    if not still_open:
        newest = max(float(step["at"]) for step in kept.values())
        yield Fact("setup", "", f"all {len(kept)} steps done", at=newest)


def budgets(s: Settings) -> Iterator[Fact]:
    """The newest measured times against the budgets."""
    for what, budget in (
        ("setup", s.budgets.setup),
        ("connect", s.budgets.connect),
        ("intercept", s.budgets.intercept),
    ):
        kept = timing.kept(what)
        if kept:
            newest: dict[str, Any] = kept[-1]
            seconds = float(newest.get("seconds", 0))
            yield Fact(
                "times",
                what,
                f"{seconds:.1f} s of {budget:g} s",
                "ok" if seconds <= budget else "warn",
                at=float(newest.get("at", 0)),
            )


QUESTIONS: tuple[tuple[str, Question], ...] = (
    ("target", place),
    ("tools", tools),
    ("login", login),
    ("session", session),
    ("made here", made),
    ("setup", setup),
    ("times", budgets),
)
