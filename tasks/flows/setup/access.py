"""The login has the rights in the cluster that the inner loop needs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.work import Work
from tasks.tools import kubectl


@dataclass(frozen=True)
class Right:
    """One right: verb, resource (or TYPE/NAME), its subresource, the namespace, and what it is needed for."""

    verb: str
    resource: str
    namespace: str
    use: str
    subresource: str = ""

    @property
    def text(self) -> str:
        """As people say it."""
        return f"{self.verb} {self.resource}{'/' + self.subresource if self.subresource else ''} in {self.namespace}"


def rights(s: Settings) -> tuple[Right, ...]:
    """What a session and Tilt need; the ones whose absence their programs explain worst come first."""
    manager, own = s.cluster.manager_namespace, s.cluster.namespace
    return (
        Right("create", "pods", manager, "Telepresence's connection to the traffic manager", "portforward"),
        Right("get", "services/traffic-manager", manager, "finding the traffic manager"),
        Right("list", "pods", manager, "finding the traffic manager"),
        Right("list", "pods", own, "seeing what runs"),
        Right("create", "deployments.apps", own, "the releases of `inv tilt.up`"),
    )


def plan(work: Work) -> Iterator[Change[object]]:
    """Each right is asked of the cluster; nothing here can be changed from a workstation."""
    s = work.settings
    asked = rights(s)
    with ThreadPoolExecutor(max_workers=len(asked)) as pool:
        answers = list(pool.map(lambda r: may(s, r), asked))
    missing = [right for right, answer in zip(asked, answers, strict=True) if not answer]
    if missing:
        raise Blocked(
            f"your role lacks: {'; '.join(right.text for right in missing)}",
            why=f"needed for {', '.join(dict.fromkeys(right.use for right in missing))}",
            fix="ask the platform team for these rights, then wait up to 5 minutes and run: inv setup",
        )
    yield from ()


def may(s: Settings, right: Right) -> bool:
    """Is it granted? Raises ToolError when the cluster could not be asked."""
    return kubectl.can_i(s, right.verb, right.resource, namespace=right.namespace, subresource=right.subresource)


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    return tuple(
        f"kubectl --context {s.cluster.context} auth can-i {r.verb} {r.resource} --namespace {r.namespace}"
        + (f" --subresource={r.subresource}" if r.subresource else "")
        for r in rights(s)
    )


STEP: Step[Work] = Step("access", "the login has the rights that are needed", plan, needs=("kubelogin",))
