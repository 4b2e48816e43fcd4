"""Docker is logged in to the registry."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.errors import Absent, Blocked, TimedOut, ToolError
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.core.state import store
from tasks.flows.setup.work import Work
from tasks.tools import az, docker

_LIVES = 2.5 * 3600  # seconds: a login to ACR lives 3 hours; asked only where a helper hides its end
_SKIP = "or go on without images: inv setup --skip registry"


def plan(work: Work) -> Iterator[Change[object]]:
    """Whether the login lives is read from Docker's own file; the engine is asked only before a login."""
    s = work.settings
    login = docker.login(s.registry.host)
    if login.alive:
        work.notes["registry"] = f"{s.registry.host}, for {(login.expires - time.time()) / 60:.0f} min"
        return
    if s.registry.kind == "docker":
        if not login.present and not login.helper:
            raise Blocked(f"Docker is not logged in to {s.registry.host}", fix=f"docker login {s.registry.host}")
        work.notes["registry"] = f"{s.registry.host}, with what `docker login` has"
        return
    if login.helper and login.present and time.time() - _remembered(s) < _LIVES:
        return
    try:
        docker.engine(s)
    except Absent as why:
        raise Blocked(
            why.what, why="az acr login needs the Docker client and engine", fix=f"{why.fix}; {_SKIP}"
        ) from None
    except TimedOut:
        raise
    except ToolError as why:
        raise Blocked(
            why.what, why=why.why or "no Docker engine answers", fix=f"{why.fix or 'start Docker'}; {_SKIP}"
        ) from None
    change = az.registry_login(s)

    def run() -> None:
        change.run()
        store.cache(_memory(), json.dumps({"host": s.registry.host, "at": time.time()}))

    yield Change(change.text, change.argv, run)


def _memory() -> Path:
    return store.folder("registry.json")


def _remembered(s: Settings) -> float:
    try:
        found = json.loads(store.read(_memory()) or "{}")
        return float(found["at"]) if found.get("host") == s.registry.host else 0.0
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0.0


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    if s.registry.kind == "docker":
        return (f"docker login {s.registry.host}",)
    return (az.registry_login(s).command,)


STEP: Step[Work] = Step(
    "registry", "Docker is logged in to the registry", plan, needs=("login",), after=("credentials",)
)
