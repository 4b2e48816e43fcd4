"""Shared by the benchmarks: a sandbox, `inv` in it, and the log of the calls to programs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import control
from sandbox.control import Box

ROOT = Path(__file__).resolve().parent.parent
INV = [sys.executable, str(ROOT / "tasks.py")]
VERSION = ("get", "--raw", "/version")  # a question to the API server with a short answer
LOCK = "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n"


@dataclass(frozen=True)
class Run:
    """One run of a program. seconds: from its start to its end; began: epoch seconds."""

    seconds: float
    out: str
    began: float

    @property
    def json(self) -> Any:
        """Parse stdout as JSON."""
        return json.loads(self.out)


@contextmanager
def box(latency: str = "aks") -> Iterator[Box]:
    """Start a sandbox, and end it afterwards."""
    made = control.up(latency=latency)
    try:
        yield made
    finally:
        control.down(made)


def project(world: Box) -> Path:
    """Create a project folder with a lock file."""
    place = world.path / "project"
    place.mkdir(exist_ok=True)
    (place / "package.json").write_text('{"name": "project", "version": "1.0.0"}')
    (place / "pnpm-lock.yaml").write_text(LOCK)
    return place


def run(argv: list[str], env: Mapping[str, str], cwd: Path = ROOT) -> Run:
    """Run a program to its end. Raises RuntimeError when it fails, which is a bug in the benchmark."""
    began, started = time.time(), time.monotonic()
    done = subprocess.run(
        argv, env=dict(env), cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    seconds = time.monotonic() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr}")
    return Run(seconds, done.stdout, began)


def inv(world: Box, *words: str, **env: str) -> Run:
    """Run `inv` in this sandbox."""
    return run([*INV, *words], world.environment(**env))


def calls(world: Box, since: float, until: float) -> list[tuple[float, float, str]]:
    """Return (start, end, program and verb) of the calls between two times, without the calls that a program makes itself."""
    return sorted(
        (c["start"], c["end"], " ".join((c["tool"], *c["argv"][:1])))
        for c in world.calls()
        if not c["nested"] and since <= c["start"] <= until
    )


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return the seconds that are covered by at least one span."""
    total, last = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, last))
        last = max(last, end)
    return total


def frozen(world: Box, **env: str) -> Path:
    """Return the session's kubeconfig in this sandbox. env: variables of the workstation, such as another state folder."""
    (file,) = Path(world.environment(**env)["REMOTE_DEV_STATE"]).glob("sessions/*/kubeconfig")
    return file
