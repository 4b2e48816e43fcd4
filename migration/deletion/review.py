"""Review every file that the mapping lists for deletion.

A file may be deleted when gitops has or had its content, when the mapping lists a successor, or when the user accepted
its loss with --accept; and when nothing that remains uses it.
"""

from __future__ import annotations

import shlex

from migration.deletion.candidates import candidates, matching
from migration.deletion.consumed import check_consumers
from migration.deletion.copies import check_copies
from migration.deletion.in_use import check_references
from migration.deletion.verdicts import ProofKind, Verdicts
from migration.git.objects import GITLINK
from migration.memo import MemoKey
from migration.model import Reason
from migration.references import argo_consumers
from migration.references.search import References
from migration.simulation import Simulation
from tasks.core.repository import MAPPING

VERDICTS = MemoKey[Verdicts]("what may be deleted")
REFERENCES = MemoKey[References]("references in core")


def review(simulation: Simulation) -> Verdicts:
    """Review the files of all selected steps. The result is kept until something other than a deletion is planned."""
    return simulation.memo.answer(VERDICTS, lambda: _review(simulation))


def start_searches(simulation: Simulation) -> None:
    """Let git start the searches that the review needs, if there is anything to review."""
    rows = [row for key, row in simulation.mapping.cleanups.items() if key in simulation.request.keys]
    if any(matching(simulation.core.tree, area) for row in rows for area in row.paths):
        argo_consumers.start_searches(simulation)
        References(simulation, _areas(simulation)).start_search()


def _review(simulation: Simulation) -> Verdicts:
    verdicts = Verdicts()
    steps = [key for key in simulation.mapping.cleanups if key in simulation.request.keys]
    paths = [path for step in steps for path in candidates(simulation, step)]
    if not paths:
        return verdicts
    _check_content(simulation, paths, verdicts)
    check_consumers(simulation, verdicts)
    check_references(simulation, _references(simulation), set(paths), _barred(simulation, steps), verdicts)
    return verdicts


def _barred(simulation: Simulation, steps: list[str]) -> set[str]:
    """What only steps delete that wait for another step: it remains, and what it refers to remains with it."""
    free = {path for step in steps if not simulation.is_barred(step) for path in candidates(simulation, step)}
    waiting = {path for step in steps if simulation.is_barred(step) for path in candidates(simulation, step)}
    return waiting - free


def _references(simulation: Simulation) -> References:
    """The references in core's files, shared by all steps of a run."""
    return simulation.memo.answer(REFERENCES, lambda: References(simulation, _areas(simulation)))


def _areas(simulation: Simulation) -> list[str]:
    return [area for row in simulation.mapping.cleanups.values() for area in row.paths]


def _check_content(simulation: Simulation, paths: list[str], verdicts: Verdicts) -> None:
    """Find the proof that the content of each file is not lost; those that move are judged by their copies.

    Nothing is accepted before its content was looked at: --accept does not stand for a commit, a push or a pin.
    """
    uncommitted = set(simulation.core.facts.dirty)
    destinations: dict[str, str] = {}
    for path in paths:
        move = simulation.mapping.move_of(path)
        if path in uncommitted:
            verdicts.refuse(path, Reason.UNCOMMITTED, f"core:{path}", "commit or stash the change, then run this again")
        elif simulation.core.tree.files[path].mode == GITLINK:
            fix = f"this is a submodule: git -C {shlex.quote(str(simulation.core.facts.folder))} rm {shlex.quote(path)}"
            verdicts.refuse(path, Reason.CUSTOM, f"core:{path}", fix)
        elif move is not None:
            destinations[path] = move[1]
        else:
            _check_superseded(simulation, path, verdicts)
    if destinations:
        check_copies(simulation, destinations, verdicts)


def _check_superseded(simulation: Simulation, path: str, verdicts: Verdicts) -> None:
    row = simulation.mapping.superseded_by(path)
    if row is not None:
        verdicts.prove(path, ProofKind.SUPERSEDED, f"superseded by {row.by}: {row.reason}")
    elif simulation.accepted(path):
        verdicts.accept(path)
    else:
        fix = f"add it to moves or superseded, or accept its loss: --accept {shlex.quote(path)}"
        verdicts.refuse(path, Reason.UNMAPPED, MAPPING, fix)
