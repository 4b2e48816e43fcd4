"""The state of this workstation, and the measured times."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.flags import JSON


@task(
    help={"json": JSON, "watch": "show it again every 5 s", "cached": "show the result of the last run, at once"},
    auto_shortflags=False,
)
def status(c: Context, json: bool = False, watch: bool = False, cached: bool = False) -> None:
    """Show tools, login, context, session, intercepts, processes, setup and times, each with its age."""
    from tasks.flows.status import cli

    cli.status(json=json, watch=watch, cached=cached)


@task(
    help={
        "what": "setup, connect, intercept or tilt, with its steps (default: everything measured)",
        "json": JSON,
        "assert_": "exit 1 if a newest time is over its budget",
    },
    auto_shortflags=False,
)
def timing(c: Context, what: str = "", json: bool = False, assert_: bool = False) -> None:
    """Show measured times against the budgets, cold and warm runs separately."""
    from tasks.flows.status import cli

    cli.timing(what=what, json=json, must=assert_)
