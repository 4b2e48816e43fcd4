"""See where this workstation stands, and undo what it made."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from tasks.core.errors import Trouble
from tasks.core.flags import JSON, dry


@task(
    help={
        "json": JSON,
        "watch": "again every 5 s",
        "cached": "what the last look saw, at once",
    },
    auto_shortflags=False,
)
def status(c: Context, json: bool = False, watch: bool = False, cached: bool = False) -> None:
    """Show tools, login, context, session, intercepts, processes, setup and times, each with its age."""
    from tasks.steps.overview import status as overview

    if watch and (json or cached):
        raise Trouble("--watch goes with neither --json nor --cached", fix="inv status --watch")
    if watch:
        overview.watch(5)
    overview.show(json=json, cached=cached)


@task(
    help={"dry_run": "say what would be undone, write nothing", "tilt": "this workstation's Tilt releases too"},
    auto_shortflags=False,
)
def down(c: Context, dry_run: bool = False, tilt: bool = False) -> None:
    """Undo what this workstation made: intercepts, processes, files, the session."""
    from tasks.steps.overview import down as way

    way.run(dry=dry(c, dry_run), tilt=tilt)


@task(
    help={
        "what": "setup, connect, intercept or tilt, with the steps of it; default: all that was measured",
        "json": JSON,
        "assert_": "end with 1 when a newest time is over its budget",
    },
    auto_shortflags=False,
)
def timing(c: Context, what: str = "", json: bool = False, assert_: bool = False) -> None:
    """Show measured times against the budgets, cold and warm apart."""
    from tasks.steps.overview import times

    times.show(what=what, json=json, must=assert_)
