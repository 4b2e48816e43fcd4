"""Phase 4: core has no infrastructure. Nothing goes that is not proven to be elsewhere, superseded or accepted."""

from __future__ import annotations

import re
from bisect import bisect_left

from migration.deletion import ProofKind, candidates, verdicts
from migration.edit.replacements import mapped
from migration.simulation import Draft
from migration.step import MigrationStep


def gone(draft: Draft) -> None:
    """What the mapping names for this step is gone, as far as the deletion rules allow."""
    paths = candidates(draft.simulation, draft.key)
    if not paths:
        return
    found = verdicts(draft.simulation)
    for path in paths:
        for block in found.blocks.get(path, ()):
            draft.block(block.path, block.reason, block.where, block.fix)
        proof = found.proofs.get(path)
        if proof is not None and path not in found.blocks and not draft.barred:
            draft.delete("core", path, proof.text, path if proof.kind is ProofKind.ACCEPTED else "")
    row = draft.simulation.mapping.cleanup_of(draft.key)
    folders = tuple(p for p in row.paths if p.endswith("/")) if row else ()
    draft.reference(
        r for r in found.references if r.target.startswith(folders) or _begins(paths, re.split(r"[*?]", r.target)[0])
    )
    for note in found.notes:
        draft.note(note)


def _begins(paths: list[str], text: str) -> bool:
    """Does one of these sorted paths begin with the text?"""
    place = bisect_left(paths, text)
    return place < len(paths) and paths[place].startswith(text)


def repointed(draft: Draft) -> None:
    """Files that stay name no path that goes, where the mapping says how."""
    mapped(draft)


STEPS = (
    MigrationStep(
        "RF-40",
        4,
        "files that stay name the new places",
        repointed,
        needs=("INFRA-10", "INFRA-11", "INFRA-13", "RF-10", "RF-11"),
    ),
    MigrationStep("CLEAN-16", 4, "", gone, needs=("DC-10",)),
    MigrationStep("CLEAN-17", 4, "", gone, needs=("TILT-11", "TILT-14")),
    MigrationStep("CLEAN-10", 4, "", gone, needs=("INFRA-10",)),
    MigrationStep("CLEAN-11", 4, "", gone, needs=("RF-10",)),
    MigrationStep("CLEAN-12", 4, "", gone, needs=("INFRA-12",)),
    MigrationStep("CLEAN-13", 4, "", gone, needs=("INFRA-13",)),
    MigrationStep("CLEAN-14", 4, "", gone, needs=("INFRA-14",)),
    MigrationStep("CLEAN-15", 4, "", gone, needs=("INFRA-11",)),
    MigrationStep("RF-41", 4, "", gone),
    MigrationStep("RF-42", 4, "", gone),
)
