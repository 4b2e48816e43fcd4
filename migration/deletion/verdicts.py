"""The result of the review: which files may be deleted and why, and what blocks the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from migration.model import Block, Reason, Reference


class ProofKind(StrEnum):
    """Why a file may be deleted."""

    ACCEPTED = "accepted"
    COPIED = "copied"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Proof:
    """The proof that a file may be deleted, and its wording in the plan."""

    kind: ProofKind
    text: str


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

    def refuse(self, path: str, reason: Reason, where: str, fix: str) -> None:
        """Block the deletion of the file."""
        self.block(path, Block.at(path, reason, where, fix))

    def block(self, path: str, block: Block) -> None:
        """Block the deletion of the file, and withdraw its proof."""
        self.proofs.pop(path, None)
        blocks = self.blocks.setdefault(path, [])
        if block not in blocks:
            blocks.append(block)

    def is_accepted(self, path: str) -> bool:
        """Did the user accept the loss of this file with --accept?"""
        proof = self.proofs.get(path)
        return proof is not None and proof.kind is ProofKind.ACCEPTED
