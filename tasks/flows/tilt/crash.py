"""A pod that does not stay up: its reason and its last lines."""

from __future__ import annotations

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError, Trouble
from tasks.tools import kubectl
from tasks.tools.tilt import Resource

_LINES = 10


def trouble(s: Settings, resource: Resource) -> Trouble:
    """Print the pod's last lines and return the error that names the reason."""
    show_last_lines(s, resource.pod)
    place = f"--namespace {s.cluster.namespace} --context {s.cluster.context}"
    return Trouble(
        f"{resource.name} does not stay up: {resource.crash}, pod {resource.pod}",
        why=resource.pod_message,
        fix=f"correct what its last lines say; more of them: kubectl logs {resource.pod} --all-containers {place}",
    )


def show_last_lines(s: Settings, pod: str) -> None:
    """Print what the pod wrote last, or why that cannot be read."""
    try:
        lines = kubectl.last_lines(s, pod, _LINES).splitlines()
    except ToolError as why:
        ui.talk(f"   the last lines of {pod} cannot be read: {why.what}")
        return
    ui.talk(f"   the last lines of {pod}:" if lines else f"   {pod} has written nothing")
    for line in lines:
        ui.talk(f"   | {line}")
