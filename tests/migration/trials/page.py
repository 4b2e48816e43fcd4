"""docs/migration-trials.md: the table of outcomes."""

from __future__ import annotations

import time
from collections.abc import Iterable

from tests.migration.trials.trial import Outcome

_HEAD = """# The migration on public repositories

`python -m tests.migration.trials FOLDER` wrote this page on {date}. FOLDER has a bare mirror of each repository at `owner+name/repo`;
no code of theirs is kept here. For each one it clones the commit, makes an empty gitops repository (beside core, or as its submodule),
and runs `inv migrate.scan`, `inv migrate.init`, `inv migrate.plan --out`, `inv migrate.apply`, `inv migrate.status` and `inv migrate.undo`.
The repositories, their commits and the edits of the proposal are in `tests/migration/trials/repositories.yaml`.

Checked for each: no traceback and no hang; scan and plan write nothing; both trees are the predicted ones; no file that stays leads to a
deleted path (`tests/migration/trials/left_references.py` shares no code with the migration); the Tiltfile evaluates as before;
each devcontainer.json parses; undo restores trees, index, work tree, untracked and ignored files. What failed is in the last column.

| repository | files | proposed | changes | blocked | deleted | Tiltfile | plan, apply, undo | faults |
|---|---|---|---|---|---|---|---|---|
"""
_KINDS = {
    "moves": "moves",
    "kept": "kept",
    "superseded": "superseded",
    "maybe": "of these maybe",
    "services": "services",
    "person": "for a person",
}


def page(outcomes: Iterable[Outcome]) -> str:
    """Return the page."""
    rows = list(outcomes)
    text = _HEAD.format(date=time.strftime("%Y-%m-%d")) + "".join(map(_row, rows))
    edits = dict.fromkeys((row.name.partition(", ")[2] or row.name, why) for row in rows for why in row.edits)
    edited = "".join(f"* {name}: {why}\n" for name, why in edits)
    return text + (f"\nEdits of the proposal:\n\n{edited}" if edits else "\nNo proposal was edited.\n")


def _row(outcome: Outcome) -> str:
    place = "submodule" if outcome.submodule else "beside"
    seconds = [outcome.seconds.get(task) for task in ("migrate.plan", "migrate.apply", "migrate.undo")]
    cells = [
        _name(outcome) + f" ({outcome.kinds}; gitops {place})",
        f"{outcome.files:,}" + (f" ({outcome.absent} not in the mirror)" if outcome.absent else ""),
        ", ".join(f"{outcome.proposed[key]} {text}" for key, text in _KINDS.items() if outcome.proposed.get(key)),
        _counts(outcome.plan.get("changes", {})),
        _counts(outcome.plan.get("blocks", {})),
        str(outcome.deleted),
        outcome.tiltfile or "no Tiltfile",
        ", ".join(f"{second:.1f} s" if second is not None else "not run" for second in seconds),
        "<br>".join(outcome.faults[:5]) + (f"<br>and {len(outcome.faults) - 5} more" if len(outcome.faults) > 5 else "")
        or "none",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _name(outcome: Outcome) -> str:
    name, _, variant = outcome.name.partition(", ")
    return f"{name}@{outcome.commit[:12]}" + (f", {variant}" if variant else "")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1])) or "none"
