"""What `inv suite.update` shows and does. This suite is the newer one; `root` is the repository that gets it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import MISSING, REFUSED
from tasks.core.plan.change import perform
from tasks.core.repository import repository_root
from tasks.flows.suite.cli import folded
from tasks.flows.suite_update import plan
from tasks.flows.suite_update.merge import Action
from tasks.flows.suite_update.plan import Update


def update(s: Settings, root: Path, keep: Collection[str], *, yes: bool, dry: bool, check: bool, json: bool) -> None:
    """Plan the update, show it, and write it after a confirmation. Exits with 3 when something blocks."""
    planned = plan.plan(s, root, repository_root(), keep)
    writes = planned.pending and not (planned.blocks or dry or check)
    if not json:
        _show(planned)
    if writes:
        _write(s, root, planned, yes=yes, again=f"inv suite.update --from {shlex.quote(str(repository_root()))} --yes")
    if json:
        ui.as_json(_document(planned, written=writes))
    elif writes:
        ui.say("staged, not committed; look: git diff --cached; keep it: git commit; undo it: git reset --hard")
    if planned.blocks:
        raise SystemExit(REFUSED)
    if check and planned.pending:
        raise SystemExit(MISSING)


def _write(s: Settings, root: Path, planned: Update, *, yes: bool, again: str) -> None:
    plan.must_be_clean(s, root)
    change = plan.change(s, planned)
    ui.confirm(f"{change.text}?", yes=yes, fix=again)
    perform(change)


def _show(planned: Update) -> None:
    old, new = (recorded.commit[:9] or "an unknown commit" for recorded in (planned.old, planned.new))
    if planned.pending or planned.blocks:
        counts = Counter(str(fate.action) for fate in planned.fates)
        ui.say(f"{old} to {new}: {', '.join(f'{n} {action}' for action, n in sorted(counts.items())) or 'the record'}")
    else:
        ui.say(f"up to date with {new}: nothing to do")
    ui.table(_file_rows(planned), indent="  ")
    for key in planned.new_keys:
        ui.say(f"  new key  {key}")
    for key in planned.old_keys:
        ui.say(f"  old key  {key}: the newer suite does not know it; remove it")
    for problem in filter(None, (fate.problem for fate in planned.fates)):
        ui.say(f"  blocked  {problem.what}: {problem.why}")
        ui.say(f"           fix: {problem.fix}")


def _file_rows(planned: Update) -> Iterator[tuple[str, ...]]:
    """What is more than a replacement, one row for each file or folder."""
    groups: dict[tuple[str, str], list[str]] = {}
    for fate in planned.fates:
        groups.setdefault((fate.action, fate.text), []).append(planned.ours.place(fate.path))
    for (action, text), paths in sorted(groups.items()):
        if action not in (Action.REPLACE, Action.BLOCK):
            yield from ((action, name, text) for name in folded(paths))


def _document(planned: Update, *, written: bool) -> dict[str, Any]:
    state = "blocked" if planned.blocks else "pending" if planned.pending and not written else "done"
    files = [
        {
            "path": planned.ours.place(fate.path),
            "action": fate.action,
            "text": fate.text,
            "fix": fate.problem.fix if fate.problem else "",
        }
        for fate in planned.fates
    ]
    commits = {"old": planned.old.commit, "new": planned.new.commit}
    keys = {"new_keys": planned.new_keys, "old_keys": planned.old_keys}
    return {"commit": commits, "state": state, "written": written, "files": files, **keys}
