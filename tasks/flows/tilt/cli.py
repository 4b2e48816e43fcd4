"""The bodies of `inv tilt.up`, `tilt.ci`, `tilt.down` and `tilt.status`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import settings
from tasks.core.errors import FAILED, Trouble
from tasks.core.plan.change import Change, perform
from tasks.flows import session
from tasks.flows.tilt import removal, run, show
from tasks.flows.tilt import status as statuses
from tasks.flows.tilt.request import Request
from tasks.tools import tilt
from tasks.tools.private_caches import without_trace


def up(request: Request, *, port: str, dry: bool) -> None:
    """Start Tilt and stay until it ends. Exits with Tilt's code."""
    raise SystemExit(run.run(settings(), request, tilt.up, port=port, dry=dry))


def ci(request: Request, *, port: str, dry: bool) -> None:
    """Build and deploy once. Exits with Tilt's code."""
    raise SystemExit(run.run(settings(), request, tilt.ci, port=port, dry=dry))


def down(only: Sequence[str], *, dry: bool, json: bool) -> None:
    """Remove this workstation's releases, one after the other. Goes on after a failure, and fails at the end."""
    s = settings()
    failures: list[Trouble] = []
    done: list[Change[object]] = []
    with without_trace() if dry else nullcontext():
        guard.check_names(s)
        session.prepare(s, dry=dry)
        guard.assess(s)
        for change in removal.changes(s, removal.names(catalogue(), only)):
            try:
                _remove(change, dry=dry, json=json)
                done.append(change)
            except Trouble as why:
                ui.talk(why.text())
                failures.append(why)
    if json:
        ui.as_json({"changes": [{"text": c.text, "command": c.command, "destroys": c.destroys} for c in done]})
    elif not done and not failures:
        ui.say("no release of yours to remove")
    if failures:
        first = failures[0]
        raise Trouble(f"not everything was removed: {first.what}", why=first.why, fix=first.fix or "run this again")


def status(*, json: bool) -> None:
    """Show what Tilt runs here and whose releases are in the cluster. Exits with 1 when it could not look at the releases."""
    found = statuses.look(settings())
    if json:
        ui.as_json(found.document())
    else:
        show.status(found)
    if found.releases is None:
        raise SystemExit(FAILED)


def _remove(change: Change[object], *, dry: bool, json: bool) -> None:
    if not dry:
        perform(change)
        ui.progress("done", "tilt", change.text)
    elif not json:
        ui.say(change.would)
