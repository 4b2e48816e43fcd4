"""The cost of the cluster, and starting and stopping it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from tasks.checks import azure_target
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.flows import session
from tasks.flows.cluster.schedule import Hours
from tasks.flows.intercept import notice
from tasks.tools import kubeconfig, telepresence
from tasks.tools.az import cluster as az_cluster
from tasks.tools.az.cluster import Cluster, Pool

HOURS_PER_WEEK = 168


class Verb(StrEnum):
    START = "start"
    STOP = "stop"


def plan(s: Settings, verb: Verb, cluster: Cluster, *, dry: bool) -> Change[object] | None:
    """Return the change, None when there is nothing to do. Raises Refused for production."""
    azure_target.refuse_production(s, cluster)
    if cluster.running == (verb is Verb.START):
        return None
    if verb is Verb.START:
        azure_target.must_be_the_same(s, cluster, azure_target.server(s))
        return az_cluster.start(s)
    # The guard also reads the labels of the namespace. Only a running cluster can answer.
    session.allowed(s, dry=dry)
    azure_target.must_be_the_same(s, cluster, azure_target.server(s) if dry else kubeconfig.server_of(s))
    return az_cluster.stop(s)


def own_intercepts(s: Settings) -> list[str]:
    """Return a hint for each intercept of this workstation; empty when Telepresence does not answer."""
    try:
        intercepts = telepresence.status(s).intercepts
    except ToolError:
        return []
    return [f"you intercept {name} now: inv leave {name} first" for name, _ in intercepts]


def holders(s: Settings) -> list[str]:
    """Return who else intercepts something, as lines for people; one that says so when that cannot be seen.

    They are the notices that each intercept leaves in the namespace. A notice may be left over after a crash.
    """
    try:
        others = [note for note in notice.ask(s) if not note.mine]
    except Trouble as why:
        return [f"who intercepts something cannot be seen: {why.what}"]
    return [f"{note.holder} intercepts {note.workload} ({note.mode}), started {note.age}" for note in others]


def cost_hints(cluster: Cluster) -> list[str]:
    """Return what is paid for, in words: prices differ by region and contract."""
    if not cluster.running:
        return ["stopped: nodes cost nothing now; disks, addresses and the registry still do"]
    return [hint for pool in cluster.pools for hint in _pool_hints(pool)] + [_hours_hint(cluster)]


def _pool_hints(pool: Pool) -> Iterator[str]:
    if not pool.scales:
        yield f"{pool.name}: {pool.count} nodes at all hours; the autoscaler would remove idle ones"
    if not pool.spot and pool.mode != "System":
        yield f"{pool.name}: full price; spot nodes cost a fraction, but Azure may evict them at any time"
    if not pool.burstable:
        yield f"{pool.name}: {pool.size} is paid for at full power; the B-series is cheaper while it idles"


def _hours_hint(cluster: Cluster) -> str:
    nodes = sum(pool.low if pool.scales else pool.count for pool in cluster.pools)
    scheduled = Hours().per_week
    saving = round(100 - 100 * scheduled / HOURS_PER_WEEK)
    return (
        f"runs at all hours: at least {nodes} node{'' if nodes == 1 else 's'} for {HOURS_PER_WEEK} h a week; "
        f"with `inv aks.schedule` {scheduled} h, {saving} % less"
    )
