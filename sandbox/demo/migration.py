"""The demo of the migration: plan, apply and check five phases on the two old repositories."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sandbox.legacy import make
from tasks.core import ui
from tasks.core.errors import REFUSED, Trouble
from tasks.core.repository import repository_root

_PHASES = re.compile(r"^(phase \d|error:|  (why|fix):|  \S\S \d\. |success)")
_STEPS = re.compile(r"^  \S\S [A-Z]+-\d\d ")


def run(size: str = "S") -> None:
    """Run the demo. Raises Trouble if a command exits in an unexpected way."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="remote-first-demo-") as folder:
        pair = make(Path(folder) / "pair", size=size, remotes=True)
        where = ("--core", str(pair.core), "--gitops", str(pair.gitops))
        plan = str(Path(folder) / "plan.json")
        ui.say(f"# The two old repositories: {pair.files} files, a local k3d cluster, infrastructure in core.")
        _inv(folder, "migrate.status", *where)
        ui.say(
            "\n# One plan for all five phases, each on the simulated result of the previous ones. Nothing is written:"
        )
        _inv(folder, "migrate.plan", "--out", plan, *where, steps=True)
        ui.say("\n# Exactly that plan is applied. It stops where you must act: gitops must be pushed first.")
        _inv(folder, "migrate.apply", plan, "--yes", *where, expect=REFUSED)
        ui.say("\n# After the push, the same plan continues:")
        _git(pair.gitops, "push", "--quiet")
        _inv(folder, "migrate.apply", plan, "--yes", *where, expect=None)
        ui.say("\n# Progress is computed from the trees:")
        _inv(folder, "migrate.status", *where)
        ui.say("\n# One commit for each step; `inv migrate.undo` shows how to roll back:")
        ui.say(_git(pair.core, "log", "--oneline", "-12"))
    ui.say(f"\nThe demo took {time.monotonic() - began:.0f} s. Nothing of it is left.")


def _inv(folder: str, task: str, *words: str, expect: int | None = 0, steps: bool = False) -> None:
    """Run one of the migration's tasks and show its phases and steps; `expect` None accepts 0 and 1 (VAL needs a cluster)."""
    shown = [word.replace(folder, "$DEMO") for word in words]
    ui.say(f"$ inv {task} {' '.join(shown)}")
    program = [sys.executable, str(repository_root() / "tasks.py"), task, *words]
    done = subprocess.run(program, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith(("error:", "  why:", "  fix:"))]
    for line in [*done.stdout.splitlines(), *errors]:
        if _PHASES.match(line) or (steps and _STEPS.match(line)):
            ui.say("  " + line.replace(folder, "$DEMO"))
    if done.returncode not in ({0, 1} if expect is None else {expect}):
        raise Trouble(f"inv {task} exited with {done.returncode}: {done.stderr.strip()[-300:]}", fix=f"inv {task}")


def _git(repository: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        fix = shlex.join(["git", "-C", str(repository), *words])
        raise Trouble(f"git {words[0]}: {done.stderr.strip()[-300:]}", fix=fix)
    return done.stdout.rstrip()
