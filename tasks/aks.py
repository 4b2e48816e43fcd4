"""The cluster in Azure: login, credentials, registry, what it has, and whether it runs."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from tasks.core.cli.flags import CHECK, DRY, JSON, YES, dry


@task(
    help={
        "mode": "auto, browser, device-code, managed-identity, service-principal or federated-token (default: azure.login of the settings)",
        "force": "log in again even if the login still works (another account)",
        "dry_run": DRY,
        "check": CHECK,
        "json": JSON,
    },
    auto_shortflags=False,
)
def login(
    c: Context, mode: str = "", force: bool = False, dry_run: bool = False, check: bool = False, json: bool = False
) -> None:
    """Log in to Azure in the suitable mode, and test the token for the cluster."""
    from tasks.flows.setup.cli import log_in

    code = log_in(mode=mode, relogin=force, dry=dry(c, dry_run), check=check, as_json=json)
    if code:
        raise Exit(code=code)


@task(
    help={"force": "fetch them again even if they are there", "dry_run": DRY, "check": CHECK, "json": JSON},
    auto_shortflags=False,
)
def credentials(
    c: Context, force: bool = False, dry_run: bool = False, check: bool = False, json: bool = False
) -> None:
    """Put the cluster's context into your kubeconfig, with its login through az; nothing else in it changes."""
    from tasks.core.config.settings import settings
    from tasks.flows.setup.cli import run

    only = ["login", "credentials", "kubelogin"]
    code = run(settings(), only=only, force=force, dry=dry(c, dry_run), check=check, as_json=json, name="credentials")
    if code:
        raise Exit(code=code)


@task(help={"dry_run": DRY, "check": CHECK, "json": JSON}, auto_shortflags=False)
def registry(c: Context, dry_run: bool = False, check: bool = False, json: bool = False) -> None:
    """Log Docker in to the registry."""
    from tasks.core.config.settings import settings
    from tasks.flows.setup.cli import run

    code = run(settings(), only=["login", "registry"], dry=dry(c, dry_run), check=check, as_json=json, name="registry")
    if code:
        raise Exit(code=code)


@task(help={"check": "exit 2 if something is missing", "json": JSON}, auto_shortflags=False)
def check(c: Context, check: bool = False, json: bool = False) -> None:
    """Check that the cluster and your rights suffice for daily work; each ok, missing or unknown, with its fix."""
    from tasks.core.config.settings import settings
    from tasks.flows.cluster.cli import check_cluster

    check_cluster(settings(), json=json, check=check)


@task(help={"json": JSON}, auto_shortflags=False)
def status(c: Context, json: bool = False) -> None:
    """Show the cluster's power, its node pools, and what would make them cheaper."""
    from tasks.core.config.settings import settings
    from tasks.flows.cluster.cli import status as show

    show(settings(), json=json)


@task(help={"yes": YES, "dry_run": DRY, "check": CHECK, "json": JSON}, auto_shortflags=False)
def start(c: Context, yes: bool = False, dry_run: bool = False, check: bool = False, json: bool = False) -> None:
    """Start the cluster if it is stopped; asks first."""
    from tasks.core.config.settings import settings
    from tasks.flows.cluster.cli import switch
    from tasks.flows.cluster.power import Verb

    switch(settings(), Verb.START, yes=yes, dry=dry(c, dry_run), check=check, json=json)


@task(
    help={
        "yes": YES,
        "confirm": "the cluster's name: needed where others intercept something",
        "dry_run": DRY,
        "check": CHECK,
        "json": JSON,
    },
    auto_shortflags=False,
)
def stop(
    c: Context, yes: bool = False, confirm: str = "", dry_run: bool = False, check: bool = False, json: bool = False
) -> None:
    """Stop the cluster, for everybody; asks first, names who intercepts, and refuses production."""
    from tasks.core.config.settings import settings
    from tasks.flows.cluster.cli import switch
    from tasks.flows.cluster.power import Verb

    switch(settings(), Verb.STOP, yes=yes, confirm=confirm, dry=dry(c, dry_run), check=check, json=json)


@task(
    help={
        "hours": "START-END in whole hours, local time",
        "days": "FIRST-LAST",
        "zone": "the time zone",
        "out": "write the file there (default: print it)",
        "dry_run": DRY,
    },
    auto_shortflags=False,
)
def schedule(
    c: Context,
    hours: str = "7-19",
    days: str = "mon-fri",
    zone: str = "Europe/Berlin",
    out: str = "",
    dry_run: bool = False,
) -> None:
    """Generate the file that stops the cluster at night and at weekends, to be reviewed in the gitops repository."""
    from tasks.core.config.settings import settings
    from tasks.flows.cluster.cli import write_schedule
    from tasks.flows.cluster.schedule import hours as parse

    write_schedule(settings(), parse(hours, days, zone), out, dry=dry(c, dry_run))
