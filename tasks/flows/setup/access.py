"""The login has the rights in the cluster that the inner loop needs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import kubectl


@dataclass(frozen=True)
class Right:
    """A right in a namespace."""

    verb: str

    resource: str
    """A resource, or TYPE/NAME."""

    namespace: str

    purpose: str
    """What needs it."""

    subresource: str = ""

    @property
    def text(self) -> str:
        """The right as `kubectl auth can-i` would say it."""
        return f"{self.verb} {self.resource}{'/' + self.subresource if self.subresource else ''} in {self.namespace}"


def rights(s: Settings) -> tuple[Right, ...]:
    """Return the rights that a session and Tilt need. The programs explain the lack of the first ones worst."""
    manager, own = s.cluster.manager_namespace, s.cluster.namespace
    return (
        Right("create", "pods", manager, "Telepresence's connection to the traffic manager", "portforward"),
        Right("get", "services/traffic-manager", manager, "finding the traffic manager"),
        Right("list", "pods", manager, "finding the traffic manager"),
        Right("list", "pods", own, "seeing what runs"),
        Right("create", "deployments.apps", own, "the releases of `inv tilt.up`"),
    )


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Ask the cluster for each right. A missing right cannot be granted from a workstation."""
    s = setup.settings
    needed = rights(s)
    with ThreadPoolExecutor(max_workers=len(needed)) as pool:
        granted = list(pool.map(lambda right: is_granted(s, right), needed))
    missing = [right for right, has_right in zip(needed, granted, strict=True) if not has_right]
    if missing:
        raise Blocked(
            f"your role lacks: {'; '.join(right.text for right in missing)}",
            why=f"needed for {', '.join(dict.fromkeys(right.purpose for right in missing))}",
            fix="ask the platform team for these rights, then wait up to 5 minutes and run: inv setup",
        )
    yield from ()


def is_granted(s: Settings, right: Right) -> bool:
    """Ask whether this login has the right. Raises ToolError when the cluster does not answer."""
    return kubectl.can_i(s, right.verb, right.resource, namespace=right.namespace, subresource=right.subresource)


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the questions as commands of kubectl."""
    s = setup.settings
    return tuple(
        f"kubectl --context {s.cluster.context} auth can-i {r.verb} {r.resource} --namespace {r.namespace}"
        + (f" --subresource={r.subresource}" if r.subresource else "")
        for r in rights(s)
    )


STEP: Step[SetupRun] = Step(
    "access", "the login has the rights that are needed", plan, needs=("kubelogin",), commands=commands
)
