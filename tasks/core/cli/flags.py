"""Flags with one meaning everywhere: their help texts, and whether a run is a dry run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from invoke.context import Context

Body = TypeVar("Body", bound=Callable[..., None])
FAILURE_TEXT = "failure_text"  # the attribute of a task's function that `prints_on_failure` sets

DRY = "show what would be done; change nothing"
CHECK = "check only; exit 2 if something is missing"
JSON = "one JSON document on stdout"
YES = "confirm without being asked"


def dry(c: Context, dry_run: bool) -> bool:
    """Is this a dry run? `inv --dry TASK` means the same as `inv TASK --dry-run`."""
    return dry_run or bool(c.config.run.dry)


def prints_on_failure(text: str) -> Callable[[Body], Body]:
    """Mark a task whose stdout a shell evaluates: when it fails, its command line included, it prints this there."""

    def mark(body: Body) -> Body:
        setattr(body, FAILURE_TEXT, text)
        return body

    return mark
