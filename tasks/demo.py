"""A demo in a sandbox on this machine: no cluster, no Azure, and nothing remains."""

from __future__ import annotations

from importlib.util import find_spec

from invoke.context import Context
from invoke.tasks import task

from tasks.core.repository import not_here


@task(
    help={
        "fast": "without the latency of a real cloud",
        "migration": "show the five phases of the migration on two sample repositories instead",
    },
    auto_shortflags=False,
)
def demo(c: Context, fast: bool = False, migration: bool = False) -> None:
    """Show setup, an intercept, a real request, an edit and leave, in under a minute."""
    if migration:
        if not find_spec("migration"):
            raise not_here("migration")
        from sandbox.demo import migration as migration_demo

        migration_demo.run()
        return
    from sandbox.demo import daily

    daily.run(latency="none" if fast else "aks")
