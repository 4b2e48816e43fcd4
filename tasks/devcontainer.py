"""The dev container: everything that must be right before work starts."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

DRY = "say what would be done, write nothing"


@task(
    iterable=["only", "skip"],
    help={
        "only": "run this step alone (repeatable): tools submodules packages login credentials kubelogin access registry connect ready",
        "skip": "leave this step out (repeatable)",
        "dry_run": DRY,
        "check": "only look; exit 2 when something is missing",
        "json": "one JSON document on stdout",
        "yes": "confirm what would otherwise be asked",
    },
    auto_shortflags=False,
)
def setup(
    c: Context,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    dry_run: bool = False,
    check: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Set this workstation up: tools, packages, Azure login, cluster, registry, session."""
    from tasks.core.settings import settings
    from tasks.steps.setup.run import run

    code = run(
        settings(),
        only=only,
        skip=skip,
        dry=dry_run or bool(c.config.run.dry),
        check=check,
        as_json=json,
        yes=yes,
    )
    if code:
        raise Exit(code=code)
