"""Argo CD beside your intercepts and Tilt releases."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.flags import JSON
from tasks.core.repository import CATALOGUE


@task(
    positional=["service"],
    help={
        "service": f"a service of {CATALOGUE} (default: all)",
        "check": "exit 2 if something is wrong",
        "json": JSON,
    },
    auto_shortflags=False,
)
def check(c: Context, service: str = "", check: bool = False, json: bool = False) -> None:
    """Show who owns a workload, whether Argo CD would undo an intercept, and the patch for gitops."""
    from tasks.core.config.settings import settings
    from tasks.flows.cluster.cli import check_argo

    check_argo(settings(), service, json=json, check=check)
