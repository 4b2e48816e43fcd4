"""What Azure tells of the cluster and the registry: power, what its nodes cost, who may pull and push."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.checks.finding import Finding, State, unknown
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, ToolError
from tasks.tools import az
from tasks.tools.az import cluster as az_cluster
from tasks.tools.az.cluster import Pool

_PULL = {"AcrPull", "Container Registry Repository Reader"}
_PUSH = {"AcrPush", "Container Registry Repository Writer", "Contributor", "Owner"}
_BICEP = "in the cluster's Bicep in the gitops repository (infrastructure is not changed from here)"


def node_pools(s: Settings) -> Iterator[Finding]:
    """Power, and whether the pools for work are cheap: spot, B-series, following the load."""
    cluster = az_cluster.show(s)
    if cluster.running:
        yield Finding("power", State.OK, f"{s.cluster.name} runs, Kubernetes {cluster.version}")
    else:
        yield Finding("power", State.MISSING, f"{s.cluster.name} is {cluster.power or 'off'}", fix="inv aks.start")
    work = [p for p in cluster.pools if p.mode != "System"] or list(cluster.pools)
    yield _some(
        "spot nodes", [p for p in work if p.spot], "no pool takes spot nodes", f'scaleSetPriority: "Spot" {_BICEP}'
    )
    yield _some(
        "B-series nodes",
        [p for p in cluster.pools if p.burstable],
        f"no pool is of the B-series ({', '.join(p.size for p in cluster.pools)})",
        f"a Standard_B size {_BICEP}",
    )
    yield _some(
        "autoscaling",
        [p for p in work if p.scales],
        "no pool follows the load: idle nodes are paid for",
        f"enableAutoScaling with minCount and maxCount {_BICEP}",
    )


def _some(subject: str, pools: list[Pool], absent: str, fix: str) -> Finding:
    if not pools:
        return Finding(subject, State.MISSING, absent, fix=fix)
    shown = ", ".join(f"{p.name} {p.size}" + (f" {p.low} to {p.high}" if p.scales else "") for p in pools)
    return Finding(subject, State.OK, shown)


def registry(s: Settings) -> Iterator[Finding]:
    """Can this login log in to the registry, and may it pull and push there?"""
    try:
        host = az_cluster.registry_login(s)
    except (ToolError, Blocked) as why:
        denied = "denied" in why.text() or "Unable to authenticate" in why.text() or "don't have access" in why.text()
        if not denied:
            raise
        yield Finding("registry login", State.MISSING, why.what, fix=why.fix or "ask for AcrPush on the registry")
    else:
        yield Finding("registry login", State.OK, host)
    try:
        roles = az_cluster.roles(s, az.account(s).user)
    except (ToolError, Blocked) as why:
        yield unknown("registry pull", why)
        yield unknown("registry push", why)
        return
    yield _role("registry pull", roles, _PULL | _PUSH, f"ask for AcrPull on {s.registry.host} (docs/access.md)")
    yield _role("registry push", roles, _PUSH, f"ask for AcrPush on {s.registry.host} (docs/access.md)")


def _role(subject: str, roles: list[str], enough: set[str], fix: str) -> Finding:
    given = sorted(enough & set(roles))
    if given:
        return Finding(subject, State.OK, f"by the role {given[0]}")
    if not roles:  # who may not read role assignments sees none
        return Finding(subject, State.UNKNOWN, "no role assignment is to be seen with this login", fix=fix)
    return Finding(subject, State.MISSING, f"none of your roles gives it ({', '.join(roles)})", fix=fix)
