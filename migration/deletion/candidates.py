"""The files that the mapping lists for deletion."""

from __future__ import annotations

from migration.git.objects import Tree
from migration.mapping import glob
from migration.simulation import Simulation


def candidates(simulation: Simulation, key: str) -> list[str]:
    """The files of core that this step deletes if it may, as they are in the simulation."""
    row = simulation.mapping.cleanup_of(key)
    if row is None:
        return []
    mapping, found = simulation.mapping, set[str]()
    for area in row.paths:
        found.update(path for path in matching(simulation.core.tree, area) if not mapping.keeps(path, len(area)))
    return sorted(found)


def matching(tree: Tree, area: str) -> list[str]:
    """The files that `area` covers: a file name, a folder ending in `/`, or a glob."""
    literal_start = area.split("*")[0].split("?")[0]
    if literal_start != area:
        pattern = glob(area)
        return [path for path in tree.under(literal_start) if pattern.match(path)]
    if area.endswith("/"):
        return list(tree.under(area))
    return [area] if area in tree else []
