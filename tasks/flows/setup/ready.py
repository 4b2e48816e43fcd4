"""The session answers and the cluster can be asked through it: work can begin."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows import session
from tasks.flows.setup.work import Work
from tasks.tools import kubectl


def plan(work: Work) -> Iterator[Change[object]]:
    """One look at both; the cluster is not asked again when it has answered in this run."""
    s = work.settings
    now = session.look(s)
    if not now.here:
        raise Blocked(f"the Telepresence session is not there: {now.why}", fix="inv tp.connect")
    if not work.reached:
        kubectl.ready(s)
    work.notes["ready"] = f"{s.cluster.context}, namespace {s.cluster.namespace}"
    yield from ()


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    return ("telepresence status", f"kubectl --context {s.cluster.context} get --raw /version")


STEP: Step[Work] = Step("ready", "the session and the cluster answer", plan, needs=("connect",))
