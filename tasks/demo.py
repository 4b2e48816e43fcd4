"""The whole story on an embedded stand-in of the world: no cluster, no Azure, nothing left behind."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task


@task(
    help={
        "fast": "without the latencies of a real cloud",
        "migration": "the five phases over two repositories as they were, instead",
    },
    auto_shortflags=False,
)
def demo(c: Context, fast: bool = False, migration: bool = False) -> None:
    """Show setup, intercept, a real request, an edit, and leave, in under a minute."""
    if migration:
        from tasks.core.settings import must_be_here

        must_be_here("tasks/sandbox/legacy")
        from tasks.sandbox import story_migration

        story_migration.tell()
        return
    from tasks.sandbox import story

    story.tell(latency="none" if fast else "aks")
