"""The cluster's context is in the user's kubeconfig, and the session's own is cut from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.work import Work, wanted
from tasks.tools import az, kubelogin
from tasks.tools import kubeconfig as kc
from tasks.tools.kubeconfig import Context
from tasks.tools.kubeconfig import merge as kubeconfig_merge


def plan(work: Work) -> Iterator[Change[object]]:
    """Fetched only when it is not there (or `force`). The guard has its say before anything is written."""
    s = work.settings
    have = kc.load().context(s.cluster.context)
    fetched = work.fetched.get() if have is None or work.force else None
    source = fetched or have
    assert source is not None
    work.verdict(wanted(s, source))
    if fetched is not None:
        merge = kubeconfig_merge.merge(wanted(s, fetched), text="")
        if merge is not None:
            yield Change(
                f"merge the context {s.cluster.context} into {place()}",
                ("az", *az.credentials_args(s)),
                lambda: converted_and_merged(s, fetched),
            )
    elif have is not None and have.namespace != s.cluster.namespace:
        there = replace(have, namespace=s.cluster.namespace)
        merge = kubeconfig_merge.merge(
            there,
            text=f"set the namespace {s.cluster.namespace} in the context {s.cluster.context} of {place()}",
            equivalent=("kubectl", "config", "set-context", s.cluster.context, f"--namespace={s.cluster.namespace}"),
        )
        if merge is not None:
            yield merge
    freeze = kc.freeze(s, kc.load().context(s.cluster.context) or source)
    if freeze is not None:
        yield freeze


def converted_and_merged(s: Settings, context: Context) -> None:
    """Convert it with kubelogin on a private file, then put it into the user's kubeconfig."""
    change = kubeconfig_merge.merge(kubelogin.convert(s, context), text="")
    if change is not None:
        change.run()


def place() -> str:
    """The file that takes the context, as people write it."""
    return kc.display(kubeconfig_merge.place())


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    return (
        " ".join(("az", *az.credentials_args(s))),
        " ".join(("kubelogin", *kubelogin.convert_args(s.cluster.context, place()))),
    )


STEP: Step[Work] = Step("credentials", "the cluster's context is in the kubeconfig", plan, needs=("login",))
