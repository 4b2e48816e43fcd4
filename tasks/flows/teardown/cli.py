"""The body of `inv down`."""

from __future__ import annotations

from contextlib import nullcontext

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import perform
from tasks.core.state import journal
from tasks.flows.teardown import undo
from tasks.tools import base, credentials
from tasks.tools.private_caches import without_trace


def down(*, dry: bool, tilt: bool) -> None:
    """Undo everything this workstation made; releases of Tilt only with `tilt`. Goes on after a failure, and fails at the end."""
    with without_trace() if dry else nullcontext():
        _down(settings(), dry=dry, tilt=tilt)


def _down(s: Settings, *, dry: bool, tilt: bool) -> None:
    _must_not_be_production(s)
    failures: list[Trouble] = []
    undone = 0
    for change in undo.changes(s, failures, tilt=tilt):
        try:
            if dry:
                ui.say(change.would)
            else:
                perform(change)
                ui.progress("done", "down", change.text)
            undone += 1
        except Trouble as why:
            failures.append(why)
    if not dry:
        try:
            credentials.forget(s)
        except Trouble as why:
            failures.append(why)
    _raise_first(failures)
    if not undone:
        ui.say("nothing to undo")
    if not tilt and journal.entries("release"):
        ui.say("releases of Tilt are kept; remove yours with inv tilt.down")


def _must_not_be_production(s: Settings) -> None:
    """Raise Refused for production.

    A target that cannot be looked at (the login has expired) may still be cleaned up: the guard was asked when things
    were made there, and nothing else is touched.
    """
    guard.check_names(s)
    if not base.frozen_kubeconfig(s).exists():
        return
    try:
        guard.assess(s)
    except guard.UnknownTarget as why:
        ui.warn(f"{why.problem.summary}; only what was made there is undone")
        ui.talk(f"  fix: {why.fix}")


def _raise_first(failures: list[Trouble]) -> None:
    for other in failures[1:]:
        ui.talk(other.text())
    if failures:
        first = failures[0]
        raise Trouble(f"not everything was undone: {first.what}", why=first.why, fix=first.fix or "run this again")
