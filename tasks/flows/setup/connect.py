"""The Telepresence session is open, with the target of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from tasks.core.errors import Refused
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows import session
from tasks.flows.setup.setup_run import SetupRun, blocked, session_context
from tasks.tools import kubeconfig as kc
from tasks.tools import telepresence


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Check the target, then plan as the session does. A connect ends with a look, which is this step's check."""
    s = setup.settings
    setup.checked_target(session_context(s, kc.wanted_context(s)))
    now = setup.session_to_connect()
    # The look may have waited for the connect of another command: the kubeconfig may name another cluster since.
    setup.checked_target(session_context(s, kc.wanted_context(s)))
    try:
        for change in session.connect_changes(s, yes=setup.yes, now=now):
            setup.seen_session.invalidate()
            yield replace(change, run=partial(_run, setup, change))
    except Refused as why:  # intercepts in another place would be lost; the other steps can go on
        raise blocked(why) from None


def _run(setup: SetupRun, change: Change[object]) -> None:
    result = change.run()
    if isinstance(result, session.Look):
        setup.seen_session.put(result)


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the command that connects."""
    return (telepresence.connect(setup.settings).command,)


STEP: Step[SetupRun] = Step(
    "connect", "the Telepresence session is open", plan, needs=("kubelogin",), lock="session", commands=commands
)
