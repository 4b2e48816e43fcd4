"""The tree of tasks: daily verbs at the root, one collection for each namespace."""

from __future__ import annotations

from invoke.collection import Collection

from tasks.core.names import accept_underscores


def build() -> Collection:
    """The root collection, as `inv --list` shows it."""
    accept_underscores()
    return Collection()
