"""What must be right before Tilt starts. Everything is asked at the same time; the first failure in this order is raised."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from tasks.checks import guard
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import FAILED, REFUSED, Problem, Refused, Trouble
from tasks.core.plan.change import Change
from tasks.core.process.running import cancel_on_failure
from tasks.flows import session
from tasks.flows.tilt import environment, ownership
from tasks.flows.tilt.request import Request
from tasks.tools import base, docker, helm, tilt
from tasks.tools.tilt import Applied

_FIX, _REFUSED = "fix: ", "refused: "  # the marks of tilt/problems.star


@dataclass
class Ready:
    """What Tilt will bring."""

    releases: list[Service] = field(default_factory=list)
    intercepts: list[str] = field(default_factory=list)

    changes: list[Change[object]] = field(default_factory=list)
    """What is to be done before Tilt starts."""


def ready(s: Settings, request: Request, services: list[Service], *, dry: bool = False) -> Ready:
    """Ask the guard, the Tiltfile, Helm (releases of others, stuck ones) and Docker (engine and registry login).

    dry: nothing is written, so Blocked is raised where the session kubeconfig does not exist yet.
    """
    guard.check_names(s)
    base.must_be_installed(s, "tilt", "helm", "kubectl")
    session.prepare(s, dry=dry)
    with ThreadPoolExecutor(max_workers=4) as pool, cancel_on_failure():
        guarded = pool.submit(guard.assess, s)
        declared = pool.submit(_declared, s, request)
        existing = pool.submit(helm.releases, s, ownership.owner(s))
        login = pool.submit(lambda: list(_registry_login(s)))
        guarded.result()
        enabled = declared.result()
        _must_not_apply_the_baseline(s, services, [item for items in enabled.values() for item in items])
        plan = Ready(
            [service for service in services if service.release in enabled],
            [name for name in enabled if name.startswith("intercept-")],
        )
        if plan.releases:  # a failure of Helm or Docker matters only when something is deployed
            by_name = {release.name: release for release in existing.result()}
            for service in plan.releases:
                ownership.must_be_free_or_mine(s, by_name.get(service.release))
            plan.changes += login.result()
    return plan


def _must_not_apply_the_baseline(s: Settings, services: list[Service], applied: list[Applied]) -> None:
    """Raise Refused for objects of k8s_yaml with the baseline's names: Tilt would apply them over those of Argo CD."""
    baseline = {name for service in services for name in service.workload_names}
    here = [item for item in applied if item.namespace in {"", s.cluster.namespace} and item.name in baseline]
    if here:
        raise Refused(
            f"Tilt would overwrite the baseline: {', '.join(f'{item.kind} {item.name}' for item in here[:3])}",
            why="k8s_yaml overwrites the objects of every owner, and everybody uses those of Argo CD",
            fix="deploy them as a Helm release with another name (helm_resource), or give the objects other names",
        )


def _declared(s: Settings, request: Request) -> dict[str, list[Applied]]:
    try:
        return tilt.declared(s, environment.tiltfile(s), request.tiltfile_args, environment.environment(s))
    except tilt.Refusal as why:
        raise trouble(why.what, _also_read(s)) from None


def _registry_login(s: Settings) -> Iterator[Change[object]]:
    """Yield what is missing for a push: an engine that answers, and a login that is valid for some minutes more."""
    from tasks.flows.setup import registry
    from tasks.flows.setup.setup_run import SetupRun

    docker.engine(s)
    yield from registry.plan(SetupRun(s))


def _also_read(s: Settings) -> str:
    """Name tilt_config.json where it exists: Tilt reads it as if its content were on the command line."""
    file = environment.tiltfile(s).with_name("tilt_config.json")
    return f"{file.name} beside the Tiltfile is read too: {file}" if file.exists() else ""


def trouble(error: str, also: str = "") -> Trouble:
    """Return a Tiltfile's error as ours. also: what else may be the cause.

    The suite's own Tiltfile ends with the lines of tilt/problems.star. config.parse, Tilt's own, prints the usage below
    its error; any other error has no fix.
    """
    text, usage, _ = error.partition("\nUsage:")
    if usage:
        return Trouble(text.strip(), why=also, fix="the Tiltfile takes --only NAMES and --intercept NAMES after --")
    first, *others = problems(text)
    more = f" (and {len(others)} more: {'; '.join(p.what for p in others[:3])})" if others else ""
    fix = first.fix or "fix the Tiltfile, or the file that it names"
    return Trouble.of(Problem(first.what + more, also, fix, first.code))


def problems(text: str) -> list[Problem]:
    """Return the problems of a Tiltfile that was stopped by `stop` of tilt/problems.star; every other line is one too."""
    found: list[Problem] = []
    for line in (line.strip() for line in text.splitlines() if line.strip()):
        if found and line.startswith(_FIX):
            found[-1] = replace(found[-1], fix=line.removeprefix(_FIX))
        else:
            found.append(Problem(line, code=REFUSED if line.startswith(_REFUSED) else FAILED))
    return found or [Problem("the Tiltfile ended with an error")]
