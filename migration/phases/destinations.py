"""Where the files of core that move go in gitops."""

from __future__ import annotations

from migration.git.objects import GITLINK
from migration.simulation import Simulation


def destinations(simulation: Simulation, key: str = "") -> dict[str, str]:
    """Each file of core that moves (by this step, or by any) with its path in gitops."""
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
    return paths
