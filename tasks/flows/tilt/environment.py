"""Variables for Tilt: the settings that the tasks use, so that both agree, and a mark to find its processes by."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.state import answered

SETTINGS = "TILT_REMOTE_DEV"  # read by tilt/settings.star
MARK = "TILT_REMOTE_DEV_RUN"  # set for a Tilt and inherited by everything it starts; the journal entry's id


def environment(s: Settings, run: str = "") -> dict[str, str]:
    """Return the variables to add for Tilt. run: the mark; empty when the Tiltfile is only evaluated."""
    from msgspec import to_builtins

    groups = {name: to_builtins(getattr(s, name)) for name in ("cluster", "registry", "guard", "ingress", "tilt")}
    document = {
        **groups,
        "repositories": {"core": str(s.core), "gitops": str(s.gitops)},
        "python": sys.executable,
        "answered": str(answered.folder()),
        # Tilt gives its children a kubeconfig of its own (internal/localexec); what they start must read the
        # developer's, as in the developer's shell.
        "kubeconfig": os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config"),
    }
    return {SETTINGS: json.dumps(document), **({MARK: run} if run else {})}


def tiltfile(s: Settings) -> Path:
    """Return the path of the suite's Tiltfile."""
    return Path(s.root) / "Tiltfile"
