"""What `inv tilt.down` removes: the releases that the journal or the release's own label says are ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change, perform
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.flows.tilt import orphans, ownership
from tasks.tools import helm


def changes(s: Settings, only: Sequence[Service] = ()) -> Iterator[Change[object]]:
    """Yield what there is to remove: with all services the Tilts that still run, then the releases.

    Releases of others and the baseline are never among them.
    """
    if not only:
        yield from _tilts()
    yield from _releases(s, only or catalogue().services)


def _tilts() -> Iterator[Change[object]]:
    for entry in orphans.runs():
        stop = partial(orphans.stop, entry)
        if orphans.lives(entry):
            pid = str(entry.data.get("group"))
            yield Change(f"end Tilt (pid {pid})", run=stop, equivalent=("kill", pid))
        else:
            yield Change("end what a killed Tilt left behind", run=stop)


def _releases(s: Settings, services: Sequence[Service]) -> Iterator[Change[object]]:
    baseline = {name for service in catalogue().services for name in service.names}
    existing = {release.name: release for release in helm.releases(s, ownership.owner(s))}
    for name in sorted({service.release for service in services} - baseline):
        entry = ownership.entry_of(s, name)
        release = existing.get(name)
        if release is not None and ownership.is_mine(s, release):
            uninstall = helm.uninstall(s, name)
            yield Change(uninstall.text, uninstall.argv, partial(_uninstall, uninstall, entry), uninstall.destroys)
        elif entry is not None:
            yield Change(
                f"remove {name} from the journal: it does not exist any more", run=partial(journal.forget, entry)
            )


def _uninstall(change: Change[object], entry: Entry | None) -> None:
    perform(change)
    if entry is not None:
        journal.forget(entry)
