"""Fixtures: the sample of core and gitops with this repository's Tiltfile, and its evaluation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import sample
from starlark_harness import Result, TiltfileError, evaluate
from tasks.core.config import catalogue
from tasks.core.config.catalogue import Catalogue

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "config/settings.yaml").read_text())
CONTEXT: str = SETTINGS["cluster"]["context"]
SUBMODULE: str = SETTINGS["repositories"]["gitops"]
KNOWN: Catalogue = catalogue.read(ROOT / "config/services.yaml")


@dataclass
class Checkout:
    """A core checkout with the suite. env: the variables for os.getenv in the Tiltfile."""

    core: Path
    env: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    @property
    def gitops(self) -> Path:
        return self.core / SUBMODULE

    def tilt(self, *args: str, context: str = CONTEXT, subcommand: str = "up") -> Result:
        """Evaluate the Tiltfile. The test fails if the evaluation starts a process."""

        def run(argv: tuple[str, ...], *_: object) -> str:
            raise AssertionError(f"the Tiltfile started {argv}")

        self.log.clear()
        return evaluate(
            self.core / "Tiltfile",
            args,
            context=context,
            env={"HOME": "/home/x", **self.env},
            subcommand=subcommand,
            run=run,
            log=self.log,
        )

    def refused(self, *args: str, **more: Any) -> str:
        """The error of the Tiltfile."""
        with pytest.raises(TiltfileError) as why:
            self.tilt(*args, **more)
        return str(why.value)

    def write(self, path: str, **changes: Any) -> None:
        """Change top-level keys of a YAML file."""
        place = self.core / path
        place.parent.mkdir(parents=True, exist_ok=True)
        data = yaml.safe_load(place.read_text()) if place.exists() else {}
        place.write_text(yaml.safe_dump({**(data or {}), **changes}))

    def service(self, name: str, **changes: Any) -> None:
        """Change a service of the catalogue."""
        place = self.core / "config/services.yaml"
        data = yaml.safe_load(place.read_text())
        for entry in data["services"]:
            if entry["name"] == name:
                entry.update(json.loads(json.dumps(changes)))
        place.write_text(yaml.safe_dump(data))


def make_core(where: Path) -> Path:
    """Create a core checkout with the suite's Tiltfile and its submodule."""
    pair = sample.make(where, KNOWN, registry=SETTINGS["registry"]["host"], submodule=SUBMODULE)
    for name in ("tilt", "config"):
        shutil.copytree(ROOT / name, pair.core / name, ignore=shutil.ignore_patterns("settings.local.yaml"))
    shutil.copy2(ROOT / "Tiltfile", pair.core / "Tiltfile")
    return pair.core


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout that tests copy."""
    return make_core(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def checkout(original: Path, tmp_path: Path) -> Checkout:
    """A copy that a test may change."""
    shutil.copytree(original, tmp_path / "core", symlinks=True)
    return Checkout(tmp_path / "core")


@pytest.fixture(scope="session")
def untouched(original: Path) -> Checkout:
    """The original checkout, for tests that only read."""
    return Checkout(original)


@pytest.fixture
def tiltfile(tmp_path: Path) -> Callable[..., Result]:
    """Evaluate a text as a Tiltfile: `tiltfile("fail('x')", "--only=a", context="kind-kind")`."""

    def run(text: str, *args: str, **more: Any) -> Result:
        path = tmp_path / "Tiltfile"
        path.write_text(text)
        return evaluate(path, args, **{"env": {}, **more})

    return run
