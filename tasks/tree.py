"""The tree of tasks: daily verbs at the root, one collection for each namespace."""

from __future__ import annotations

from invoke.collection import Collection

from tasks import aks, argo, demo, devcontainer, migrate, see, suite, tilt, tp
from tasks.core.names import as_typed
from tasks.sandbox import tasks as sandbox

MAY_STAND_ALONE = ("leave", "tp.leave", "argo.check", "sandbox.legacy")  # tasks whose one word may be left away


def build() -> Collection:
    """The root collection, as `inv --list` shows it."""
    as_typed(optional=MAY_STAND_ALONE)
    return Collection(
        devcontainer.setup,
        tp.intercept,
        tp.leave,
        see.status,
        see.down,
        see.timing,
        demo.demo,
        suite.test,
        suite.bench,
        aks,
        argo,
        devcontainer,
        migrate,
        Collection.from_module(sandbox, name="sandbox"),
        tilt,
        tp,
    )
