"""Argo CD beside your intercepts and Tilt releases."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.flags import JSON


@task(
    positional=["service"],
    help={
        "service": "one service of config/services.yaml; default: all of them",
        "check": "exit 2 when something is wrong",
        "json": JSON,
    },
    auto_shortflags=False,
)
def check(c: Context, service: str = "", check: bool = False, json: bool = False) -> None:
    """Who owns a workload, would Argo CD undo an intercept, has it opted in; prints the patch for gitops."""
    from tasks.core.config.settings import settings
    from tasks.flows.cluster.cli import of_argo

    of_argo(settings(), service, json=json, check=check)
