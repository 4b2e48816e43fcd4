"""The session is open and the cluster answers through it: work can begin."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import kubectl


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Look at the session and at the cluster, unless this run has seen them."""
    s = setup.settings
    now = setup.seen_session.get()
    if not now.here:
        raise Blocked(f"the Telepresence session is not there: {now.why}", fix="inv tp.connect")
    if not setup.cluster_answered:
        kubectl.ready(s)
    setup.remarks["ready"] = f"{s.cluster.context}, namespace {s.cluster.namespace}"
    yield from ()


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the commands that look at both."""
    return ("telepresence status", f"kubectl --context {setup.settings.cluster.context} get --raw /version")


STEP: Step[SetupRun] = Step("ready", "the session and the cluster answer", plan, needs=("connect",), commands=commands)
