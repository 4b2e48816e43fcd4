"""kubelogin takes the cluster's token from az, for this context."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.credentials import converted_and_merged, place
from tasks.flows.setup.work import Work, wanted
from tasks.tools import base, kubelogin
from tasks.tools import kubeconfig as kc


def plan(work: Work) -> Iterator[Change[object]]:
    """The arguments are verified: `az aks get-credentials` undoes a conversion and calls that success."""
    s = work.settings
    context = kc.wanted_context(s)
    _told(work)
    wrong = kc.wrong_plugin(s, context.plugin)
    if wrong:
        server = context.plugin.option("--server-id") if context.plugin else ""
        if server and server != s.azure.server_id:
            raise Blocked(
                wrong, fix=f"set azure.server_id to {server} in config/settings.yaml, or inv aks.credentials --force"
            )
        work.verdict(wanted(s, context))
        yield Change(
            f"let kubelogin take the token from az, in the context {context.name} of {place()}",
            ("kubelogin", *kubelogin.convert_args(context.name, place())),
            lambda: converted_and_merged(s, context),
        )
    freeze = kc.freeze(s)
    if freeze is not None:
        yield freeze


def _told(work: Work) -> None:
    """The suite's own children do not get these variables; the developer's kubectl does."""
    foreign = [name for name in base.FOREIGN if os.environ.get(name) and name.startswith("AAD_")]
    if foreign:
        work.notes["kubelogin"] = (
            f"{', '.join(foreign)} is set and rules kubelogin in your own kubectl: unset {' '.join(foreign)}"
        )


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    return (" ".join(("kubelogin", *kubelogin.convert_args(s.cluster.context, place()))),)


STEP: Step[Work] = Step("kubelogin", "kubelogin takes the cluster's token from az", plan, needs=("credentials",))
