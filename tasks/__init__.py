"""remote-first: from a clone to a shared AKS dev cluster, and a fast loop there every day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invoke.collection import Collection


def __getattr__(name: str) -> Any:
    """`ns` is built when Invoke first asks for it: who imports a part of the package does not pay for the tree."""
    if name != "ns":
        raise AttributeError(f"module 'tasks' has no attribute '{name}'")
    globals()["ns"] = tree()
    return globals()["ns"]


def tree() -> Collection:
    """The tree of tasks, as `inv --list` shows it: daily verbs at the root, one collection for each namespace.

    `migrate` is absent in a repository where the migration is over and its files were deleted.
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
    if find_spec("tasks.migrate"):
        from tasks import migrate

        root.add_collection(Collection.from_module(migrate))
    return root
