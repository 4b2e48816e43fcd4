"""A developer in a migrated core, in a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.control import Box
from tasks.core.repository import repository_root
from tests.world import Started

if TYPE_CHECKING:
    from tests.migration.conftest import Pair


def share_environment(core: Path) -> None:
    """Let scripts/inv in core use this checkout's environment, as if it had made it there: its stamps name their root."""
    stamps = core / ".remote-dev/installed"
    stamps.mkdir(parents=True)
    (core / ".remote-dev/venv").symlink_to(repository_root() / ".remote-dev/venv")
    for lock in ("scripts/requirements.lock", "migration/requirements.lock"):
        (stamps / lock.replace("/", "-")).write_text(f"{core.resolve()}\n{(core / lock).read_text()}")


class Desk:
    """A developer in the migrated core, in a sandbox. What the team's own Tiltfile calls besides is on PATH."""

    def __init__(self, box: Box, repos: Pair) -> None:
        self.box, self.repos = box, repos
        programs = box.path / "team"
        programs.mkdir()
        (programs / "buf").write_text("#!/bin/sh\nexit 0\n")
        (programs / "buf").chmod(0o755)
        self.env = box.environment()
        self.programs = str(programs)
        self.env["PATH"] += f"{os.pathsep}{programs}"
        # How long a trial takes says nothing on a loaded machine.
        self.env |= {f"REMOTE_DEV_BUDGETS__{name}": "3600" for name in ("SETUP", "INTERCEPT", "CLONE_TO_RUNNING")}
        share_environment(repos.core)

    def run(
        self, *argv: str, timeout: float = 900, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.repos.core,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def inv(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return self.run("./scripts/inv", *words, env=env)

    @contextmanager
    def started(self, *words: str, env: dict[str, str] | None = None) -> Iterator[Started]:
        """Run `inv` in the background; kill it at the end if it still runs."""
        run = Started(self.box, env={**self.env, **(env or {})}, command=["./scripts/inv", *words], cwd=self.repos.core)
        try:
            yield run
        finally:
            run.close()

    def migrate(self, task: str, *words: str) -> tuple[int, dict[str, Any]]:
        done = self.inv(task, "--core", str(self.repos.core), "--gitops", str(self.repos.gitops), "--json", *words)
        found = json.loads(done.stdout)
        steps = {s["key"]: s for p in found["phases"] for s in p["steps"]} if "phases" in found else found
        return done.returncode, steps
