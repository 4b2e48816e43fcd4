"""The dev container: everything that must be in place before work starts."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from tasks.core.cli.flags import CHECK, DRY, JSON, YES, dry


@task(
    iterable=["only", "skip"],
    help={
        "only": "run only this step (repeatable): tools submodules packages login credentials kubelogin access registry connect ready",
        "skip": "skip this step (repeatable)",
        "dry_run": DRY,
        "check": CHECK,
        "json": JSON,
        "yes": YES,
    },
    auto_shortflags=False,
)
def setup(
    c: Context,
    only: Sequence[str] | None = None,  # with another default Invoke would not make a list of it
    skip: Sequence[str] | None = None,
    dry_run: bool = False,
    check: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Set this workstation up: tools, packages, Azure login, cluster, registry, session."""
    from tasks.core.config.settings import settings
    from tasks.core.state import store
    from tasks.flows.setup.cli import run

    code = run(settings(), only=only or (), skip=skip or (), dry=dry(c, dry_run), check=check, as_json=json, yes=yes)
    if code:
        raise Exit(code=code)
    if not (dry(c, dry_run) or check or only or skip):  # what postCreate.sh wrote for the first terminal is out of date
        store.delete(store.folder("notice"))


@task(
    help={
        "files": "check this .devcontainer folder instead of this machine",
        "check": "exit 2 if something is missing",
        "json": JSON,
    },
    auto_shortflags=False,
)
def check(c: Context, files: str = "", check: bool = False, json: bool = False) -> None:
    """Check that this machine, or the files of a dev container, have what Telepresence and the suite need."""
    from tasks.core.config.settings import settings
    from tasks.flows.cluster.cli import check_container

    check_container(settings(), files=files, json=json, check=check)
