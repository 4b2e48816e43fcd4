"""What the benchmarks share: a sandbox, `inv` started in it, and the calls that were made meanwhile."""

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
LOCK = "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n"


@dataclass(frozen=True)
class Run:
    """One start of a program. seconds: from its start to its end."""

    seconds: float
    out: str
    began: float

    @property
    def json(self) -> Any:
        """Its stdout."""
        return json.loads(self.out)


@contextmanager
def box(latency: str = "aks") -> Iterator[Box]:
    """A sandbox of its own, gone afterwards."""
    made = control.up(latency=latency)
    try:
        yield made
    finally:
        control.down(made)


def project(world: Box) -> Path:
    """A folder with packages to install."""
    place = world.path / "project"
    place.mkdir(exist_ok=True)
    (place / "package.json").write_text('{"name": "project", "version": "1.0.0"}')
    (place / "pnpm-lock.yaml").write_text(LOCK)
    return place


def run(argv: list[str], env: Mapping[str, str], cwd: Path = ROOT) -> Run:
    """Run to its end; a failure is a bug of the benchmark and stops it."""
    began, started = time.time(), time.monotonic()
    done = subprocess.run(
        argv, env=dict(env), cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    seconds = time.monotonic() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr}")
    return Run(seconds, done.stdout, began)


def inv(world: Box, *words: str, **env: str) -> Run:
    """`inv` in this sandbox."""
    return run([*INV, *words], world.environment(**env))


def calls(world: Box, since: float, until: float) -> list[tuple[float, float, str]]:
    """(start, end, program and verb) of what was called between two moments; not what a program started itself."""
    return sorted(
        (c["start"], c["end"], " ".join((c["tool"], *c["argv"][:1])))
        for c in world.calls()
        if not c["nested"] and since <= c["start"] <= until
    )


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds that at least one of the spans covers."""
    total, last = 0.0, 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, last))
        last = max(last, end)
    return total
