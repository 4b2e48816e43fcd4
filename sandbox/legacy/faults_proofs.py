"""Faults about proofs: what --accept must not waive, what gitops has already, a plan with many blocks."""

from __future__ import annotations

from sandbox.legacy.archive import EXECUTABLE, Entry
from sandbox.legacy.faults_written import copied, destination
from sandbox.legacy.model import Draft, Fault

UNPUSHED_FOLDER = "infra/kubernetes/scripts/"
TAKEN = "infra/kubernetes/scripts/common.sh"
MANY = 30


def _unpushed_folder(draft: Draft) -> None:
    """All copies are pushed, except those of one folder; a script that stays refers to that folder."""
    copied(draft)
    for path in draft.core:
        if path.startswith(UNPUSHED_FOLDER):
            place = destination(path)
            draft.gitops_local[place] = draft.gitops.pop(place)
    draft.core["scripts/ops/all.sh"] = Entry(f'ls "{UNPUSHED_FOLDER}"\n'.encode(), EXECUTABLE)


def _destination_taken(draft: Draft) -> None:
    draft.gitops[destination(TAKEN)] = Entry(b"#!/bin/sh\n# a script of gitops\n", EXECUTABLE)


def _many_blocks(draft: Draft) -> None:
    for number in range(MANY):
        values = f"infra/kubernetes/odd/{number}/values.yaml"
        draft.core[values] = Entry(b"replicas: 1\n")
        draft.core[f"scripts/odd/{number}.sh"] = Entry(f"cat {values}\n".encode(), EXECUTABLE)


PROOFS = (
    Fault(
        "unpushed-folder",
        "the copies of a folder that a script refers to were not pushed",
        write=_unpushed_folder,
        needs_remotes=True,
        excludes=("unpushed", "unpinned", "uncommitted", "destination-taken"),
    ),
    Fault(
        "destination-taken",
        "gitops has a script of its own where a copy belongs",
        write=_destination_taken,
        excludes=("copied", "one-byte", "mode-bit", "moved-on", "uncommitted", "unpushed", "unpinned"),
    ),
    Fault("many-blocks", "30 folders that no row covers, each with a script that refers to it", write=_many_blocks),
)
