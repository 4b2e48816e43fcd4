"""Flags with one meaning everywhere: their help texts, and whether a run is a dry run."""

from __future__ import annotations

from invoke.context import Context

DRY = "show what would be done; change nothing"
CHECK = "check only; exit 2 if something is missing"
JSON = "one JSON document on stdout"
YES = "confirm without being asked"


def dry(c: Context, dry_run: bool) -> bool:
    """Is this a dry run? `inv --dry TASK` means the same as `inv TASK --dry-run`."""
    return dry_run or bool(c.config.run.dry)
