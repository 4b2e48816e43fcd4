"""The packages of the lock file are installed."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import pnpm


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Install when node_modules is missing or older than the lock file."""
    s = setup.settings
    if not (pnpm.folder(s) / "package.json").is_file():
        setup.skip("packages", f"no package.json in {pnpm.folder(s)}")
        return
    why = pnpm.missing(s)
    if why:
        yield pnpm.install(s, why)


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the command that installs them."""
    return (" ".join(("pnpm", *pnpm.install_args(setup.settings))),)


# After the guard has checked the target: for a production target nothing is written, not even node_modules.
STEP: Step[SetupRun] = Step(
    "packages",
    "the packages of the lock file are installed",
    plan,
    after=("credentials",),
    lock="packages",
    commands=commands,
)
