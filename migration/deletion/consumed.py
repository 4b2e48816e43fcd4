"""Block the deletion of what Argo CD syncs from core: deleting it would delete what it deployed.

`--accept` waives only an Application that the cluster named in its answer, and only if it names the very path that this
Application syncs. What is merely declared in a file is not known to be live: there is nothing that a person could accept.
"""

from __future__ import annotations

import shlex

from migration.deletion.verdicts import Verdicts
from migration.mapping import covering
from migration.memo import MemoKey
from migration.model import Block, Consumer, Reason
from migration.references.argo_consumers import Consumers
from migration.simulation import Simulation

CONSUMERS = MemoKey[Consumers]("who syncs from core")


_DECLARED = "make the Application sync from gitops, or delete it there"
_UNKNOWN = (
    "log in so that the cluster can be queried (inv aks.login), or list the path in `unasked` of config/migration.yaml"
)


def check_consumers(simulation: Simulation, verdicts: Verdicts) -> None:
    """Block what Argo CD syncs from core, except where the loss is accepted."""
    consumers = simulation.memo.answer(CONSUMERS, lambda: Consumers(simulation))
    live_paths = {consumer.path for consumer in consumers.live}
    for consumer in consumers.known:
        covered = [path for path in verdicts.proofs if consumers.covers(consumer, path)]
        is_live = consumer.path in live_paths
        if is_live and _is_accepted(simulation, consumer):
            _record_loss(verdicts, consumer, covered)
        else:
            name = _synced(consumer, covered)
            accept = (
                f"; or accept that what it deployed may be deleted: --accept {shlex.quote(name)}" if is_live else ""
            )
            _block(verdicts, Block.at(name, Reason.CONSUMED, consumer.where, _DECLARED + accept), covered)
    if consumers.why_unknown:
        verdicts.notes.append(f"the live Argo CD Applications are unknown: {consumers.why_unknown}")
        for consumer in consumers.possible:
            covered = [path for path in verdicts.proofs if is_possibly_consumed(simulation, consumer, path)]
            where = f"{consumer.where} declares an Application that syncs from here; {consumers.why_unknown}"
            _block(verdicts, Block.at(_synced(consumer, covered), Reason.CONSUMED, where, _UNKNOWN), covered)


def is_possibly_consumed(simulation: Simulation, consumer: Consumer, path: str) -> bool:
    """Whether an Application in core's own files, which may be live, syncs the path, and the mapping does not exclude it."""
    never_live = any(covering(row.path)(path) for row in simulation.mapping.unasked)
    return Consumers.covers(consumer, path) and not never_live


def _is_accepted(simulation: Simulation, consumer: Consumer) -> bool:
    """Whether --accept names the path that the Application syncs: not a folder above it, nor a file in it."""
    synced = consumer.path.strip("/")
    return synced not in {"", "."} and any(word.strip("/") == synced for word in simulation.request.accept)


def _record_loss(verdicts: Verdicts, consumer: Consumer, covered: list[str]) -> None:
    for path in covered:
        verdicts.add_loss(path, f"what {consumer.where} deployed from {_synced(consumer, covered)}")


def _synced(consumer: Consumer, covered: list[str]) -> str:
    """The path that the Application syncs: a file of core, or a folder ending in `/`."""
    return consumer.path if consumer.path in covered else consumer.path.rstrip("/") + "/"


def _block(verdicts: Verdicts, block: Block, covered: list[str]) -> None:
    for path in covered:
        verdicts.block(path, block)
