"""Block the deletion of files that a remaining file refers to."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from migration.deletion.verdicts import Verdicts
from migration.git.facts import shown
from migration.model import Block, Reason, Reference
from migration.references.search import References, targets
from migration.simulation import Simulation


def check_references(simulation: Simulation, references: References, verdicts: Verdicts) -> None:
    """Block the files that a remaining file refers to.

    A blocked file remains too, and may refer to others: repeat with the newly blocked files until nothing changes.
    """
    if not verdicts.proofs:
        return
    remaining = [path for path in simulation.core.tree.files if path not in verdicts.proofs]
    to_scan: Iterable[str] = remaining
    ignored: set[Reference] = set()
    while True:
        deleted = set(verdicts.proofs)
        blocking: dict[Reference, list[str]] = {}
        for reference in references.broken_by(deleted, to_scan):
            blocked = _blocked_by(simulation, reference, deleted)
            if blocked:
                blocking[reference] = blocked
            else:
                ignored.add(reference)
        newly_blocked = _block_referenced(blocking, verdicts)
        if not newly_blocked:
            break
        # The blocked files join the rest: a reference to a whole folder may no longer be broken.
        to_scan = remaining = [*remaining, *sorted(newly_blocked)]
    verdicts.references = sorted(ignored, key=_place)


def _blocked_by(simulation: Simulation, reference: Reference, deleted: set[str]) -> list[str]:
    if not reference.holds or simulation.accepted(reference.file):
        return []
    return targets(reference.target, deleted)


def _block_referenced(blocking: dict[Reference, list[str]], verdicts: Verdicts) -> set[str]:
    for reference, paths in blocking.items():
        for path in paths:
            verdicts.block(path, _referenced(reference, reference.file in verdicts.blocks))
    return {path for paths in blocking.values() for path in paths}


def report_references_to_blocked(
    simulation: Simulation, references: References, paths: set[str], verdicts: Verdicts
) -> None:
    """Also report the references to paths that are already blocked, so that one run shows all that is to be done."""
    blocked = paths - verdicts.proofs.keys()
    if not blocked:
        return
    remaining = [path for path in simulation.core.tree.files if path not in paths]
    ignored = set(verdicts.references)
    for reference in references.broken_by(paths, remaining):
        if not reference.holds or simulation.accepted(reference.file):
            ignored.add(reference)
            continue
        for path in targets(reference.target, blocked):
            verdicts.block(path, _referenced(reference, reference.file in verdicts.blocks))
    verdicts.references = sorted(ignored, key=_place)


def _referenced(reference: Reference, is_blocked: bool) -> Block:
    maybe = "" if reference.sure else "maybe: "
    fix = f"{maybe}{reference.kind} contains `{reference.text[:100]}`; change it there, or accept that it breaks: --accept {shlex.quote(reference.file)}"
    accept = "" if is_blocked else reference.file
    return Block.at(reference.target, Reason.REFERENCED, shown(reference.where), fix, accept)


def _place(reference: Reference) -> tuple[str, int, str]:
    return reference.file, reference.line, reference.target
