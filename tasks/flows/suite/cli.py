"""What `inv suite.check` shows, and the start of `inv suite.update`."""

from __future__ import annotations

import json as documents
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import MISSING, Trouble
from tasks.core.repository import repository_root
from tasks.flows.suite.compare import Kind, differences
from tasks.flows.suite.copies import recorded_in, suite_in

_UPDATE = "tasks/flows/suite_update"  # it is not carried
_MANY = 3  # files of one folder that are listed one by one


def check(s: Settings, *, check: bool, json: bool) -> None:
    """Show what was edited, deleted and added. Exits with 2 for `check` when there is anything."""
    suite = suite_in(s, repository_root())
    recorded = recorded_in(suite)
    found = differences(suite, recorded)
    differs = [difference for difference in found if difference.kind is not Kind.OVER]
    if json:
        files = [{"path": path, "state": kind} for path, kind in found]
        body = {"origin": recorded.url, "commit": recorded.commit, "settings": suite.folder}
        ui.as_json({**body, "carried": len(recorded.files), "files": files})
    else:
        where = f"{recorded.url or 'remote-first'} {recorded.commit[:9]}"
        ui.say(f"{len(recorded.files)} files of {where}; {len(differs) or 'none'} differ")
        for kind in Kind:
            paths = [difference.path for difference in found if difference.kind is kind]
            ui.table([(_SHOWN[kind], name) for name in folded(paths)], indent="  ")
    if check and differs:
        raise SystemExit(MISSING)


_SHOWN = {
    Kind.EDITED: "edited",
    Kind.DELETED: "deleted",
    Kind.ADDED: "added",
    Kind.OVER: "deleted with the migration",
}


def update(source: str, options: dict[str, Any]) -> NoReturn:
    """Become the update of the newer suite: it alone knows what it needs, and it replaces the code that runs here."""
    root = Path(source).expanduser().resolve()
    if not (root / _UPDATE / "__main__.py").is_file():
        raise Trouble(f"{source} is not a checkout of the suite", fix="inv suite.update --from CHECKOUT")
    argv = [sys.executable, "-P", "-B", "-m", _UPDATE.replace("/", "."), documents.dumps(options)]
    sys.stdout.flush()
    os.execve(sys.executable, argv, {**os.environ, "PYTHONPATH": str(root)})


def folded(paths: Iterable[str]) -> Iterator[str]:
    """The paths; many of one folder at the root as one line."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path.partition("/")[0], []).append(path)
    for folder, inside in folders.items():
        yield from [f"{folder}/ ({len(inside)} files)"] if len(inside) > _MANY else inside
