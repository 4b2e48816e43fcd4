"""What Azure knows about the cluster and the registry: power, the cost of its nodes, who may pull and push."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.checks.finding import Finding, could_not_look, missing, ok, unknown
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, ToolError
from tasks.tools import az
from tasks.tools.az import cluster as az_cluster
from tasks.tools.az.cluster import Pool

_PULL = {"AcrPull", "Container Registry Repository Reader"}
_PUSH = {"AcrPush", "Container Registry Repository Writer", "Contributor", "Owner"}
_BICEP = "in the cluster's Bicep in the gitops repository (infrastructure is not changed from here)"


def node_pools(s: Settings) -> Iterator[Finding]:
    """Check the power, and whether the pools for work are cheap: spot, B-series, autoscaling."""
    cluster = az_cluster.show(s)
    if cluster.running:
        yield ok("power", f"{s.cluster.name} runs, Kubernetes {cluster.version}")
    else:
        yield missing("power", f"{s.cluster.name} is {cluster.power or 'off'}", fix="inv aks.start")
    work = [p for p in cluster.pools if p.mode != "System"] or list(cluster.pools)
    yield _pools(
        "spot nodes", [p for p in work if p.spot], "no pool has spot nodes", f'scaleSetPriority: "Spot" {_BICEP}'
    )
    yield _pools(
        "B-series nodes",
        [p for p in cluster.pools if p.burstable],
        f"no pool is of the B-series ({', '.join(p.size for p in cluster.pools)})",
        f"a Standard_B size {_BICEP}",
    )
    yield _pools(
        "autoscaling",
        [p for p in work if p.scales],
        "no pool scales with the load: idle nodes are paid for",
        f"enableAutoScaling with minCount and maxCount {_BICEP}",
    )


def _pools(subject: str, fitting: list[Pool], absent: str, fix: str) -> Finding:
    if not fitting:
        return missing(subject, absent, fix=fix)
    shown = ", ".join(f"{p.name} {p.size}" + (f" {p.low} to {p.high}" if p.scales else "") for p in fitting)
    return ok(subject, shown)


def registry(s: Settings) -> Iterator[Finding]:
    """Check whether this login may log in to the registry, pull and push."""
    fix = f"ask whether you have AcrPull and AcrPush on {s.registry.host} (docs/access.md); inv aks.registry tries the login"
    try:
        host = az_cluster.registry_login(s)
    except az_cluster.RegistryDenied as why:
        yield missing("registry login", why.what, fix=why.fix or "ask for AcrPush on the registry")
    except (ToolError, Blocked) as why:
        yield could_not_look("registry login", why, fix=fix)
    else:
        yield ok("registry login", host)
    try:
        roles = az_cluster.roles(s, az.account(s).user)
    except (ToolError, Blocked) as why:
        yield could_not_look("registry pull", why, fix=fix)
        yield could_not_look("registry push", why, fix=fix)
        return
    yield _role("registry pull", roles, _PULL | _PUSH, f"ask for AcrPull on {s.registry.host} (docs/access.md)")
    yield _role("registry push", roles, _PUSH, f"ask for AcrPush on {s.registry.host} (docs/access.md)")


def _role(subject: str, roles: list[str], sufficient: set[str], fix: str) -> Finding:
    given = sorted(sufficient & set(roles))
    if given:
        return ok(subject, f"by the role {given[0]}")
    if not roles:  # a login that may not read role assignments sees none
        return unknown(subject, "this login sees no role assignments", fix=fix)
    return missing(subject, f"none of your roles allows it ({', '.join(roles)})", fix=fix)
