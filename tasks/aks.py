"""The cluster in Azure: login, credentials, registry."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

DRY = "say what would be done, write nothing"
JSON = "one JSON document on stdout"
CHECK = "only look; exit 2 when something is missing"


@task(
    help={
        "mode": "auto, browser, device-code, managed-identity, service-principal or federated-token; default azure.login of the settings",
        "dry_run": DRY,
        "check": CHECK,
        "json": JSON,
    },
    auto_shortflags=False,
)
def login(c: Context, mode: str = "", dry_run: bool = False, check: bool = False, json: bool = False) -> None:
    """Log in to Azure in the way that fits, and test the token for the cluster."""
    from tasks.commands import az_login
    from tasks.core.settings import settings
    from tasks.steps.setup.run import run

    s = settings()
    way = az_login.mode(s, mode) if mode else ""
    dry = dry_run or bool(c.config.run.dry)
    code = run(s, only=["login"], way=way, dry=dry, check=check, as_json=json, name="login")
    if code:
        raise Exit(code=code)


@task(
    help={"force": "fetch them anew, whatever is there", "dry_run": DRY, "check": CHECK, "json": JSON},
    auto_shortflags=False,
)
def credentials(
    c: Context, force: bool = False, dry_run: bool = False, check: bool = False, json: bool = False
) -> None:
    """Put the cluster's context into your kubeconfig, logged in through az; nothing else in it changes."""
    from tasks.core.settings import settings
    from tasks.steps.setup.run import run

    dry = dry_run or bool(c.config.run.dry)
    only = ["login", "credentials", "kubelogin"]
    code = run(settings(), only=only, force=force, dry=dry, check=check, as_json=json, name="credentials")
    if code:
        raise Exit(code=code)


@task(help={"dry_run": DRY, "check": CHECK, "json": JSON}, auto_shortflags=False)
def registry(c: Context, dry_run: bool = False, check: bool = False, json: bool = False) -> None:
    """Log Docker in to the registry."""
    from tasks.core.settings import settings
    from tasks.steps.setup.run import run

    dry = dry_run or bool(c.config.run.dry)
    code = run(settings(), only=["login", "registry"], dry=dry, check=check, as_json=json, name="registry")
    if code:
        raise Exit(code=code)
