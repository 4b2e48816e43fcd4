"""The whole story on an embedded stand-in of the world: no cluster, no Azure, nothing left behind."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task


@task(help={"fast": "without the latencies of a real cloud"}, auto_shortflags=False)
def demo(c: Context, fast: bool = False) -> None:
    """Show setup, intercept, a real request, an edit, and leave, in under a minute."""
    from tasks.sandbox import story

    story.tell(latency="none" if fast else "aks")
