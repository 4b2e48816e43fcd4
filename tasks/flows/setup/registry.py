"""Docker is logged in to the registry."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tasks.core import strict_json
from tasks.core.config.settings import Settings
from tasks.core.errors import Absent, Blocked, TimedOut, ToolError
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.core.state import store
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import az, docker

_ACR_LOGIN_LASTS = 2.5 * 3600  # seconds; really 3 hours. Used where a credential helper hides the expiry.
_SKIP = "or go on without images: inv setup --skip registry"


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Read the expiry of the login from Docker's own file. Ask the engine only before a new login."""
    s = setup.settings
    login = docker.login(s.registry.host)
    if login.alive:
        setup.remarks["registry"] = f"{s.registry.host}, for {(login.expires - time.time()) / 60:.0f} min"
    elif s.registry.kind == "docker":
        if not login.present and not login.helper:
            raise Blocked(f"Docker is not logged in to {s.registry.host}", fix=f"docker login {s.registry.host}")
        setup.remarks["registry"] = f"{s.registry.host}, with the login of `docker login`"
    elif not (login.helper and login.present and time.time() - _last_login(s) < _ACR_LOGIN_LASTS):
        _need_engine(s)
        yield _login(s)


def _need_engine(s: Settings) -> None:
    """Raise Blocked when no Docker engine answers."""
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


def _login(s: Settings) -> Change[object]:
    """Log in and record the time."""
    change = az.registry_login(s)

    def run() -> None:
        change.run()
        store.cache(_record(), json.dumps({"host": s.registry.host, "at": time.time()}))

    return replace(change, run=run)


def _record() -> Path:
    return store.folder("registry.json")


def _last_login(s: Settings) -> float:
    try:
        record = strict_json.mapping(store.read(_record()) or "{}")
        return float(record["at"]) if record.get("host") == s.registry.host else 0.0
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0.0


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the command that logs in."""
    s = setup.settings
    if s.registry.kind == "docker":
        return (f"docker login {s.registry.host}",)
    return (az.registry_login(s).command,)


STEP: Step[SetupRun] = Step(
    "registry", "Docker is logged in to the registry", plan, needs=("login",), after=("credentials",), commands=commands
)
