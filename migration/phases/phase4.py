"""Phase 4: delete the infrastructure from core, as far as each deletion is proven to lose nothing."""

from __future__ import annotations

import re
from bisect import bisect_left

from migration import local_clusters
from migration.deletion.candidates import candidates
from migration.deletion.review import review
from migration.deletion.verdicts import Verdicts
from migration.edit.replacements import apply_replacements
from migration.model import Reference
from migration.simulation import Draft
from migration.step import MigrationStep
from migration.unused_steps import why_unused


def delete_files(draft: Draft) -> None:
    """Delete what the mapping lists for this step and the review allows."""
    paths = candidates(draft.simulation, draft.key)
    if not paths:
        draft.unused = why_unused(draft.simulation, draft.key)
        return
    verdicts = review(draft.simulation)
    for path in paths:
        _delete_or_block(draft, path, verdicts)
    draft.reference(reference for reference in verdicts.references if _is_about(draft, paths, reference))
    for note in verdicts.notes:
        draft.note(note)


def _delete_or_block(draft: Draft, path: str, verdicts: Verdicts) -> None:
    for block in verdicts.blocks.get(path, ()):
        draft.add_block(block)
    proof = verdicts.proofs.get(path)
    if proof is not None and path not in verdicts.blocks and not draft.barred:
        draft.delete("core", path, proof.text, proof.lost)


def _is_about(draft: Draft, paths: list[str], reference: Reference) -> bool:
    """Does the reference lead to one of these sorted paths, or into a folder of this step?"""
    row = draft.simulation.mapping.cleanup_of(draft.key)
    folders = tuple(area for area in row.paths if area.endswith("/")) if row else ()
    literal_start = re.split(r"[*?]", reference.target)[0]
    first_after = bisect_left(paths, literal_start)
    is_start_of_path = first_after < len(paths) and paths[first_after].startswith(literal_start)
    return is_start_of_path or reference.target.startswith(folders)


def list_local_clusters(draft: Draft) -> None:
    """List what still makes a local cluster in CI, scripts and targets. No rule can decide on it, so a person does."""
    core = draft.simulation.core
    for line in local_clusters.summary(local_clusters.find(core.tree.files, core.blobs, draft.simulation.own)):
        draft.note(line)


STEPS = (
    MigrationStep(
        "RF-40",
        4,
        "remaining files refer to the new paths",
        apply_replacements,
        needs=("INFRA-10", "INFRA-11", "INFRA-13", "RF-12", "RF-10", "RF-11"),
    ),
    MigrationStep("CLEAN-16", 4, "", delete_files, needs=("DC-10",)),
    MigrationStep("CLEAN-17", 4, "", delete_files, needs=("TILT-11", "TILT-14")),
    MigrationStep("CLEAN-10", 4, "", delete_files, needs=("INFRA-10",)),
    MigrationStep("CLEAN-11", 4, "", delete_files, needs=("RF-10",)),
    MigrationStep("CLEAN-12", 4, "", delete_files, needs=("INFRA-12",)),
    MigrationStep("CLEAN-13", 4, "", delete_files, needs=("INFRA-13",)),
    MigrationStep("CLEAN-14", 4, "", delete_files, needs=("INFRA-14",)),
    MigrationStep("CLEAN-15", 4, "", delete_files, needs=("INFRA-11",)),
    MigrationStep("RF-41", 4, "", delete_files),
    MigrationStep("RF-42", 4, "", delete_files),
    MigrationStep("RF-43", 4, "", delete_files, needs=("RF-10", "RF-12")),
    MigrationStep(
        "RF-44", 4, "what makes local clusters in CI and scripts is listed for a person", list_local_clusters
    ),
)
