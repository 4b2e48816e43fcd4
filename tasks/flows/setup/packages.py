"""The packages of the lock file are installed."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.work import Work
from tasks.tools import pnpm


def plan(work: Work) -> Iterator[Change[object]]:
    """Install when node_modules is missing or older than the lock file."""
    s = work.settings
    if not (pnpm.folder(s) / "package.json").is_file():
        work.notes["packages"] = f"no package.json in {pnpm.folder(s)}"
        return
    why = pnpm.missing(s)
    if why:
        yield pnpm.install(s, why)


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    return (" ".join(("pnpm", *pnpm.install_args(s))),)


# After the guard's verdict: into a production target's workstation nothing is written, not even node_modules.
STEP: Step[Work] = Step(
    "packages", "the packages of the lock file are installed", plan, after=("credentials",), alone="packages"
)
