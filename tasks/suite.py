"""The suite's own files in this repository: what differs from their origin, and a newer suite."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.flags import DRY, JSON, YES, dry


@task(help={"check": "exit 2 if a file was edited, deleted or added here", "json": JSON}, auto_shortflags=False)
def check(c: Context, check: bool = False, json: bool = False) -> None:
    """Show which of the suite's files were edited, deleted or added here since they were copied."""
    from tasks.core.config.settings import settings
    from tasks.flows.suite import cli

    cli.check(settings(), check=check, json=json)


@task(
    iterable=["keep"],
    help={
        "from_": "a checkout of the newer suite, with its history",
        "keep": "a blocked file: your version stays, and counts as merged (repeatable)",
        "yes": YES,
        "dry_run": DRY,
        "check": "like --dry-run; exit 2 when there is something to update",
        "json": JSON,
    },
    auto_shortflags=False,
)
def update(
    c: Context,
    from_: str = "",
    keep: Sequence[str] | None = None,
    yes: bool = False,
    dry_run: bool = False,
    check: bool = False,
    json: bool = False,
) -> None:
    """Bring a newer suite in: your edits are merged or block, your settings stay; staged, not committed."""
    from tasks.core.errors import Trouble
    from tasks.core.repository import repository_root
    from tasks.flows.suite import cli

    if not from_:
        raise Trouble("suite.update needs the newer suite", fix="inv suite.update --from CHECKOUT")
    flags = {"yes": yes, "dry": dry(c, dry_run), "check": check, "json": json}
    cli.update(from_, {"root": str(repository_root()), "keep": list(keep or ()), **flags})
