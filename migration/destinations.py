"""Where the files of core that move go in gitops, and which of them compete: twins, and files with one destination."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from migration.git.objects import GITLINK
from migration.mapping import Mapping
from migration.memo import MemoKey
from migration.simulation import Simulation


def destinations(simulation: Simulation, key: str = "") -> dict[str, str]:
    """Each file of core that moves (by this step, or by any) with its path in gitops.

    A file whose twin was chosen for the same path does not move.
    """
    paths: dict[str, str] = {}
    for move in simulation.mapping.moves:
        if key and move.step != key:
            continue
        literal_start = move.source.split("{")[0]
        for path in simulation.core.tree.under(literal_start):
            if simulation.core.tree.files[path].mode == GITLINK:
                continue  # a submodule has no blob to copy; phase 4 asks the user to delete it
            best_move = simulation.mapping.move_of(path)
            if best_move is not None and (not key or best_move[0].step == key):
                paths[path] = best_move[1]
    replaced = [path for path in paths if chosen_twin(simulation.mapping, path)]
    for path in replaced:
        del paths[path]
    return paths


def chosen_twin(mapping: Mapping, path: str) -> str:
    """The twin that goes to the destination of this file instead of it, as the mapping decided; empty without one.

    The decision holds also after one of the two was deleted.
    """
    for twins in mapping.twins:
        name = path.removeprefix(twins.other)
        if path.startswith(twins.other) and name in twins.decided:
            twin = twins.one + name
            mine, others = mapping.move_of(path), mapping.move_of(twin)
            if mine is not None and others is not None and mine[1] == others[1]:
                return twin
    return ""


@dataclass
class Rivals:
    """The files of core that compete.

    undecided: each file with the other one that differs
    lost:      the accepted files that give way to another one with the same destination
    """

    undecided: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


RIVALS = MemoKey[Rivals]("files of core that compete")


def find_rivals(simulation: Simulation) -> Rivals:
    """Find the twins that differ, and the different files with one destination. --accept and the mapping decide."""
    return simulation.memo.answer(RIVALS, lambda: _find_rivals(simulation))


def _find_rivals(simulation: Simulation) -> Rivals:
    rivals = Rivals()
    for one, other in _differing_twins(simulation):
        if not simulation.accepted(one) and not simulation.accepted(other):
            rivals.undecided[one], rivals.undecided[other] = other, one
    for paths in _sharing_a_destination(simulation):
        staying = [path for path in paths if not simulation.accepted(path)] or paths[:1]
        rivals.lost |= {*paths} - {*staying}
        rivals.undecided |= _differing(simulation, staying)
    return rivals


def _differing(simulation: Simulation, paths: list[str]) -> dict[str, str]:
    """Each of these files with one that differs from it."""
    files = simulation.core.tree.files
    pairs = [(path, other) for path in paths for other in paths if files[path] != files[other]]
    return dict(pairs)


def _differing_twins(simulation: Simulation) -> Iterator[tuple[str, str]]:
    """The files of twin folders that differ, unless the mapping has decided."""
    files = simulation.core.tree.files
    for twins in simulation.mapping.twins:
        for other in simulation.core.tree.under(twins.other):
            name = other.removeprefix(twins.other)
            one = twins.one + name
            if one in files and files[one] != files[other] and name not in twins.decided:
                yield one, other


def _sharing_a_destination(simulation: Simulation) -> Iterator[list[str]]:
    """The different files of core with the same destination."""
    files, by_place = simulation.core.tree.files, dict[str, list[str]]()
    for path, place in destinations(simulation).items():
        by_place.setdefault(place, []).append(path)
    for paths in by_place.values():
        if len({files[path] for path in paths}) > 1:
            yield paths


def diverged_fix(path: str, rival: str) -> str:
    """How to decide between two files of core that compete."""
    accept = " or ".join(shlex.join(("--accept", name)) for name in (path, rival))
    return f"make them equal, list twins in `decided` of config/migration.yaml, or accept the loss of one: {accept}"
