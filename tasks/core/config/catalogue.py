"""The service catalogue: what the team's services are called, where they lie, and how they run."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tasks.core.cli.names import must_be_name, nearest
from tasks.core.errors import Trouble
from tasks.core.repository import repository_root

Port = Annotated[int, Meta(ge=1, le=65535)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class _Entry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of the catalogue."""


class ServicePort(_Entry, frozen=True):
    """port: where the process listens locally and in the container; name: of the Service's port."""

    name: Name
    port: Port
    protocol: Literal["http", "grpc", "h2c", "tcp"] = "http"


class Dev(_Entry, frozen=True):
    """How the service runs on a workstation. command: argv, no shell. folder: from the core repository, default the
    service's own. env: set last, over the pod's. drop: variables of the pod that must not reach the process."""

    command: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    folder: str = ""
    env: dict[str, str] = {}
    drop: list[str] = []


class Chart(_Entry, frozen=True):
    """Paths in the gitops repository: the chart, and the values files in their order, without and with Tilt."""

    path: str
    values: list[str] = []
    tilt_values: list[str] = []


class Service(_Entry, frozen=True):
    """One service. The first port is the one that is intercepted when none is named; no ports: a worker.

    name:      as people type it, and of the baseline's workload
    component: of the Argo CD component and Helm release; release: Tilt's own
    workloads: further names the workload has in some environments
    guessed:   keys whose value was not proven by a source
    """

    name: Name
    component: Name
    folder: str
    language: Literal["node", "go", "python"]
    kind: Literal["http", "grpc", "worker"]
    image: Name
    release: Name
    chart: Chart
    dev: Dev
    ports: list[ServicePort] = []
    workloads: list[Name] = []
    hosts: dict[str, str] = {}
    health: str = ""
    guessed: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Every name a person may use for it."""
        return tuple(
            dict.fromkeys(
                (self.name, self.component, self.name.replace("-", "_"), Path(self.folder).name, *self.workloads)
            )
        )

    @property
    def workload_names(self) -> tuple[str, ...]:
        """What its workload may be called in the cluster, the likeliest first."""
        return tuple(dict.fromkeys((self.name, *self.workloads, self.component)))


class Catalogue(_Entry, frozen=True):
    """All services, in the order of the file."""

    services: list[Service]

    def named(self, word: str, task: str = "intercept") -> Service:
        """The service that has this name. An unknown one is a Trouble with the nearest names."""
        must_be_name(word, task)
        for service in self.services:
            if word in service.names:
                return service
        near = nearest(word, [name for s in self.services for name in s.names])
        names = list(dict.fromkeys(s.name for n in near for s in self.services if n in s.names))
        hint = f"did you mean {' or '.join(names)}?" if names else f"known: {', '.join(s.name for s in self.services)}"
        raise Trouble(f"no service '{word}' in config/services.yaml", fix=hint)


def read(path: Path) -> Catalogue:
    """The catalogue in this file. Raises Trouble with file, line and the nearest known key."""
    from tasks.core.config.sources import convert, known_keys
    from tasks.core.yaml import strict

    document = strict.read(path)
    known_keys(document, Catalogue)
    found: Catalogue = convert(document.data, Catalogue, [document])
    seen: dict[str, str] = {}
    for place, service in enumerate(found.services):
        for name in service.names:
            if seen.setdefault(name, service.name) != service.name:
                raise Trouble(
                    f"{document.where(('services', str(place)))}: '{name}' names {seen[name]} and {service.name}",
                    fix="give one of them another name",
                )
    return found


@functools.cache
def catalogue() -> Catalogue:
    """The catalogue of this repository, read once."""
    return read(repository_root() / "config" / "services.yaml")
