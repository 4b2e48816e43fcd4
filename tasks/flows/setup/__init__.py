"""`inv setup`: from a clone to a session in the cluster. A second run changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tasks.core.cli.names import nearest
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.steps import Step
from tasks.flows.setup import (
    access,
    connect,
    credentials,
    kubelogin,
    login,
    packages,
    ready,
    registry,
    submodules,
    tools,
)
from tasks.flows.setup.setup_run import SetupRun

STEPS: tuple[Step[SetupRun], ...] = (
    tools.STEP,
    login.STEP,
    credentials.STEP,
    kubelogin.STEP,
    connect.STEP,
    packages.STEP,
    submodules.STEP,
    registry.STEP,
    access.STEP,
    ready.STEP,
)
"""All steps, in the order of display."""


def select(s: Settings, only: Sequence[str] = (), skip: Sequence[str] = ()) -> tuple[Step[SetupRun], ...]:
    """Return the selected steps, with the needs that these settings imply.

    Raises Trouble for an unknown name, with the nearest one, and when no step is left.
    """
    keys = [step.key for step in STEPS]
    for name in (*only, *skip):
        if name not in keys:
            near = nearest(name, keys, 1)
            raise Trouble(
                f"there is no step '{name}': {', '.join(keys)}",
                fix=f"did you mean {near[0]}?" if near else "inv --help setup",
            )
    selected = tuple(step for step in STEPS if (not only or step.key in only) and step.key not in skip)
    if s.registry.kind == "docker":  # such a registry does not use the Azure login
        selected = tuple(replace(step, needs=()) if step.key == registry.STEP.key else step for step in selected)
    if not selected:
        raise Trouble("no step is left to run", fix="omit a --skip")
    return selected
