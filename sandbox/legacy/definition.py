"""The typed content of data/pair.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from sandbox.legacy.archive import DATA
from tasks.core.yaml.bounded import loader


@dataclass(frozen=True)
class Service:
    """A service of November 2025. `ports` are `name:number`; a worker has none."""

    name: str
    dir: str
    language: str
    component: str
    wave: int
    health: str
    ports: tuple[str, ...] = ()
    host: str = ""
    module: str = ""
    route: bool = False

    @property
    def release(self) -> str:
        return f"apps-{self.name}-tilt"

    def placeholders(self) -> dict[str, str]:
        """The placeholders of the archives."""
        ports = [(name, number) for name, _, number in (port.partition(":") for port in self.ports)]
        container = [f"            - {{name: {name}, containerPort: {number}}}" for name, number in ports]
        service = [f"    - {{name: {name}, port: {number}, targetPort: {number}}}" for name, number in ports]
        host = self.host or self.name
        return {
            "name": self.name,
            "dir": self.dir,
            "var": self.dir,
            "language": self.language,
            "component": self.component,
            "wave": f"wave-{self.wave}",
            "phase": f"6{self.wave}",
            "health": self.health,
            "module": self.module or self.dir,
            "release": self.release,
            "port": ports[0][1] if ports else "9464",
            "ports": "\n".join(["          ports:", *container] if container else ["          ports: []"]),
            "serviceports": "\n".join(service),
            "devhost": f"{host}.dev.ameide.io" if self.route else "",
            "tilthost": f"{host}.local.ameide.io" if self.route else "",
        }


@dataclass(frozen=True)
class Chapter:
    """One commit of a repository's history; see the head of `history` in pair.yaml."""

    by: str
    when: str
    subject: str
    takes: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    was: dict[str, tuple[str, str]] = field(default_factory=dict)
    branch: str = "main"
    merges: str = ""


@dataclass(frozen=True)
class Definition:
    """Names, authors, services, copies and histories."""

    core: str
    gitops: str
    backlog: str
    submodules: dict[str, str]
    authors: dict[str, str]
    services: tuple[Service, ...]
    copies: tuple[tuple[str, str], ...]
    history: dict[str, tuple[Chapter, ...]]


@cache
def definition() -> Definition:
    """Read data/pair.yaml once. Raises msgspec.ValidationError for an unknown key."""
    import msgspec
    import yaml

    text = (DATA / "pair.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.load(text, Loader=loader()), Definition)
