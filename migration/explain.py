"""What a person asks of one path: what happens to it and why, who names it; and what rewritten files look like."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from migration.deletion.candidates import matching
from migration.engine import Plan
from migration.git.facts import shown
from migration.git.objects import GITLINK, is_binary
from migration.mapping import glob
from migration.references.argo_consumers import Consumers
from migration.references.search import References
from migration.render import readable
from migration.simulation import World


@dataclass(frozen=True)
class Told:
    """Rows of (what, text) about one path."""

    path: str
    rows: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"path": readable(self.path), "rows": [{"what": w, "text": readable(t)} for w, t in self.rows]}

    def lines(self) -> Iterator[str]:
        """For people."""
        yield shown(self.path)
        for what, text in self.rows:
            yield f"  {what:<11} {readable(text)}"


def explain(plan: Plan, path: str) -> Told:
    """Which entries of the mapping are about the path, what the plan does with it, with which proof or block."""
    world, mapping = plan.world, plan.world.mapping
    rows: list[tuple[str, str]] = []
    before, folder = world.core.facts.tree, path.rstrip("/") + "/"
    if path in before:
        entry = before.files[path]
        rows.append(("is", f"a file of core, blob {entry.oid[:12]}, mode {entry.mode}"))
    elif before.has_folder(folder[:-1]):
        rows.append(("is", f"a folder of core with {sum(1 for _ in before.under(folder))} files"))
    else:
        rows.append(("is", "nothing in core's commit"))
    going = mapping.move_of(path)
    if going is not None:
        rows.append(
            ("moves", f"to gitops:{going[1]} by {going[0].step} (moves: {going[0].source} -> {going[0].target})")
        )
    over = mapping.superseded_by(path)
    if over is not None:
        rows.append(("superseded", f"by {over.by}: {over.reason} (superseded: {over.path})"))
    for cleanup in mapping.cleanup:
        if any(glob(p).match(path) or p == folder for p in cleanup.paths):
            rows.append(("taken by", f"{cleanup.step} (cleanup: {', '.join(cleanup.paths)})"))
    for kept in mapping.kept:
        if glob(kept.path).match(path) or kept.path == folder:
            rows.append(("stays", kept.reason))
    for one in plan.outcomes:
        for change in one.changes:
            if change.path in (path, going[1] if going else path) or change.path.startswith(folder):
                rows.append((f"{one.key}", f"{change.kind} {change.repo}:{shown(change.path)}: {change.text}"))
        for block in one.blocks:
            if (
                block.path == path
                or block.path.startswith(folder)
                or (block.path.endswith("/") and path.startswith(block.path))
            ):
                rows.append((f"{one.key}", f"blocked, {block.reason}: {block.where}; {block.fix}"))
    if len(rows) == 1:
        rows.append(("stays", "no entry of the mapping and no step is about it"))
    return Told(path, tuple(dict.fromkeys(rows)))


@dataclass(frozen=True)
class Named:
    """A place that names the path. blocks: would it hold back the deletion of the path?"""

    where: str
    target: str
    kind: str
    text: str
    sure: bool
    blocks: bool

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {k: readable(v) if isinstance(v, str) else v for k, v in self.__dict__.items()}

    def line(self) -> str:
        """For people."""
        maybe = "" if self.sure else "maybe, "
        note = "" if self.blocks else "  (does not block)"
        return f"{shown(self.where)}: {maybe}{self.kind}: {readable(self.text)}{note}"


def references(world: World, path: str) -> list[Named]:
    """Who in core names the path (or what a glob matches) or something below it, as core is now; and who syncs from it.

    A path that is gone is looked for as well: who names it names nothing any more.
    """
    tree = world.core.tree
    area = path if path in tree or "*" in path or "?" in path else path.rstrip("/") + "/"
    doomed = set(matching(tree, area))
    index = References(world, [*(p for row in world.mapping.cleanup for p in row.paths), area])
    survivors = [p for p in tree.files if p not in doomed]
    rows = index.broken_by(doomed, survivors) if doomed else index.naming(area, survivors)
    found = [Named(r.where, r.target, r.kind, r.text, r.sure, r.holds) for r in rows]
    who = Consumers(world)
    for consumer in who.known:
        if any(who.covers(consumer, p) for p in doomed):
            found.append(Named(consumer.where, consumer.path, "Argo CD Application", consumer.repo_url, True, True))
    return sorted(found, key=lambda n: (n.where, n.target))


def diffs(plan: Plan) -> Iterator[str]:
    """Unified diffs of the files that the plan rewrites: from what is now to what comes, each file once."""
    for side in (plan.world.gitops, plan.world.core):
        edited = {p for c in side.commits for p, e in c.edits.items() if e is not None}
        for path in sorted(edited):
            before, after = side.facts.tree.get(path), side.tree.get(path)
            if before is None or after is None or before == after or after.mode == GITLINK:
                continue
            old, new = side.blobs.get(before.oid), side.blobs.get(after.oid)
            if is_binary(old) or is_binary(new):
                continue
            name = f"{side.name}/{shown(path)}"
            rows = difflib.unified_diff(
                old.decode("utf-8", "replace").splitlines(), new.decode("utf-8", "replace").splitlines(),
                f"a/{name}", f"b/{name}", lineterm="",
            )  # fmt: skip
            yield from rows
