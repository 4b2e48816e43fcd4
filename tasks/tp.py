"""Telepresence: the session to the cluster, and intercepts of its services."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.command_line import remainder
from tasks.core.cli.flags import DRY, JSON, YES, dry
from tasks.core.repository import CATALOGUE


@task(help={"yes": YES, "dry_run": DRY, "check": "exit 2 if not connected", "json": JSON}, auto_shortflags=False)
def connect(c: Context, yes: bool = False, dry_run: bool = False, check: bool = False, json: bool = False) -> None:
    """Connect to the cluster with the session's own kubeconfig."""
    from tasks.flows.session import cli

    cli.connect(yes=yes, dry=dry(c, dry_run), check=check, json=json)


@task(help={"json": JSON}, auto_shortflags=False)
def status(c: Context, json: bool = False) -> None:
    """Show the session: where it is connected, and what is intercepted."""
    from tasks.flows.session import cli

    cli.status(json=json)


@task(name="list", help={"json": JSON}, auto_shortflags=False)
def list_(c: Context, json: bool = False) -> None:
    """List what can be intercepted, and what is intercepted."""
    from tasks.flows.intercept import cli

    cli.list_(json=json)


@task(
    help={
        "service": f"any of its names in {CATALOGUE}",
        "port": "LOCAL[:REMOTE], such as 3001 or 3001:http (default: from the catalogue)",
        "replace": "stop the pod's own container during the intercept",
        "personal": "intercept only requests with your slot's header; fail if that is not possible",
        "everyone": "intercept all traffic even if a slot is set",
        "no_run": "only intercept, run nothing; `inv leave` ends it",
        "env_file": "also write the pod's environment to this file, mode 0600 (*.json: all variables; else the lines NAME=value that dotenv, shells and docker read alike)",
        "mount": "mount the pod's volumes (needs sshfs)",
        "dry_run": DRY,
        "json": JSON,
        "yes": YES,
    },
    auto_shortflags=False,
)
def intercept(
    c: Context,
    service: str,
    port: str = "",
    replace: bool = False,
    personal: bool = False,
    everyone: bool = False,
    no_run: bool = False,
    env_file: str = "",
    mount: bool = False,
    dry_run: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Send a service's traffic to a local process with the pod's environment, until it ends.

    inv intercept SERVICE              runs the dev command of the catalogue
    inv intercept SERVICE -- COMMAND   runs a command of your own
    """
    from tasks.core.config.catalogue import catalogue
    from tasks.flows.intercept import cli
    from tasks.flows.intercept.request import Request

    cli.intercept(
        Request(
            service=catalogue().named(service, "intercept"),
            port=port,
            replace=replace,
            personal=personal,
            everyone=everyone,
            run=not no_run,
            mount=mount,
            env_file=env_file,
            overwrite=yes,
            command=tuple(remainder(c, required=True)),
        ),
        dry=dry(c, dry_run),
        json=json,
    )


@task(
    positional=["service"],
    help={"service": "a service or an intercept (default: all of this workstation)", "dry_run": DRY},
    auto_shortflags=False,
)
def leave(c: Context, service: str = "", dry_run: bool = False) -> None:
    """End the intercepts of this workstation, or one of them."""
    from tasks.flows.intercept import cli

    cli.leave(service, dry=dry(c, dry_run))


@task(help={"yes": YES, "dry_run": DRY}, auto_shortflags=False)
def quit(c: Context, yes: bool = False, dry_run: bool = False) -> None:
    """End the session and its daemons."""
    from tasks.flows.session import cli

    cli.quit(yes=yes, dry=dry(c, dry_run))


@task(
    help={
        "service": "any of its names",
        "env_file": "write it to this file, mode 0600 (*.json: all variables; else the lines NAME=value that dotenv, shells and docker read alike)",
        "names": "show only the names",
        "json": JSON,
        "yes": YES,
    },
    auto_shortflags=False,
)
def env(
    c: Context, service: str, env_file: str = "", names: bool = False, json: bool = False, yes: bool = False
) -> None:
    """Show the environment of the intercepted pod, which contains secrets."""
    from tasks.core.config.catalogue import catalogue
    from tasks.flows.intercept import cli

    cli.env(catalogue().named(service, "tp.env"), env_file=env_file, overwrite=yes, names=names, json=json)


@task(help={"service": "any of its names", "via": "ingress or service", "json": JSON}, auto_shortflags=False)
def verify(c: Context, service: str, via: str = "", json: bool = False) -> None:
    """Send a request through the ingress, and show who answers: the local process or the baseline."""
    from tasks.core.config.catalogue import catalogue
    from tasks.flows.intercept import cli

    cli.verify(catalogue().named(service, "tp.verify"), via=via, json=json)


@task(help={"json": JSON}, auto_shortflags=False)
def who(c: Context, json: bool = False) -> None:
    """Show who holds which intercept, as far as the cluster knows."""
    from tasks.flows.intercept import cli

    cli.who(json=json)
