"""Flags with one meaning everywhere: their help, and whether a run only looks."""

from __future__ import annotations

from invoke.context import Context

DRY = "say what would be done, write nothing"
CHECK = "only look; exit 2 when something is missing"
JSON = "one JSON document on stdout"
YES = "confirm what would otherwise be asked"


def dry(c: Context, dry_run: bool) -> bool:
    """Does this run write nothing? `inv --dry TASK` means the same as `inv TASK --dry-run`."""
    return dry_run or bool(c.config.run.dry)
