"""remote-first: from a clone to a shared AKS dev cluster, and a fast loop there every day."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """The tree of tasks, built when Invoke first asks for it: who imports a part of the package does not pay for it."""
    if name != "ns":
        raise AttributeError(f"module 'tasks' has no attribute '{name}'")
    from tasks.tree import build

    globals()["ns"] = build()
    return globals()["ns"]
