"""Rows of the mapping that match nothing: a path that was mistyped, or that the repository never had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from migration.git.facts import TAG, Facts
from migration.git.objects import Tree
from migration.mapping import Mapping, glob
from migration.model import Repo
from migration.simulation import Simulation


class UnusedRow(NamedTuple):
    """A row of the mapping, or one path of a row. where: `file:line`."""

    where: str
    path: str


class _Pattern(NamedTuple):
    """A path of the mapping. keys: its place in the file; places: where it may match, each with its repository."""

    keys: tuple[str, ...]
    path: str
    places: tuple[tuple[Repo, str], ...]


def unused_rows(simulation: Simulation, file: Path) -> list[UnusedRow]:
    """Return the rows that match nothing, and that matched nothing when the migration began.

    file: where the mapping is; it is read again only to name the lines
    """
    trees = {repository.name: _trees(repository.facts) for repository in simulation.repositories.both}
    unused = [
        pattern
        for pattern in _patterns(simulation.mapping)
        if not any(_matches(tree, path) for repo, path in pattern.places for tree in trees[repo])
    ]
    if not unused:
        return []
    from tasks.core.yaml import strict

    document = strict.read(file)
    return [UnusedRow(document.where(pattern.keys), pattern.path) for pattern in unused]


def _trees(facts: Facts) -> list[Tree]:
    """The tree of the repository, and the one that it had when the migration began."""
    begin = facts.git.line("rev-parse", "-q", "--verify", f"refs/tags/{TAG}^{{commit}}", ok=(0, 1))
    return [facts.tree, *([facts.tree_of(begin)] if begin and begin != facts.at else [])]


def _matches(tree: Tree, path: str) -> bool:
    text = path.replace("{env}", "*")
    literal_start = text.split("*")[0].split("?")[0]
    if literal_start == text:
        return text in tree or (text.endswith("/") and tree.has_folder(text[:-1]))
    pattern = glob(text)
    return any(pattern.match(name) for name in tree.under(literal_start))


def _patterns(mapping: Mapping) -> Iterator[_Pattern]:
    for number, move in enumerate(mapping.moves):
        places: tuple[tuple[Repo, str], ...] = (("core", move.source), ("gitops", move.target))
        yield _Pattern(("moves", str(number)), move.source, places)
    for number, carry in enumerate(mapping.carries):
        places = (("core", carry.source), ("gitops", carry.target))
        yield _Pattern(("carries", str(number)), carry.source, places)
    named = [("superseded", number, row.path) for number, row in enumerate(mapping.superseded)]
    named += [("kept", number, kept.path) for number, kept in enumerate(mapping.kept)]
    for name, number, path in named:
        yield _Pattern((name, str(number)), path, (("core", path),))
    for number, cleanup in enumerate(mapping.cleanup):
        for place, path in enumerate(cleanup.paths):
            yield _Pattern(("cleanup", str(number), "paths", str(place)), path, (("core", path),))
