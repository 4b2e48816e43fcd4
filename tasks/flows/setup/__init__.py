"""`inv setup`: from a clone to a session in the cluster. The steps run as a graph; a second run changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from tasks.flows.setup.work import Work

# In the order in which they are shown. Each has STEP, and in `commands` what a person would type for it.
_MODULES = (tools, login, credentials, kubelogin, connect, packages, submodules, registry, access, ready)
STEPS: tuple[Step[Work], ...] = tuple(module.STEP for module in _MODULES)
# Shown by a dry run, also where nothing can be planned yet.
COMMANDS: dict[str, Callable[[Settings], tuple[str, ...]]] = {m.STEP.key: m.commands for m in _MODULES}


def chosen(s: Settings, only: Sequence[str] = (), skip: Sequence[str] = ()) -> tuple[Step[Work], ...]:
    """The steps that are asked for, as these settings want them.

    Raises Trouble for an unknown name, with the nearest, and when none is left.
    """
    known = [step.key for step in STEPS]
    for name in (*only, *skip):
        if name not in known:
            near = nearest(name, known, 1)
            raise Trouble(
                f"there is no step '{name}': {', '.join(known)}",
                fix=f"did you mean {near[0]}?" if near else "inv --help setup",
            )
    left = tuple(step for step in STEPS if (not only or step.key in only) and step.key not in skip)
    if s.registry.kind == "docker":  # such a registry knows nothing of the Azure login
        left = tuple(replace(step, needs=()) if step.key == registry.STEP.key else step for step in left)
    if not left:
        raise Trouble("no step is left to run", fix="leave a --skip away")
    return left
