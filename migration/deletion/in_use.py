"""Block the deletion of files that are still in use: by an Argo CD Application, or by a file that stays."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from migration.deletion.verdicts import Verdicts
from migration.git.facts import shown
from migration.mapping import covering
from migration.memo import MemoKey
from migration.model import Block, Consumer, Reason, Reference
from migration.references.argo_consumers import Consumers
from migration.references.search import References, targets
from migration.simulation import Simulation

CONSUMERS = MemoKey[Consumers]("who syncs from core")


def check_consumers(simulation: Simulation, verdicts: Verdicts) -> None:
    """Block what Argo CD syncs from core: deleting it would delete what it deployed."""
    consumers = _consumers(simulation)
    for consumer in consumers.known:
        covered = [path for path in verdicts.proofs if consumers.covers(consumer, path)]
        fix = "make the Application sync from gitops first, or accept the loss: "
        _block_consumed(verdicts, consumer.path, consumer.where, covered, fix)
    if consumers.why_unknown:
        verdicts.notes.append(f"the live Argo CD Applications are unknown: {consumers.why_unknown}")
        for consumer in consumers.possible:
            _block_possibly_consumed(simulation, verdicts, consumers, consumer)


def _consumers(simulation: Simulation) -> Consumers:
    return simulation.memo.answer(CONSUMERS, lambda: Consumers(simulation))


def _block_possibly_consumed(
    simulation: Simulation, verdicts: Verdicts, consumers: Consumers, consumer: Consumer
) -> None:
    """Block what an Application in core's own files syncs: without the cluster it is not known whether it is live."""
    never_live = [covering(row.path) for row in simulation.mapping.unasked]

    def is_possible(path: str) -> bool:
        return consumers.covers(consumer, path) and not any(covers(path) for covers in never_live)

    covered = [path for path in verdicts.proofs if is_possible(path)]
    where = f"{consumer.where} declares an Application that syncs from here; {consumers.why_unknown}"
    _block_consumed(
        verdicts,
        consumer.path,
        where,
        covered,
        "log in so that the cluster can be queried (inv aks.login), or accept the loss: ",
    )


def _block_consumed(verdicts: Verdicts, synced: str, where: str, covered: list[str], fix: str) -> None:
    blocked = [path for path in covered if not verdicts.is_accepted(path)]
    if not blocked:
        return
    name = synced if synced in blocked else synced.rstrip("/") + "/"
    block = Block.at(name, Reason.CONSUMED, where, f"{fix}--accept {shlex.quote(name)}")
    for path in blocked:
        verdicts.block(path, block)


def check_references(simulation: Simulation, references: References, verdicts: Verdicts) -> None:
    """Block the files that a remaining file refers to.

    A blocked file remains too, and may refer to others: repeat with the newly blocked files until nothing changes.
    """
    if not verdicts.proofs:
        return
    remaining = [path for path in simulation.core.tree.files if path not in verdicts.proofs]
    to_scan: Iterable[str] = remaining
    ignored: set[Reference] = set()
    while True:
        deleted = set(verdicts.proofs)
        blocking: dict[Reference, list[str]] = {}
        for reference in references.broken_by(deleted, to_scan):
            blocked = _blocked_by(simulation, reference, deleted, verdicts)
            if blocked:
                blocking[reference] = blocked
            else:
                ignored.add(reference)
        newly_blocked = _block_referenced(blocking, verdicts)
        if not newly_blocked:
            break
        # The blocked files join the rest: a reference to a whole folder may no longer be broken.
        to_scan = remaining = [*remaining, *sorted(newly_blocked)]
    verdicts.references = sorted(ignored, key=_place)


def _blocked_by(simulation: Simulation, reference: Reference, deleted: set[str], verdicts: Verdicts) -> list[str]:
    if not reference.holds or simulation.accepted(reference.file):
        return []
    return [path for path in targets(reference.target, deleted) if not verdicts.is_accepted(path)]


def _block_referenced(blocking: dict[Reference, list[str]], verdicts: Verdicts) -> set[str]:
    for reference, paths in blocking.items():
        for path in paths:
            verdicts.block(path, _referenced(reference))
    return {path for paths in blocking.values() for path in paths}


def report_references_to_blocked(
    simulation: Simulation, references: References, paths: set[str], verdicts: Verdicts
) -> None:
    """Also report the references to paths that are already blocked, so that one run shows all that is to be done."""
    blocked = paths - verdicts.proofs.keys()
    if not blocked:
        return
    remaining = [path for path in simulation.core.tree.files if path not in paths]
    ignored = set(verdicts.references)
    for reference in references.broken_by(paths, remaining):
        if not reference.holds or simulation.accepted(reference.file):
            ignored.add(reference)
            continue
        for path in targets(reference.target, blocked):
            verdicts.block(path, _referenced(reference))
    verdicts.references = sorted(ignored, key=_place)


def _referenced(reference: Reference) -> Block:
    maybe = "" if reference.sure else "maybe: "
    fix = f"{maybe}{reference.kind} contains `{reference.text[:100]}`; change it there, or accept: --accept {shlex.quote(reference.target)}"
    return Block.at(reference.target, Reason.REFERENCED, shown(reference.where), fix)


def _place(reference: Reference) -> tuple[str, int, str]:
    return reference.file, reference.line, reference.target
