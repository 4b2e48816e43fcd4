"""The login has the rights in the cluster that the inner loop needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.checks.rights import Right
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import kubectl


@dataclass(frozen=True)
class Need:
    """A right in a namespace, and what it is needed for."""

    right: Right
    namespace: str
    purpose: str

    @property
    def text(self) -> str:
        """The right with its namespace."""
        return f"{self.right.text} in {self.namespace}"


def needs(s: Settings) -> tuple[Need, ...]:
    """Return the rights that a session and Tilt need. Without the first ones the programs fail with poor messages."""
    manager, own = s.cluster.manager_namespace, s.cluster.namespace
    finding = "finding the traffic manager"
    return (
        Need(Right("create", "pods", "portforward"), manager, "Telepresence's connection to the traffic manager"),
        Need(Right("get", "services/traffic-manager"), manager, finding),
        Need(Right("list", "pods"), manager, finding),
        Need(Right("list", "pods"), own, "seeing what runs"),
        Need(Right("create", "deployments.apps"), own, "the releases of `inv tilt.up`"),
    )


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Ask the cluster for all rights. A missing right cannot be granted from a workstation."""
    s = setup.settings
    needed = needs(s)
    granted = kubectl.may(s, [need.right.access(need.namespace) for need in needed])
    missing = [need for need, has_right in zip(needed, granted, strict=True) if not has_right]
    if missing:
        raise Blocked(
            f"your role lacks: {'; '.join(need.text for need in missing)}",
            why=f"needed for {', '.join(dict.fromkeys(need.purpose for need in missing))}",
            fix="ask the platform team for these rights, then wait up to 5 minutes and run: inv setup",
        )
    yield from ()


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the questions as commands of kubectl that give the same answers, one by one."""
    s = setup.settings
    return tuple(need.right.command(s, need.namespace) for need in needs(s))


STEP: Step[SetupRun] = Step(
    "access", "the login has the rights that are needed", plan, needs=("kubelogin",), commands=commands
)
