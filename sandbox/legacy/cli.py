"""The body of `inv sandbox.legacy`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from sandbox.legacy.faults import FAULTS
from sandbox.legacy.pair import make
from tasks.core import ui
from tasks.core.errors import Trouble


def run_legacy(
    dir: str, size: str = "S", faults: Sequence[str] = (), *, remotes: bool = True, json: bool = False
) -> None:
    """Generate a pair and print its folders, its faults and the commands to run on it."""
    if not dir:
        raise Trouble("sandbox.legacy needs a folder", fix="inv sandbox.legacy --dir FOLDER, which must not exist yet")
    if dir.startswith("-"):
        raise Trouble(f"{dir!r} is not a folder", fix="inv --help sandbox.legacy")
    pair = make(Path(dir).expanduser(), size, faults, remotes)
    if json:
        ui.as_json(
            {
                "core": str(pair.core),
                "gitops": str(pair.gitops),
                "remotes": {name: str(path) for name, path in pair.remotes.items()},
                "files": pair.files,
                "faults": list(pair.faults),
            }
        )
        return
    descriptions = {fault.name: fault.text for fault in FAULTS}
    rows: list[tuple[str, object]] = [("core", pair.core), ("gitops", pair.gitops), ("files", pair.files)]
    rows += [(f"remote {name}", path) for name, path in pair.remotes.items()]
    rows += [(f"with {name}", descriptions[name]) for name in pair.faults]
    ui.table(rows)
    ui.say(f"next: inv migrate.plan {shlex.join(['--core', str(pair.core), '--gitops', str(pair.gitops)])}")


def show_faults(*, json: bool = False) -> None:
    """The faults that `--with` accepts, one line each."""
    if json:
        ui.as_json({"faults": {fault.name: fault.text for fault in FAULTS}})
        return
    ui.table((fault.name, fault.text) for fault in FAULTS)
