"""The kubeconfig that a check asks the cluster with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.config.settings import Settings
from tasks.core.plan.change import perform
from tasks.tools import base, kubeconfig
from tasks.tools.az import fetched


@contextmanager
def readable(s: Settings) -> Iterator[None]:
    """Let kubectl reach the cluster in the block, also before `inv setup` was able to.

    Where the user's kubeconfig has no such context, it is fetched into a private file that is deleted after the block:
    who lacks a right gets no further in setup, and learns here which one. Raises ToolError or Blocked.
    """
    if kubeconfig.load().context(s.cluster.context) is not None:
        _freeze(s)
        yield
        return
    context = fetched.context(s)
    with base.private_session():
        _freeze(s, context)
        yield


def _freeze(s: Settings, source: kubeconfig.Context | None = None) -> None:
    change = kubeconfig.freeze(s, source)
    if change is not None:
        perform(change)
