"""What is checked after apply: what is deleted, files of JSON with comments, the numbers of the plan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.migration.trials.repository import git


def deleted(core: Path, start: str) -> list[str]:
    """Return the paths that core had at `start` and no longer has."""
    return [
        path
        for path in git(core, "diff", "--name-only", "--no-renames", "--diff-filter=D", "-z", start, "HEAD").split("\0")
        if path
    ]


def unreadable(core: Path) -> list[str]:
    """Return the devcontainer.json files that are not JSON with comments."""
    bad = []
    for path in git(core, "ls-files", "-z", "*devcontainer.json").split("\0"):
        if path and not _is_jsonc((core / path).read_text(errors="replace")):
            bad.append(path)
    return bad


def _is_jsonc(text: str) -> bool:
    """A reading of its own: not the one of the migration."""
    strings = r'"(?:[^"\\]|\\.)*"'
    plain = re.sub(rf"({strings})|//[^\n]*|/\*.*?\*/", lambda m: m[1] or "", text, flags=re.DOTALL)
    plain = re.sub(rf"({strings})|,(?=\s*[}}\]])", lambda m: m[1] or "", plain)
    try:
        json.loads(plain)
    except ValueError:
        return False
    return True


def counted(document: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of a plan: changes by kind, blocks by reason."""
    changes: dict[str, int] = {}
    blocks: dict[str, int] = {}
    for phase in document["phases"]:
        for step in phase["steps"]:
            for change in step["changes"]:
                changes[change["kind"]] = changes.get(change["kind"], 0) + 1
            for block in step["blocks"]:
                blocks[block["reason"]] = blocks.get(block["reason"], 0) + 1
    return {"changes": changes, "blocks": blocks}
