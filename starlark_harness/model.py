"""The data that a Tiltfile declares."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Any


class Refusal(Exception):
    """Tilt rejects this call. The text is Tilt's, without the function's name."""


class Stop(Exception):
    """exit() was called: the evaluation ends successfully."""


class Trigger(IntEnum):
    """The number `triggerMode` in Tilt's JSON."""

    AUTO = 0
    MANUAL_WITH_AUTO_INIT = 1
    MANUAL = 2
    AUTO_WITH_MANUAL_INIT = 3


@dataclass(frozen=True)
class Mode:
    """TRIGGER_MODE_AUTO and TRIGGER_MODE_MANUAL."""

    manual: bool

    def trigger(self, auto_init: bool) -> Trigger:
        """The number in the JSON, which also depends on auto_init."""
        if self.manual:
            return Trigger.MANUAL_WITH_AUTO_INIT if auto_init else Trigger.MANUAL
        return Trigger.AUTO if auto_init else Trigger.AUTO_WITH_MANUAL_INIT


@dataclass(frozen=True)
class Step:
    """A live_update step. kind: initial_sync, fall_back_on, sync, run; paths: on this machine, absolute."""

    kind: str
    paths: tuple[str, ...] = ()
    target: str = ""
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probe:
    """A readiness probe. Exactly one of exec, http and tcp is set."""

    period: float = 10.0
    timeout: float = 1.0
    delay: float = 0.0
    exec: tuple[str, ...] = ()
    http: tuple[str, int, str] | None = None
    tcp: tuple[str, int] | None = None


