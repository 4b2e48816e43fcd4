"""What Tilt is given: the settings that count, so that it and the tasks cannot disagree, and a mark to find it by."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tasks.core.config.settings import Settings

SETTINGS = "TILT_REMOTE_DEV"  # read by tilt/settings.star
MARK = "TILT_REMOTE_DEV_RUN"  # in the environment of a Tilt and of all that it starts; the journal entry's id


def environment(s: Settings, run: str = "") -> dict[str, str]:
    """Variables for Tilt on top of what every child gets. run: the mark, empty for a mere evaluation."""
    from msgspec import to_builtins

    groups = {name: to_builtins(getattr(s, name)) for name in ("cluster", "registry", "guard", "ingress", "tilt")}
    document = {
        **groups,
        "repositories": {"core": str(s.core), "gitops": str(s.gitops)},
        "python": sys.executable,
        # The developer's own: what Tilt starts must read the same files as the developer's shell.
        "kubeconfig": os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config"),
    }
    return {SETTINGS: json.dumps(document), **({MARK: run} if run else {})}


def tiltfile(s: Settings) -> Path:
    """The suite's Tiltfile."""
    return Path(s.root) / "Tiltfile"
