"""What must be right before Tilt starts. Asked at the same time; of several failures the first in this order is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from tasks.checks import guard
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, Trouble
from tasks.core.plan.change import Change
from tasks.core.process.running import cancel_on_failure
from tasks.flows import session
from tasks.flows.tilt import environment, ownership
from tasks.flows.tilt.request import Request
from tasks.tools import docker, helm, tilt
from tasks.tools.helm import Release

Answer = TypeVar("Answer")
_COMMANDS = ("git ", "inv ", "tilt ", "set ", "correct ")  # how the mending part of a problem begins


@dataclass
class Ready:
    """What Tilt will bring: releases and intercepts, as services; changes: what is to be done before it starts."""

    releases: list[Service] = field(default_factory=list)
    intercepts: list[str] = field(default_factory=list)
    changes: list[Change[object]] = field(default_factory=list)


def ready(s: Settings, request: Request, services: list[Service], *, dry: bool = False) -> Ready:
    """Guard, Tiltfile, releases held by others or stuck, Docker and its login. Raises the first Trouble among them.

    dry: nothing is written, and so Blocked where the session's kubeconfig would have to be cut first.
    """
    guard.names(s)
    session.prepare(s, dry=dry)
    with ThreadPoolExecutor(max_workers=4) as pool, cancel_on_failure():
        target = pool.submit(guard.assess, s)
        names = pool.submit(_declared, s, request)
        held = pool.submit(_held, s)
        login = pool.submit(_registry, s)
        target.result()
        enabled = names.result()
        found = Ready(
            [service for service in services if service.release in enabled],
            [name for name in enabled if name.startswith("intercept-")],
        )
        if found.releases:
            mine = {r.name: r for r in held.result()()}
            for service in found.releases:
                ownership.free_or_mine(s, mine.get(service.release))
            found.changes += login.result()()
    return found


def _declared(s: Settings, request: Request) -> list[str]:
    try:
        return tilt.declared(s, environment.tiltfile(s), request.tiltfile_args, environment.environment(s))
    except tilt.Refusal as why:
        raise _worded(why.what, _also_read(s)) from None


def _held(s: Settings) -> Callable[[], list[Release]]:
    """Later, since it matters only when something is deployed: the answer, or its Trouble."""
    return _later(lambda: helm.releases(s, ownership.holder(s)))


def _registry(s: Settings) -> Callable[[], list[Change[object]]]:
    return _later(lambda: list(_login(s)))


def _login(s: Settings) -> Iterator[Change[object]]:
    """An engine answers, and Docker may push to the registry for some minutes more."""
    from tasks.flows.setup import registry
    from tasks.flows.setup.work import Work

    docker.engine(s)
    yield from registry.plan(Work(s))


def _later(ask: Callable[[], Answer]) -> Callable[[], Answer]:
    try:
        answer = ask()
    except Trouble as why:
        failure = why

        def fail() -> Answer:
            raise failure

        return fail
    return lambda: answer


def _also_read(s: Settings) -> str:
    """A file of Tilt's own that says more than the command line, where there is one."""
    file = environment.tiltfile(s).with_name("tilt_config.json")
    return f"{file.name} beside the Tiltfile is read too: {file}" if file.exists() else ""


def _worded(said: str, also: str) -> Trouble:
    """The Tiltfile's error as ours: each of its own problems ends with the command that mends it."""
    text, usage, _ = said.partition("\nUsage:")
    if usage:
        return Trouble(text.strip(), why=also, fix="the Tiltfile takes --only NAMES and --intercept NAMES after --")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    problems = lines[1:] if len(lines) > 1 and lines[0].endswith(":") else lines
    kind = Refused if said.startswith("refused") else Trouble
    first, colon, command = problems[0].rpartition(": ")
    if not colon or not command.startswith(_COMMANDS):
        what, _, hint = problems[0].partition("; ")
        more = f"; {'; '.join(problems[1:4])}" if len(problems) > 1 else ""
        return kind(what + more, why=also, fix=hint or "mend the Tiltfile, or the file that it names")
    more = f" (and {len(problems) - 1} more: {'; '.join(problems[1:4])})" if len(problems) > 1 else ""
    return kind(f"{first}{more}", fix=command)
