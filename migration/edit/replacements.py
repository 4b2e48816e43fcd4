"""Rewrites that the mapping names: one text for another, byte for byte elsewhere."""

from __future__ import annotations

import re

from migration.deletion import matching
from migration.mapping import Rewrite
from migration.simulation import Draft


def rewritten(data: bytes, rule: Rewrite) -> bytes:
    """The content after this rule. Its line ends and bytes that are no UTF-8 stay what they are."""
    text = data.decode("utf-8", "surrogateescape")
    pattern = re.compile(rule.pattern or re.escape(rule.find), re.MULTILINE)
    if rule.line:
        lines = text.splitlines(keepends=True)
        text = "".join(line for line in lines if not pattern.search(line))
    else:
        text = pattern.sub(rule.replacement if rule.pattern else lambda _: rule.replacement, text)
    return text.encode("utf-8", "surrogateescape")


def mapped(draft: Draft) -> None:
    """The files that the mapping names for this step say what it wants of them."""
    simulation = draft.simulation
    for rule in simulation.mapping.rewrites:
        if rule.step != draft.key:
            continue
        side = simulation.repositories.named(rule.repo)
        paths = [p for g in rule.files for p in matching(side.tree, g)]
        for path in dict.fromkeys(paths):
            planned = draft.edits[rule.repo].get(path)
            data = side.blobs.get(planned.oid) if planned else side.text(path)
            if data is None or b"\0" in data[:8000]:
                continue
            new = rewritten(data, rule)
            if new != data:
                draft.write(rule.repo, path, new, f"{path}: {rule.reason}")
