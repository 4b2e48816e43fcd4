"""What `inv tilt.down` removes: the releases that the journal or the release's own label says are ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from tasks.core.config.catalogue import Catalogue, catalogue
from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change, perform
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.flows.tilt import orphans, ownership
from tasks.flows.tilt.request import parse, split_at_commas
from tasks.tools import helm


def changes(s: Settings, only: Sequence[str] = ()) -> Iterator[Change[object]]:
    """Yield what there is to remove: killed Tilts and these releases, or without names all Tilts and releases.

    Releases of others and the baseline are never among them.
    """
    for entry in orphans.runs():
        if not only or not entry.owner_lives:
            yield _tilt(entry)
    yield from _releases(s, only)


def _tilt(entry: Entry) -> Change[object]:
    stop, pid = partial(orphans.stop, entry), str(entry.data.get("group"))
    if orphans.lives(entry):
        return Change(f"end Tilt (pid {pid})", run=stop, equivalent=("kill", pid))
    return Change("end what a killed Tilt left behind", run=stop)


def names(known: Catalogue, words: Sequence[str]) -> list[str]:
    """Return the releases that these words name: any name of a service, or a release of the journal."""
    recorded = {entry.data.get("release") for entry in journal.entries("release")}
    services = parse(known, [word for word in split_at_commas(words) if word not in recorded], (), ()).only
    return [service.release for service in services] + [word for word in split_at_commas(words) if word in recorded]


def _releases(s: Settings, only: Sequence[str]) -> Iterator[Change[object]]:
    """Yield the removal of these releases, or of all, of which the label or the journal says that they are ours."""
    recorded = [e.data for e in journal.entries("release") if e.data.get("context") == s.cluster.context]
    for namespace in sorted({s.cluster.namespace, *(str(data.get("namespace")) for data in recorded)}):
        place = ownership.in_namespace(s, namespace)
        existing = {release.name: release for release in helm.releases(place, ownership.owner(s))}
        here = {str(data.get("release")) for data in recorded if data.get("namespace") == namespace}
        for name in sorted(only or {*here, *(release.name for release in existing.values() if release.mine)}):
            yield from _release(place, name, existing.get(name))


def _release(place: Settings, name: str, release: helm.Release | None) -> Iterator[Change[object]]:
    entry = ownership.entry_of(place, name)
    if any(name in service.names for service in catalogue().services):
        return  # the baseline
    if release is not None and ownership.is_mine(place, release):
        uninstall = helm.uninstall(place, name)
        yield Change(uninstall.text, uninstall.argv, partial(_uninstall, uninstall, entry), uninstall.destroys)
    elif entry is not None:
        yield Change(f"remove {name} from the journal: no such release is yours", run=partial(journal.forget, entry))


def _uninstall(change: Change[object], entry: Entry | None) -> None:
    perform(change)
    if entry is not None:
        journal.forget(entry)
