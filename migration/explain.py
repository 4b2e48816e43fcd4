"""Answers about one path: what happens to it and why, and what refers to it. Also diffs of the rewritten files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from migration.deletion.candidates import matching
from migration.deletion.consumed import is_possibly_consumed
from migration.destinations import chosen_twin
from migration.engine import MigrationPlan
from migration.git.facts import shown
from migration.git.objects import Tree, is_binary
from migration.line_counts import rewritten
from migration.mapping import Mapping, glob
from migration.model import Block, StepResult, TreeChange
from migration.references.argo_consumers import Consumers
from migration.references.removal import Removal, is_glob
from migration.references.search import References
from migration.render import readable
from migration.simulation import Simulation

Row = tuple[str, str]  # what the row is about, and the text


@dataclass(frozen=True)
class Explanation:
    """Everything that the mapping and the plan say about one path."""

    path: str
    rows: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "path": readable(self.path),
            "rows": [{"what": what, "text": readable(text)} for what, text in self.rows],
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines for people."""
        yield shown(self.path)
        for what, text in self.rows:
            yield f"  {what:<11} {readable(text)}"


def explain(plan: MigrationPlan, path: str) -> Explanation:
    """Collect the mapping's entries about the path, and what the plan does with it, with its proof or block."""
    mapping = plan.simulation.mapping
    going = mapping.move_of(path)
    places = (path, going[1]) if going else (path,)
    rows = [*_mapping_rows(mapping, path)]
    for result in plan.results:
        rows += _result_rows(result, path, places)
    if not rows:
        rows.append(("stays", "no entry of the mapping and no step is about it"))
    return Explanation(path, tuple(dict.fromkeys([_kind_row(plan.simulation.core.facts.tree, path), *rows])))


def _folder(path: str) -> str:
    return path.rstrip("/") + "/"


def _kind_row(tree: Tree, path: str) -> Row:
    if path in tree:
        entry = tree.files[path]
        return "is", f"a file of core, blob {entry.oid[:12]}, mode {entry.mode}"
    if tree.has_folder(path.rstrip("/")):
        return "is", f"a folder of core with {sum(1 for _ in tree.under(_folder(path)))} files"
    return "is", "not in core's commit"


def _mapping_rows(mapping: Mapping, path: str) -> Iterator[Row]:
    going = mapping.move_of(path)
    if going is not None:
        move, target = going
        yield "moves", f"to gitops:{target} by {move.step} (moves: {move.source} -> {move.target})"
    twin = chosen_twin(mapping, path)
    if twin:
        yield "twin", f"not copied: the mapping decided for {twin}, which goes to the same path"
    superseded = mapping.superseded_by(path)
    if superseded is not None:
        yield "superseded", f"by {superseded.by}: {superseded.reason} (superseded: {superseded.path})"
    for cleanup in mapping.cleanups.values():
        if any(_is_about(pattern, path) for pattern in cleanup.paths):
            yield "deleted by", f"{cleanup.step} (cleanup: {', '.join(cleanup.paths)})"
    for kept in mapping.kept:
        if _is_about(kept.path, path):
            yield "stays", kept.reason


def _is_about(pattern: str, path: str) -> bool:
    return glob(pattern).match(path) is not None or pattern == _folder(path)


def _result_rows(result: StepResult, path: str, places: tuple[str, ...]) -> Iterator[Row]:
    for change in result.changes:
        if change.path in places or change.path.startswith(_folder(path)):
            yield result.key, _change_text(change)
    for block in result.blocks:
        if _covers(block, path):
            yield result.key, f"blocked, {block.reason}: {block.where}; {block.fix}"


def _change_text(change: TreeChange) -> str:
    return f"{change.kind} {change.repo}:{shown(change.path)}: {change.text}"


def _covers(block: Block, path: str) -> bool:
    below_block = block.path.endswith("/") and path.startswith(block.path)
    return block.path == path or block.path.startswith(_folder(path)) or below_block


@dataclass(frozen=True)
class Referrer:
    """A place that refers to the path."""

    where: str
    target: str
    kind: str
    text: str
    sure: bool

    blocks: bool
    """Whether it would block the deletion of the path."""

    def as_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {key: readable(value) if isinstance(value, str) else value for key, value in asdict(self).items()}

    def line(self) -> str:
        """Return the line for people."""
        maybe = "" if self.sure else "maybe, "
        note = "" if self.blocks else "  (does not block)"
        return f"{shown(self.where)}: {maybe}{self.kind}: {readable(self.text)}{note}"


def references(simulation: Simulation, path: str) -> list[Referrer]:
    """Return what in core, as it is now, refers to the path, to what it matches as a glob, or to something below it.

    A path that no longer exists is searched for as well. Applications that sync from the path are included.
    """
    tree = simulation.core.tree
    area = path if path in tree or is_glob(path) else _folder(path)
    doomed = set(matching(tree, area))
    areas = [area for row in simulation.mapping.cleanups.values() for area in row.paths]
    index = References(simulation, [*areas, area])
    survivors = [name for name in tree.files if name not in doomed]
    rows = index.to(Removal(tree, doomed), survivors) if doomed else index.naming(area, survivors)
    referrers = [Referrer(r.where, r.target, r.kind, r.text, r.sure, r.holds) for r in rows]
    referrers += _consumers(simulation, doomed)
    return sorted(referrers, key=lambda referrer: (referrer.where, referrer.target))


def _consumers(simulation: Simulation, doomed: set[str]) -> Iterator[Referrer]:
    """The Applications that sync from these paths, and those in core's own files that may be live."""
    consumers, kind = Consumers(simulation), "Argo CD Application"
    for consumer in consumers.known:
        if any(consumers.covers(consumer, path) for path in doomed):
            yield Referrer(consumer.where, consumer.path, kind, consumer.repo_url, True, True)
    for consumer in consumers.possible:
        if any(is_possibly_consumed(simulation, consumer, path) for path in doomed):
            text = f"{consumer.repo_url}; {consumers.why_unknown}"
            yield Referrer(consumer.where, consumer.path, kind, text, False, True)


def diffs(plan: MigrationPlan) -> Iterator[str]:
    """Yield unified diffs of the files that the plan rewrites, from their state now to the plan's end."""
    repositories = plan.simulation.repositories
    for repository in (repositories.gitops, repositories.core):
        for file in rewritten(repository):
            if is_binary(file.before) or is_binary(file.after):
                continue
            name = f"{repository.name}/{shown(file.path)}"
            old, new = (data.decode("utf-8", "replace").splitlines() for data in (file.before, file.after))
            yield from difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm="")
