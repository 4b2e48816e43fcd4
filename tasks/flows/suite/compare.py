"""Which of the carried files differ from their origin."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from tasks.core import origin
from tasks.core.origin import Origin
from tasks.flows.suite.copies import Suite


class Kind(StrEnum):
    """How a file differs."""

    EDITED = "edited"
    DELETED = "deleted"
    ADDED = "added"
    OVER = "over"
    """Deleted with the migration, which is meant."""


class Difference(NamedTuple):
    """A path in this repository."""

    path: str
    kind: Kind


def differences(suite: Suite, recorded: Origin) -> list[Difference]:
    """Return what was edited, deleted and added here, by path. Values of the team are no difference."""
    known = [(path, _kind(suite, path, entry)) for path, entry in recorded.files.items()]
    added = [path for path in suite.files if path not in recorded.files and not origin.is_value(path)]
    found = [*((path, kind) for path, kind in known if kind), *((path, Kind.ADDED) for path in added)]
    return [Difference(suite.place(path), kind) for path, kind in sorted(found)]


def _kind(suite: Suite, path: str, entry: str) -> Kind | None:
    found = suite.file(path)
    if found is None:
        return Kind.OVER if origin.is_of_the_migration(path) else Kind.DELETED
    return None if origin.is_value(path) or found.entry == entry else Kind.EDITED
