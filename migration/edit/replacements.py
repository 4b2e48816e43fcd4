"""Apply the replacements of the mapping: one text for another; the rest keeps every byte."""

from __future__ import annotations

import re

from migration.deletion.candidates import matching
from migration.git.objects import is_binary
from migration.mapping import Rewrite
from migration.simulation import Draft


def replaced(data: bytes, rule: Rewrite) -> bytes:
    """The content after this replacement. Line ends and bytes that are not UTF-8 stay as they are."""
    text = data.decode("utf-8", "surrogateescape")
    pattern = re.compile(rule.pattern or re.escape(rule.find), re.MULTILINE)
    if rule.line:
        lines = text.splitlines(keepends=True)
        text = "".join(line for line in lines if not pattern.search(line))
    elif rule.pattern:
        text = pattern.sub(rule.replacement, text)
    else:
        text = pattern.sub(lambda _: rule.replacement, text)  # a literal text: a backslash in it has no meaning
    return text.encode("utf-8", "surrogateescape")


def apply_replacements(draft: Draft) -> None:
    """Apply the replacements that the mapping lists for this step."""
    for rule in draft.simulation.mapping.rewrites:
        if rule.key == draft.key:
            _apply(draft, rule)


def _apply(draft: Draft, rule: Rewrite) -> None:
    side = draft.simulation.repositories.named(rule.repo)
    paths = [path for area in rule.files for path in matching(side.tree, area)]
    for path in dict.fromkeys(paths):
        planned = draft.edits[rule.repo].get(path)
        old = side.blobs.get(planned.oid) if planned else side.text(path)
        if old is None or is_binary(old):
            continue
        new = replaced(old, rule)
        if new != old:
            draft.write(rule.repo, path, new, f"{path}: {rule.reason}")
