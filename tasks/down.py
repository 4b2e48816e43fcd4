"""Undo what this workstation created."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.flags import dry


@task(
    help={
        "dry_run": "show what would be undone; change nothing",
        "tilt": "delete this workstation's Tilt releases too",
    },
    auto_shortflags=False,
)
def down(c: Context, dry_run: bool = False, tilt: bool = False) -> None:
    """Undo what this workstation created: intercepts, processes, files, the session."""
    from tasks.flows.teardown import cli

    cli.down(dry=dry(c, dry_run), tilt=tilt)
