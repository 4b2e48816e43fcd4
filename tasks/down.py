"""Undo what this workstation made."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.flags import dry


@task(
    help={"dry_run": "say what would be undone, write nothing", "tilt": "this workstation's Tilt releases too"},
    auto_shortflags=False,
)
def down(c: Context, dry_run: bool = False, tilt: bool = False) -> None:
    """Undo what this workstation made: intercepts, processes, files, the session."""
    from tasks.flows.teardown import cli

    cli.down(dry=dry(c, dry_run), tilt=tilt)
