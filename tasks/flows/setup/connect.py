"""The Telepresence session is open, to the place of the settings."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.config.settings import Settings
from tasks.core.errors import Refused
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows import session
from tasks.flows.setup.work import Work, refusal, wanted
from tasks.tools import kubeconfig as kc
from tasks.tools import telepresence


def plan(work: Work) -> Iterator[Change[object]]:
    """What is missing is the session's own affair; that the target may be touched is asked first."""
    s = work.settings
    work.verdict(wanted(s, kc.wanted_context(s)))
    try:
        yield from session.connect_changes(s, yes=work.yes)
    except Refused as why:  # intercepts elsewhere would be lost: the other steps have nothing to do with that
        raise refusal(why) from None


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    return (telepresence.connect(s).command,)


STEP: Step[Work] = Step("connect", "the Telepresence session is open", plan, needs=("kubelogin",), alone="session")
