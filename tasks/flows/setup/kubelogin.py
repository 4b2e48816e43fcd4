"""kubelogin takes the token of the cluster's context from az."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.core.repository import SETTINGS
from tasks.flows.setup.credentials import convert_and_merge, target_file
from tasks.flows.setup.setup_run import SetupRun, session_context
from tasks.tools import base, credential_helper, kubelogin
from tasks.tools import kubeconfig as kc


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Compare the arguments of the plugin: `az aks get-credentials` reverts a conversion and reports success."""
    s = setup.settings
    context = kc.wanted_context(s)
    _remark_what_slows_down(setup)
    _remark_foreign_variables(setup)
    wrong = kc.wrong_plugin(s, context.plugin)
    if wrong:
        server = context.plugin.option("--server-id") if context.plugin else ""
        if server and server != s.azure.server_id:
            raise Blocked(wrong, fix=f"set azure.server_id to {server} in {SETTINGS}, or inv aks.credentials --force")
        setup.checked_target(session_context(s, context))
        yield Change(
            f"let kubelogin take the token from az, in the context {context.name} of {target_file()}",
            run=lambda: convert_and_merge(s, context),
            equivalent=("kubelogin", *kubelogin.convert_args(context.name, target_file())),
        )
    freeze = kc.freeze(s)
    if freeze is not None:
        yield freeze


def _remark_what_slows_down(setup: SetupRun) -> None:
    """Report what keeps the credential helper out: kubectl's own policy, or the state folder."""
    s = setup.settings
    if s.azure.credential_cache == "session" and (forbidden := credential_helper.forbidden(s)):
        setup.remarks["kubelogin"] = f"every kubectl waits for az: {forbidden}"


def _remark_foreign_variables(setup: SetupRun) -> None:
    """Report variables that our child processes do not get, but that the developer's own kubectl does."""
    foreign = [name for name in base.FOREIGN if os.environ.get(name) and name.startswith("AAD_")]
    if foreign:
        setup.remarks["kubelogin"] = (
            f"{', '.join(foreign)} is set and overrides kubelogin in your own kubectl: unset {' '.join(foreign)}"
        )


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the command that has the same effect."""
    return (" ".join(("kubelogin", *kubelogin.convert_args(setup.settings.cluster.context, target_file()))),)


STEP: Step[SetupRun] = Step(
    "kubelogin", "kubelogin takes the cluster's token from az", plan, needs=("credentials",), commands=commands
)
