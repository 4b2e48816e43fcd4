"""What Tilt runs here, the state of its resources, and whose releases are in the cluster."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import Settings
from tasks.core.errors import Problem, Trouble
from tasks.core.state.journal import Entry
from tasks.flows.tilt import orphans, ownership
from tasks.tools import base, helm, tilt
from tasks.tools.tilt import Resource


@dataclass(frozen=True)
class RunningTilt:
    """A Tilt that answers. Its fields are those of the JSON."""

    port: int

    pid: int | None
    """None for a Tilt that was not started by the suite."""

    page: str

    tiltfile: str
    """`ok`, or the Tiltfile's error."""


@dataclass(frozen=True)
class Release:
    """A release of the catalogue, or another one of ours, that is in the namespace. Its fields are those of the JSON."""

    release: str
    service: str
    status: str
    revision: int

    holder: str
    """Who deployed it; empty when that is unknown."""

    mine: bool


@dataclass
class Status:
    """All of it."""

    tilts: list[RunningTilt] = field(default_factory=list)

    resources: list[tuple[int, Resource]] = field(default_factory=list)
    """Port of the Tilt, and its resource; without the Tiltfile, which Tilt lists as a resource too."""

    releases: list[Release] | None = None
    """None when they cannot be looked at."""

    problem: Problem | None = None
    """Why the releases cannot be looked at."""

    def document(self) -> dict[str, Any]:
        """Return it as `inv tilt.status --json` shows it."""
        return {
            "tilt": [asdict(tilt) for tilt in self.tilts],
            "resources": [{"port": port, **asdict(resource)} for port, resource in self.resources],
            "releases": None if self.releases is None else [asdict(release) for release in self.releases],
            "note": self.problem.summary if self.problem else "",
            "fix": self.problem.fix if self.problem else "",
        }


def look(s: Settings) -> Status:
    """Ask every Tilt of the journal that is alive, else the one at the port of the settings; then Helm."""
    services = {service.release: service.name for service in catalogue().services}
    status = Status()
    running = [entry for entry in orphans.runs() if orphans.lives(entry)]
    by_port = {int(entry.data.get("port") or s.tilt.port): entry for entry in running}
    for port in by_port or [s.tilt.port]:
        _add_tilt(s, status, port, by_port.get(port))
    if not base.frozen_kubeconfig(s).exists():
        status.problem = Problem("the session kubeconfig does not exist yet", fix="inv setup")
        return status
    try:
        status.releases = _releases(s, services)
    except Trouble as why:
        status.problem = why.problem
    return status


def _add_tilt(s: Settings, status: Status, port: int, entry: Entry | None) -> None:
    """Add the Tilt at this port, if one answers there."""
    try:
        resources = tilt.resources(s, port)
    except Trouble:
        return
    error = next((r.error for r in resources if r.name == tilt.TILTFILE and r.error), "")
    pid = entry.data.get("group") if entry else None
    status.tilts.append(RunningTilt(port, pid, f"http://localhost:{port}/", error or "ok"))
    status.resources += [(port, resource) for resource in resources if resource.name != tilt.TILTFILE]


def _releases(s: Settings, services: dict[str, str]) -> list[Release]:
    existing = helm.releases(s, ownership.owner(s))
    wanted = [r for r in existing if r.name in services or ownership.is_mine(s, r)]
    return [_release(s, release, services.get(release.name, "")) for release in wanted]


def _release(s: Settings, release: helm.Release, service: str) -> Release:
    mine = ownership.is_mine(s, release)
    holder = ownership.owner(s) if mine else ownership.owner_of(s, release.name)
    return Release(release.name, service, release.status, release.revision, holder, mine)