@dataclass
class Command:
    """A command. env: variables added to the environment."""

    argv: tuple[str, ...]
    folder: str
    env: dict[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The command as Tilt's log shows it: a command given as text is shown without `sh -c`."""
        return self.argv[2] if self.argv[:2] == ("sh", "-c") else " ".join(self.argv)


@dataclass
class Image:
    """An image build. name: as in docker_build; ref: with the default registry; only: paths in the context.

    Of a custom_build: command, and the paths (deps) and images that it is built from; its context is the command's
    folder; tag: a fixed tag; local: the result is in Docker; push: Tilt pushes it.
    """

    name: str
    context: str
    dockerfile: str
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    platform: str = ""
    live_update: tuple[Step, ...] = ()
    ref: str = ""
    command: Command | None = None
    deps: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    tag: str = ""
    local: bool = True
    push: bool = True


@dataclass
class Manifest:
    """A resource. A local one has update and serve, a custom deploy has apply and delete, YAML has objects."""

    name: str
    kind: str  # local, deploy, yaml
    update: Command | None = None
    serve: Command | None = None
    apply: Command | None = None
    delete: Command | None = None
    objects: list[dict[str, Any]] = field(default_factory=list)
    deps: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    resource_deps: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    trigger: Trigger = Trigger.AUTO
    auto_init: bool = True
    allow_parallel: bool = False
    probe: Probe | None = None


@dataclass
class Declared:
    """Everything that one evaluation declared, in the order of the calls."""

    manifests: dict[str, Manifest] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    objects: list[dict[str, Any]] = field(default_factory=list)
    resource_options: list[dict[str, Any]] = field(default_factory=list)
    registry: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    allowed: list[str] = field(default_factory=list)
    enabled: list[str] | None = None  # None enables everything, [] nothing
    commands: list[tuple[str, ...]] = field(default_factory=list)  # executed by local() during the evaluation
    watched: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)  # printed lines and warnings
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Log a warning and store it for the Tiltfile's own resource."""
        self.log.append(text)
        self.warnings.append(text)

    def add(self, manifest: Manifest) -> None:
        """Add a resource. Raises Refusal for a duplicate name."""
        if manifest.name in self.manifests:
            kind = "local_resource" if self.manifests[manifest.name].kind == "local" else "k8s_resource"
            raise Refusal(f'{kind} named "{manifest.name}" already exists')
        if not manifest.name or manifest.name in {".", ".."} or re.search(r"[/%]", manifest.name):
            raise Refusal(f'invalid value "{manifest.name}": must be a valid path segment')
        self.manifests[manifest.name] = manifest

    def finish(self) -> None:
        """Do what Tilt does after the last line: apply k8s_resource, check images and dependencies."""
        self._workloads()
        for options in self.resource_options:
            self._options(options)
        for manifest in self.manifests.values():
            for image in manifest.images:
                if image not in self.images:
                    raise Refusal(f'resource "{manifest.name}": image build "{image}" not found')
        for build in self.images.values():
            for image in build.images:
                if image not in self.images:
                    raise Refusal(f'image "{build.name}": image dep "{image}" not found')
            build.ref = rewritten(build.name, self.registry)
        self._dependencies()

    def selected(self) -> list[str]:
        """The names of the enabled resources and their dependencies, in the order of the file."""
        if self.enabled is None:
            return list(self.manifests)
        unknown = [name for name in self.enabled if name not in self.manifests]
        if unknown:
            listed = ", ".join(f'"{name}"' for name in unknown)
            known = ", ".join(f'"{name}"' for name in self.manifests)
            raise Refusal(
                f"You specified some resources that could not be found: {listed}\n"
                f"Is this a typo? Existing resources in Tiltfile: {known}"
            )
        wanted: set[str] = set()
        open_names = list(self.enabled)
        while open_names:
            name = open_names.pop()
            if name in self.manifests and name not in wanted:
                wanted.add(name)
                open_names += self.manifests[name].resource_deps
        return [name for name in self.manifests if name in wanted]

    def _workloads(self) -> None:
        kinds = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet"}
        workloads = [o for o in self.objects if o.get("kind") in kinds]
        for item in workloads:
            self.add(Manifest(str(item["metadata"]["name"]), "yaml", objects=[item]))
        rest = [o for o in self.objects if o not in workloads]
        if rest:
            self.add(Manifest("uncategorized", "yaml", objects=rest))

    def _options(self, options: dict[str, Any]) -> None:
        name = options["workload"]
        manifest = self.manifests.get(name)
        if manifest is None or manifest.kind == "local":
            known = ", ".join(m.name for m in self.manifests.values() if m.kind != "local")
            raise Refusal(f'k8s_resource specified unknown resource "{name}". known k8s resources: {known}')
        if options["new_name"]:
            del self.manifests[name]
            manifest.name = options["new_name"]
            self.add(manifest)
        manifest.labels += options["labels"]
        manifest.links += options["links"]
        manifest.resource_deps += options["resource_deps"]
        manifest.auto_init = options["auto_init"]
        manifest.trigger = options["mode"].trigger(manifest.auto_init)

    def _dependencies(self) -> None:
        for manifest in self.manifests.values():
            for name in manifest.resource_deps:
                if name not in self.manifests:
                    self.warn(
                        f"resource {manifest.name} specified a dependency on unknown resource {name} - dependency ignored"
                    )
        for name in self.manifests:
            cycle = self._cycle(name, ())
            if cycle:
                raise Refusal(f"cycle detected in resource dependency graph: {' -> '.join(cycle)}")

    def _cycle(self, name: str, path: tuple[str, ...]) -> tuple[str, ...]:
        if name in path:
            return (*path[path.index(name) :], name)
        for below in self.manifests[name].resource_deps if name in self.manifests else ():
            cycle = self._cycle(below, (*path, name))
            if cycle:
                return cycle
        return ()


def rewritten(name: str, host: str) -> str:
    """The image's reference in the default registry; unchanged if it is already there."""
    if not host or name.startswith(host + "/"):
        return name
    return f"{host}/{re.sub('[/:@]', '_', name)}"


def in_order(steps: Iterable[Step]) -> None:
    """Raise Refusal unless the steps are in the order initial_sync, fall_back_on, sync, run."""
    kinds = [step.kind for step in steps]
    ranks = {"initial_sync": 0, "fall_back_on": 1, "sync": 2, "run": 3}
    for before, after in pairwise(kinds):
        if ranks[before] > ranks[after]:
            if after in {"fall_back_on", "initial_sync"}:
                raise Refusal(f"live_update: {after} steps must appear at the start of the list")
            raise Refusal("live_update: all sync steps must precede all run steps")
