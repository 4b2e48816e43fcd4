"""The service catalogue: the names of the team's services, their folders, and how they run."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tasks.core.cli.names import must_be_name, nearest
from tasks.core.errors import Trouble
from tasks.core.repository import CATALOGUE, repository_root

Port = Annotated[int, Meta(ge=1, le=65535)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class _Entry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of the catalogue."""


class ServicePort(_Entry, frozen=True):
    """A port of a service."""

    name: Name
    """The name of the Service's port."""

    port: Port
    """Where the process listens, locally and in the container."""

    protocol: Literal["http", "grpc", "h2c", "tcp"] = "http"


class Dev(_Entry, frozen=True):
    """How the service runs on a workstation."""

    command: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    """The program and its arguments. No shell reads them."""

    folder: str = ""
    """From the root of the core repository; empty for the service's own folder."""

    env: dict[str, str] = {}
    """Variables that override those of the pod."""

    drop: list[str] = []
    """Variables of the pod that the process does not get."""

    allow: list[str] = []
    """Variables of the pod that make programs run or load something else, and that the process gets all the same."""


class Chart(_Entry, frozen=True):
    """Paths in the gitops repository."""

    path: str
    values: list[str] = []
    """The values files, in their order."""

    tilt_values: list[str] = []
    """The values files of a release of Tilt, after the others."""


class Service(_Entry, frozen=True):
    """One service."""

    name: Name
    """As people type it, and the name of the baseline's workload."""

    component: Name
    """The name of the Argo CD component and of the Helm release."""

    folder: str
    language: Literal["node", "go", "python"]
    kind: Literal["http", "grpc", "worker"]
    image: Name
    release: Name
    """The name of Tilt's own release."""

    chart: Chart
    dev: Dev
    ports: list[ServicePort] = []
    """The first one is intercepted when no port is named. A worker has none."""

    workloads: list[Name] = []
    """Further names of the workload, in some environments."""

    hosts: dict[str, str] = {}
    health: str = ""
    guessed: list[str] = []
    """Keys whose value was not found in a source, but guessed."""

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
        """The possible names of its workload in the cluster, the likeliest first."""
        return tuple(dict.fromkeys((self.name, *self.workloads, self.component)))


class Catalogue(_Entry, frozen=True):
    """All services, in the order of the file."""

    services: list[Service]

    def named(self, word: str, task: str = "intercept") -> Service:
        """Return the service that has this name. Raises Trouble with the nearest names for an unknown one."""
        must_be_name(word, task)
        by_name = {name: service for service in reversed(self.services) for name in service.names}
        if word in by_name:
            return by_name[word]
        near = dict.fromkeys(by_name[name].name for name in nearest(word, by_name))
        known = ", ".join(service.name for service in self.services)
        raise Trouble(
            f"no service '{word}' in {CATALOGUE}",
            fix=f"did you mean {' or '.join(near)}?" if near else f"known: {known}",
        )


def read(path: Path) -> Catalogue:
    """Return the catalogue in this file. Raises Trouble with file, line and the nearest known key."""
    from tasks.core.config.sources import convert, known_keys
    from tasks.core.yaml import strict

    document = strict.read(path)
    known_keys(document, Catalogue)
    loaded = convert(document.data, Catalogue, [document])
    seen: dict[str, str] = {}
    for place, service in enumerate(loaded.services):
        for name in service.names:
            if seen.setdefault(name, service.name) != service.name:
                raise Trouble(
                    f"{document.where(('services', str(place)))}: '{name}' names {seen[name]} and {service.name}",
                    fix="give one of them another name",
                )
    return loaded


@functools.cache
def catalogue() -> Catalogue:
    """Return the catalogue of this repository, read once."""
    return read(repository_root() / CATALOGUE)
