"""Review every file that the mapping lists for deletion.

A file may be deleted when gitops has or had its content, when the mapping lists a successor, or when the user accepted
its loss with --accept; and when nothing that remains uses it.
"""

from __future__ import annotations

import shlex

from migration.deletion.candidates import candidates, matching
from migration.deletion.copies import check_copies
from migration.deletion.in_use import check_consumers, check_references, report_references_to_blocked
from migration.deletion.verdicts import ProofKind, Verdicts
from migration.git.objects import GITLINK
from migration.references import argo_consumers
from migration.references.search import References
from migration.simulation import World


def review(world: World) -> Verdicts:
    """Review the files of all selected steps. The result is kept until something other than a deletion is planned."""
    verdicts = world.cache.get("verdicts")
    if not isinstance(verdicts, Verdicts):
        verdicts = _review(world)
        world.cache["verdicts"] = verdicts
    return verdicts


def start_searches(world: World) -> None:
    """Let git start the searches that the review needs, if there is anything to review."""
    rows = [row for row in world.mapping.cleanup if row.step in world.selected]
    if any(matching(world.core.tree, area) for row in rows for area in row.paths):
        argo_consumers.start_searches(world)
        References(world, _areas(world)).start_search()


def _review(world: World) -> Verdicts:
    verdicts = Verdicts()
    steps = [row.step for row in world.mapping.cleanup if row.step in world.selected]
    paths = [path for step in steps for path in candidates(world, step)]
    if not paths:
        return verdicts
    _check_content(world, paths, verdicts)
    check_consumers(world, verdicts)
    references = _references(world)
    check_references(world, references, verdicts)
    report_references_to_blocked(world, references, set(paths), verdicts)
    return verdicts


def _references(world: World) -> References:
    """The references in core's files, shared by all steps of a run."""
    references = world.cache.get("references")
    if not isinstance(references, References):
        references = References(world, _areas(world))
        world.cache["references"] = references
    return references


def _areas(world: World) -> list[str]:
    return [area for row in world.mapping.cleanup for area in row.paths]


def _check_content(world: World, paths: list[str], verdicts: Verdicts) -> None:
    """Find the proof that the content of each file is not lost; those that move are judged by their copies."""
    uncommitted = set(world.core.facts.dirty)
    destinations: dict[str, str] = {}
    for path in paths:
        move = world.mapping.move_of(path)
        if world.accepted(path):
            verdicts.prove(path, ProofKind.ACCEPTED, "accepted with --accept")
        elif path in uncommitted:
            verdicts.refuse(path, "uncommitted", f"core:{path}", "commit or stash the change, then run this again")
        elif world.core.tree.files[path].mode == GITLINK:
            fix = f"this is a submodule: delete it with git rm, or accept its loss: --accept {shlex.quote(path)}"
            verdicts.refuse(path, "custom", f"core:{path}", fix)
        elif move is not None:
            destinations[path] = move[1]
        else:
            _check_superseded(world, path, verdicts)
    if destinations:
        check_copies(world, destinations, verdicts)


def _check_superseded(world: World, path: str, verdicts: Verdicts) -> None:
    row = world.mapping.superseded_by(path)
    if row is not None:
        verdicts.prove(path, ProofKind.SUPERSEDED, f"superseded by {row.by}: {row.reason}")
        return
    fix = f"add it to moves or superseded, or accept its loss: --accept {shlex.quote(path)}"
    verdicts.refuse(path, "unmapped", "config/migration.yaml", fix)
