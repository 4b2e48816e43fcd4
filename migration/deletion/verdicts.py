"""The result of the review: which files may be deleted and why, and what blocks the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from migration.model import Block, Reason, Reference

WAIVED = {Reason.MISSING, Reason.DIFFERS, Reason.MODE, Reason.UNMAPPED, Reason.DIVERGED}
"""The reasons that --accept of the path itself waives."""


class ProofKind(StrEnum):
    """Why a file may be deleted."""

    ACCEPTED = "accepted"
    COPIED = "copied"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Proof:
    """The proof that a file may be deleted, and its wording in the plan. lost: what is lost by it, if anything."""

    kind: ProofKind
    text: str
    lost: str = ""


@dataclass
class Verdicts:
    """Each reviewed file has either a proof or at least one block.

    references: references that do not block
    """

    proofs: dict[str, Proof] = field(default_factory=dict)
    blocks: dict[str, list[Block]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def prove(self, path: str, kind: ProofKind, text: str) -> None:
        """Allow the deletion."""
        self.proofs[path] = Proof(kind, text)

    def accept(self, path: str) -> None:
        """Allow the deletion although the content of the file is lost."""
        self.proofs[path] = Proof(ProofKind.ACCEPTED, "accepted with --accept", path)

    def add_loss(self, path: str, lost: str) -> None:
        """Say what else the deletion of a proven file destroys."""
        proof = self.proofs[path]
        self.proofs[path] = replace(proof, lost="; ".join(filter(None, (proof.lost, lost))))

    def refuse(self, path: str, reason: Reason, where: str, fix: str) -> None:
        """Block the deletion of the file."""
        self.block(path, Block.at(path, reason, where, fix, path if reason in WAIVED else ""))

    def block(self, path: str, block: Block) -> None:
        """Block the deletion of the file, and withdraw its proof."""
        self.proofs.pop(path, None)
        blocks = self.blocks.setdefault(path, [])
        if block not in blocks:
            blocks.append(block)
