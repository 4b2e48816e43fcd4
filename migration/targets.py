"""Rows of the mapping whose target is in another repository: a submodule of gitops, or a work tree inside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from migration.git.objects import GITLINK
from migration.repositories import Repository
from migration.simulation import Simulation
from tasks.core.errors import Trouble


def refuse_foreign(simulation: Simulation, file: Path) -> None:
    """Raise Trouble for the first such row. file: where the mapping is; it is read again only to name the line"""
    for keys, target in _targets(simulation):
        owner = _owner(simulation.gitops, target)
        if owner:
            from tasks.core.yaml import strict

            where = strict.read(file).where(keys)
            raise Trouble(f"{where}: '{target}' is in {owner}", fix="name a target that gitops itself tracks")


def _targets(simulation: Simulation) -> Iterator[tuple[tuple[str, ...], str]]:
    for number, move in enumerate(simulation.mapping.moves):
        yield ("moves", str(number), "to"), move.target
    for number, carry in enumerate(simulation.mapping.carries):
        yield ("carries", str(number), "to"), carry.target


def _owner(gitops: Repository, target: str) -> str:
    """Return what the target belongs to when it is not gitops; else nothing."""
    parts = target.partition("{env}")[0].rstrip("/").split("/")
    for count in range(1, len(parts) + 1):
        place = "/".join(parts[:count])
        entry = gitops.tree.get(place)
        if entry is not None and entry.mode == GITLINK:
            return f"the submodule {place} of gitops"
        if place and (gitops.facts.folder / place / ".git").exists():
            return f"{gitops.facts.folder / place}, which is another repository or work tree"
    return ""
