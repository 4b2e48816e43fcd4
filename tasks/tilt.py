"""Tilt: build and deploy beside the baseline, or run in an intercept, with one page for all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.command_line import remainder
from tasks.core.cli.flags import DRY, JSON, dry

if TYPE_CHECKING:
    from tasks.flows.tilt.request import Request

ONLY = "a service to deploy, by any of its names (repeatable, or with commas)"


@task(
    help={
        "only": ONLY,
        "intercept": "a service to run here in an intercept (repeatable); without --only nothing is deployed",
        "port": "the port of Tilt's page (default: from the settings, or a free one if that is in use)",
        "dry_run": DRY,
    },
    iterable=["only", "intercept"],
    auto_shortflags=False,
)
def up(c: Context, only: Sequence[str], intercept: Sequence[str], port: str = "", dry_run: bool = False) -> None:
    """Start Tilt with the session's kubeconfig, after the guard's check; nothing keeps running when it ends.

    inv tilt.up --only SERVICE         builds it and deploys your release beside the baseline
    inv tilt.up --intercept SERVICE    runs it here in an intercept
    inv tilt.up -- ARGUMENTS           hands them to the Tiltfile
    inv tilt.up -- FLAGS -- ARGUMENTS  gives Tilt flags too
    """
    from tasks.flows.tilt import cli

    cli.up(_request(c, only, intercept), port=port, dry=dry(c, dry_run))


@task(
    help={"only": ONLY, "port": "the port of Tilt's page (default: from the settings)", "dry_run": DRY},
    iterable=["only"],
    auto_shortflags=False,
)
def ci(c: Context, only: Sequence[str], port: str = "", dry_run: bool = False) -> None:
    """Build and deploy once; end when everything is ready, or with what failed."""
    from tasks.flows.tilt import cli

    cli.ci(_request(c, only, ()), port=port, dry=dry(c, dry_run))


@task(help={"only": ONLY, "dry_run": DRY, "json": JSON}, iterable=["only"], auto_shortflags=False)
def down(c: Context, only: Sequence[str], dry_run: bool = False, json: bool = False) -> None:
    """End Tilt and delete this workstation's releases; those of others and the baseline stay."""
    from tasks.flows.tilt import cli

    cli.down(only, dry=dry(c, dry_run), json=json)


@task(help={"json": JSON}, auto_shortflags=False)
def status(c: Context, json: bool = False) -> None:
    """Show what Tilt runs, what of it is ready, and whose releases are in the cluster."""
    from tasks.flows.tilt import cli

    cli.status(json=json)


def _request(c: Context, only: Sequence[str], intercept: Sequence[str]) -> Request:
    from tasks.core.config.catalogue import catalogue
    from tasks.flows.tilt import request

    return request.parse(catalogue(), only, intercept, remainder(c))
