"""The cluster's context is in the user's kubeconfig, and the session has its own copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tasks.checks import azure_target
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, ToolError
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.setup_run import SetupRun, session_context
from tasks.tools import az, kubelogin
from tasks.tools import kubeconfig as kc
from tasks.tools.kubeconfig import Context
from tasks.tools.kubeconfig import merge as kubeconfig_merge


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Fetch the context only when it is missing or with `force`. Check the target before any write."""
    s = setup.settings
    present = kc.load().context(s.cluster.context)
    if present is None or setup.force:
        source = setup.fetched_context.get()
        _check_in_azure(setup, source)
        setup.look_early()
        setup.checked_target(session_context(s, source))
        yield from _merge_fetched(s, source)
    else:
        source = present
        setup.checked_target(session_context(s, source))
        yield from _correct_namespace(s, source)
    freeze = kc.freeze(s, kc.load().context(s.cluster.context) or source)
    if freeze is not None:
        yield freeze


def _check_in_azure(setup: SetupRun, fetched: Context) -> None:
    """Compare what was fetched with what Azure shows of the cluster. Raises Refused for production or another cluster.

    A login without the right to read the cluster goes on: the guard has still the API server and the namespace's labels.
    """
    try:
        shown = setup.shown_cluster.get()
    except (ToolError, Blocked) as why:
        setup.remarks["credentials"] = f"the cluster's tags in Azure could not be compared: {why.what}"
        return
    azure_target.refuse_production(setup.settings, shown)
    azure_target.must_be_the_same(setup.settings, shown, fetched.server)


def _merge_fetched(s: Settings, fetched: Context) -> Iterator[Change[object]]:
    if kubeconfig_merge.merge(session_context(s, fetched), text="") is None:
        return
    yield Change(
        f"merge the context {s.cluster.context} into {target_file()}",
        run=lambda: convert_and_merge(s, fetched),
        equivalent=("az", *az.credentials_args(s)),
    )


def _correct_namespace(s: Settings, present: Context) -> Iterator[Change[object]]:
    if present.namespace == s.cluster.namespace:
        return
    merge = kubeconfig_merge.merge(
        replace(present, namespace=s.cluster.namespace),
        text=f"set the namespace {s.cluster.namespace} in the context {s.cluster.context} of {target_file()}",
        equivalent=("kubectl", "config", "set-context", s.cluster.context, f"--namespace={s.cluster.namespace}"),
    )
    if merge is not None:
        yield merge


def convert_and_merge(s: Settings, context: Context) -> None:
    """Convert the context with kubelogin in a private file, then merge it into the user's kubeconfig."""
    change = kubeconfig_merge.merge(kubelogin.convert(s, context), text="")
    if change is not None:
        change.run()


def target_file() -> str:
    """The kubeconfig file that takes the context, for display."""
    return kc.display(kubeconfig_merge.place())


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the commands that have the same effect."""
    s = setup.settings
    return (
        " ".join(("az", *az.credentials_args(s))),
        " ".join(("kubelogin", *kubelogin.convert_args(s.cluster.context, target_file()))),
    )


STEP: Step[SetupRun] = Step(
    "credentials", "the cluster's context is in the kubeconfig", plan, needs=("login",), commands=commands
)
