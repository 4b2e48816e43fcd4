"""Block the deletion of files that a remaining file refers to."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from migration.deletion.verdicts import Verdicts
from migration.git.facts import shown
from migration.model import Block, Reason, Reference
from migration.references.removal import Removal
from migration.references.search import References
from migration.simulation import Simulation


def check_references(
    simulation: Simulation, references: References, candidates: set[str], barred: set[str], verdicts: Verdicts
) -> None:
    """Block the files that a remaining file needs.

    A blocked file remains too, and needs others: repeat with the newly blocked files until nothing changes. Each file is
    looked at once. What is already blocked is reported again for each remaining file that refers to it, so that one run
    shows all that is to be done.

    candidates: what the selected steps delete if they may; barred: those of them whose step waits for another step
    """
    if not candidates:
        return
    review = _Review(simulation, Removal(simulation.core.tree, candidates), barred, verdicts)
    readers = [path for path in simulation.core.tree.files if not review.is_going(path)]
    while readers:
        newly_blocked: set[str] = set()
        for reference in references.to(review.removal, readers):
            newly_blocked |= review.judge(reference)
        readers = sorted(newly_blocked)
    verdicts.references = sorted(review.ignored, key=_place)


@dataclass
class _Review:
    """The review of references in progress. ignored: the references that block nothing."""

    simulation: Simulation
    removal: Removal
    barred: set[str]
    verdicts: Verdicts
    ignored: set[Reference] = field(default_factory=set)

    def is_going(self, path: str) -> bool:
        """Would the file be deleted, as far as is known by now?"""
        return path in self.verdicts.proofs and path not in self.barred

    def judge(self, reference: Reference) -> set[str]:
        """Block what the reference leads to. Return the files that were to be deleted until now."""
        is_candidate = reference.file in self.removal.files
        targets = [path for path in self.removal.targets(reference.target) if path != reference.file]
        going = {path for path in targets if self.is_going(path)}
        if is_candidate and not going:  # what blocked files say of each other changes nothing
            return set()
        if not reference.holds or self.simulation.accepted(reference.file):
            self.ignored.add(reference)
            return set()
        block = _referenced(reference, is_candidate)
        for path in going if is_candidate else targets:
            self.verdicts.block(path, block)
        return going


def _referenced(reference: Reference, is_candidate: bool) -> Block:
    maybe = "" if reference.sure else "maybe: "
    what = f"{maybe}{reference.kind} contains `{reference.text[:100]}`" if reference.line else reference.text[:100]
    file = shlex.quote(reference.file)
    if is_candidate:
        fix = f"{what}; {file} is to be deleted as well: remove what blocks it first"
    else:
        fix = f"{what}; change it there, or accept that it breaks: --accept {file}"
    accept = "" if is_candidate else reference.file
    return Block.at(reference.target, Reason.REFERENCED, shown(reference.where), fix, accept)


def _place(reference: Reference) -> tuple[str, int, str]:
    return reference.file, reference.line, reference.target
