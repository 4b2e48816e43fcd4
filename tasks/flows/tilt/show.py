"""What the Tilt tasks print for people."""

from __future__ import annotations

import shlex

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.signatures import explain
from tasks.flows.tilt.preflight import Ready
from tasks.flows.tilt.status import Release, Status
from tasks.tools.tilt import Resource


def dry_run(plan: Ready, argv: list[str]) -> None:
    """Print what `inv tilt.up` or `tilt.ci` would do."""
    for change in plan.changes:
        ui.say(change.would)
    for service in plan.releases:
        ui.say(f"would build {service.image} and deploy the release {service.release}")
    for name in plan.intercepts:
        ui.say(f"would enable the resource {name}")
    ui.say(f"    $ {shlex.join(argv)}")


def starting(s: Settings, plan: Ready, port: int, seconds: float) -> None:
    """Print Tilt's page and what it will deploy."""
    names = [service.release for service in plan.releases] + plan.intercepts
    ui.progress("running", "tilt", f"http://localhost:{port}/  {', '.join(names) or 'nothing enabled'}", seconds)
    if plan.releases:
        ui.talk(f"   into {s.cluster.namespace} of {s.cluster.context}; inv tilt.down removes them again")


def explanation(error: str) -> None:
    """Print cause and fix below Tilt's own last lines, where they are known."""
    why, fix = explain("tilt", error)
    if why:
        ui.talk(f"  why: {why}\n  fix: {fix}")


def status(found: Status) -> None:
    """Print the running Tilts, the resources of them and the releases in the namespace."""
    for tilt in found.tilts:
        pid = f"pid {tilt.pid}, " if tilt.pid else ""
        ui.say(f"Tilt is running ({pid}{tilt.page}); Tiltfile: {tilt.tiltfile}")
    if not found.tilts:
        ui.say("Tilt is not running here; start it with inv tilt.up")
    _resources([resource for _, resource in found.resources if resource.enabled])
    if found.releases is not None:
        _releases(found.releases)
    elif found.problem is not None:
        ui.say(f"releases: unknown ({found.problem.summary})")
        if found.problem.fix:
            ui.say(f"  fix: {found.problem.fix}")


def _resources(resources: list[Resource]) -> None:
    if resources:
        ui.table([("  resource", "ready", "update", "runtime", ""), *map(_resource_row, resources)])


def _resource_row(resource: Resource) -> tuple[str, ...]:
    ready = "yes" if resource.ready else "no"
    return (
        f"  {resource.name}",
        ready,
        resource.update,
        resource.runtime,
        resource.error or resource.crash or resource.waiting,
    )


def _releases(releases: list[Release]) -> None:
    if not releases:
        ui.say("no release of Tilt in the namespace")
        return
    ui.table([("  release", "status", "", "held by"), *map(_release_row, releases)])


def _release_row(release: Release) -> tuple[str, ...]:
    owner = "yours" if release.mine else release.holder or "?"
    return f"  {release.release}", release.status, f"revision {release.revision}", owner
