"""Phase 1: copy the infrastructure to gitops, with blob and mode; then change what must change in the copies."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from migration.destinations import destinations, diverged_fix, find_rivals
from migration.edit.doc_sections import section_in
from migration.filters import obstacles
from migration.git.objects import Entry
from migration.mapping import MOVE_STEPS
from migration.model import Reason, Repo
from migration.phases.copied_paths import rewrite_copied_paths
from migration.phases.pin import pin_gitops
from migration.repositories import Repository
from migration.simulation import Draft
from migration.step import MigrationStep
from migration.unused_steps import why_unused

COPIES = MOVE_STEPS


def copy_files(key: str) -> Callable[[Draft], None]:
    """Copy the files that move by this step."""

    def plan(draft: Draft) -> None:
        simulation = draft.simulation
        core, gitops = simulation.core.tree.files, simulation.gitops.tree.files
        places = destinations(simulation, key)
        if not places:
            draft.unused = why_unused(simulation, key)
        absent = {path: place for path, place in places.items() if gitops.get(place) != core[path]}
        if not absent:
            return
        earlier = _earlier_in_gitops(simulation.gitops, list(absent.values()))
        rivals = find_rivals(simulation)
        occupied = [path for path, place in absent.items() if place in gitops]
        old_versions = simulation.core.facts.ever([simulation.core.facts.at], occupied) if occupied else set()
        going = {  # not what gitops had and has changed since, or where another file takes the place
            path: place
            for path, place in absent.items()
            if (place, core[path]) not in earlier and path not in rivals.lost
        }
        converted = obstacles(simulation, going)
        for path, place in going.items():
            if path in converted:
                draft.block(path, Reason.CUSTOM, *converted[path])
                continue
            _copy(draft, path, place, rivals.undecided.get(path, ""), old_versions)

    return plan


def _earlier_in_gitops(gitops: Repository, places: list[str]) -> set[tuple[str, Entry]]:
    """What these paths held in any commit, also in the planned ones."""
    entries = gitops.facts.ever([gitops.facts.at], places)
    for commit in gitops.commits:
        entries |= {(path, Entry(*entry)) for path, entry in commit.edits.items() if entry}
    return entries


def _copy(draft: Draft, path: str, place: str, rival: str, old_versions: set[tuple[str, Entry]]) -> None:
    """Copy the file, or block if gitops has another file there. rival: a file of core that competes with this one."""
    simulation = draft.simulation
    existing = simulation.gitops.tree.files.get(place)
    if rival:
        draft.block(path, Reason.DIVERGED, rival, diverged_fix(path, rival), path)
    elif existing is None:
        draft.copy(path, place, f"{path} -> {place}")
        draft.grafted = True
    elif (path, existing) in old_versions or existing.oid == simulation.core.tree.files[path].oid:
        draft.copy(path, place, f"{path} -> {place}, replacing an older version")
    elif not simulation.accepted(path):
        both = shlex.join((f"{simulation.core.facts.folder}/{path}", f"{simulation.gitops.facts.folder}/{place}"))
        fix = f"compare them: diff {both}; make them equal, or keep the file of gitops: --accept {shlex.quote(path)}"
        draft.block(path, Reason.DIFFERS, f"gitops:{place}", fix, path)


def write_readmes(draft: Draft) -> None:
    """List in the READMEs of both repositories what moved where."""
    simulation = draft.simulation
    rows = [
        f"| `{move.source}` | `{move.target}` |"
        for move in simulation.mapping.moves
        if any(simulation.gitops.tree.under(move.target.split("{")[0]))
    ]
    if not rows:
        return
    table = "\n".join(["| was in core | is in gitops |", "|---|---|", *rows])
    core = f"## Where the infrastructure went\n\nIt is in the gitops repository now.\n\n{table}\n"
    gitops = (
        f"## What came from core\n\nThese paths were moved here; their content was unchanged at first.\n\n{table}\n"
    )
    _write_readme_section(draft, "core", core)
    _write_readme_section(draft, "gitops", gitops)


def _write_readme_section(draft: Draft, repo: Repo, text: str) -> None:
    old = draft.simulation.repositories.named(repo).text("README.md") or b""
    draft.write(repo, "README.md", section_in(old, "moved", text), "list where the infrastructure went")


STEPS = (
    *(MigrationStep(key, 1, "", copy_files(key)) for key in COPIES),
    MigrationStep("INFRA-15", 1, "the READMEs of both repositories list what moved", write_readmes),
    MigrationStep("RF-10", 1, "paths inside the copies are valid in gitops", rewrite_copied_paths),
    MigrationStep("RF-11", 1, "core pins the gitops commit that has the copies", pin_gitops, needs=COPIES),
)
