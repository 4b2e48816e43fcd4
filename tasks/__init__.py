"""remote-first: from a clone to a shared AKS dev cluster, and a fast loop there every day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from invoke.collection import Collection


def __getattr__(name: str) -> Any:
    """Build `ns` when Invoke asks for it, so that an import of one module does not build the tree of tasks."""
    if name != "ns":
        raise AttributeError(f"module 'tasks' has no attribute '{name}'")
    globals()["ns"] = tree()
    return globals()["ns"]


# Task or namespace -> the module here and the package that it needs. A team's repository gets only some of them.
_PARTS = {
    "demo": ("demo", "sandbox"),
    "test": ("development", "tests"),
    "bench": ("development", "benchmarks"),
    "sandbox": ("sandbox", "sandbox"),
    "migrate": ("migrate", "migration"),
}


def tree() -> Collection:
    """Return the tree of tasks as `inv --list` shows it: daily verbs at the root, one collection for each namespace.

    The tasks of a part of the suite that is not in this repository are not in the tree.
    """
    from invoke.collection import Collection

    from tasks import aks, argo, devcontainer, down, status, suite, tilt, tp
    from tasks.core.repository import ELSEWHERE

    root = Collection(
        devcontainer.setup,
        tp.intercept,
        tp.leave,
        status.status,
        down.down,
        status.timing,
        aks,
        argo,
        devcontainer,
        suite,
        tilt,
        tp,
    )
    here = {name: module for name in _PARTS if (module := _part(name))}
    for name, module in here.items():
        if name in ("sandbox", "migrate"):
            root.add_collection(Collection.from_module(module))
        else:
            root.add_task(getattr(module, name))
    root.configure({ELSEWHERE: {name: package for name, (_, package) in _PARTS.items() if name not in here}})
    return root


def _part(name: str) -> ModuleType | None:
    """The module of a task or namespace; None when it, or the package that it needs, is not in this repository."""
    from importlib import import_module
    from importlib.util import find_spec

    module, package = _PARTS[name]
    is_here = find_spec(f"tasks.{module}") and find_spec(package)
    return import_module(f"tasks.{module}") if is_here else None
