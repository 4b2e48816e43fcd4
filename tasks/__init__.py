"""remote-first: from a clone to a shared AKS dev cluster, and a fast loop there every day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invoke.collection import Collection


def __getattr__(name: str) -> Any:
    """Build `ns` when Invoke asks for it, so that an import of one module does not build the tree of tasks."""
    if name != "ns":
        raise AttributeError(f"module 'tasks' has no attribute '{name}'")
    globals()["ns"] = tree()
    return globals()["ns"]


def tree() -> Collection:
    """Return the tree of tasks as `inv --list` shows it: daily verbs at the root, one collection for each namespace.

    A repository that has deleted the migration has no `migrate`.
    """
    from importlib.util import find_spec

    from invoke.collection import Collection

    from tasks import aks, argo, demo, devcontainer, down, sandbox, status, suite, tilt, tp

    root = Collection(
        devcontainer.setup,
        tp.intercept,
        tp.leave,
        status.status,
        down.down,
        status.timing,
        demo.demo,
        suite.test,
        suite.bench,
        aks,
        argo,
        devcontainer,
        sandbox,
        tilt,
        tp,
    )
    if find_spec("tasks.migrate") and find_spec("migration"):
        from tasks import migrate

        root.add_collection(Collection.from_module(migrate))
    return root
