"""Remove this workstation's releases, and nothing else: what the journal or the release's own label says is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.flows import session
from tasks.flows.tilt import orphans, ownership
from tasks.tools import helm
from tasks.tools.private_caches import without_trace


def run(only: Sequence[Service], *, dry: bool, json: bool) -> None:
    """Remove them one after the other; go on after a failure, and fail at the end."""
    s = settings()
    failed: Trouble | None = None
    done: list[Change[object]] = []
    with without_trace() if dry else nullcontext():
        guard.names(s)
        session.prepare(s, dry=dry)
        guard.assess(s)
        for change in changes(s, only):
            try:
                if dry:
                    _show(change, json)
                else:
                    perform(change)
                    ui.progress("done", "tilt", change.text)
                done.append(change)
            except Trouble as why:
                ui.talk(why.text())
                failed = failed or why
    if json:
        ui.as_json({"changes": [{"text": c.text, "command": c.command, "destroys": c.destroys} for c in done]})
    elif not done and not failed:
        ui.say("nothing of yours to remove")
    if failed:
        raise Trouble(f"not all is removed: {failed.what}", why=failed.why, fix=failed.fix or "inv tilt.down again")


def changes(s: Settings, only: Sequence[Service] = ()) -> Iterator[Change[object]]:
    """What is there to remove: a Tilt that still runs, then its releases. Another's and the baseline's never are."""
    for entry in orphans.runs() if not only else ():
        if orphans.lives(entry):
            yield Change(
                f"end Tilt (pid {entry.data.get('group')})", ("kill", str(entry.data.get("group"))), _stop(entry)
            )
        else:
            yield Change("end what a killed Tilt left", run=_stop(entry))
    wanted = {service.release for service in only or catalogue().services}
    baseline = {name for service in catalogue().services for name in service.names}
    there = {r.name: r for r in helm.releases(s, ownership.holder(s))}
    for name in sorted(wanted - baseline):
        entry_of = ownership.entry_of(s, name)
        release = there.get(name)
        if release is not None and ownership.is_mine(s, release):
            change = helm.uninstall(s, name)
            yield Change(change.text, change.argv, partial(_uninstall, change, entry_of), change.destroys)
        elif entry_of is not None:
            yield Change(f"forget {name}, which is gone", run=partial(journal.forget, entry_of))


def _uninstall(change: Change[object], entry: Entry | None) -> None:
    change.run()
    if entry is not None:
        journal.forget(entry)


def _stop(entry: Entry) -> Callable[[], object]:
    return partial(orphans.stop, entry)


def _show(change: Change[object], json: bool) -> None:
    if not json:
        ui.say(change.would)
