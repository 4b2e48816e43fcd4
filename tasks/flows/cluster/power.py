"""What the cluster costs now, and switching it on and off."""

from __future__ import annotations

from typing import Any

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import MISSING, Refused, ToolError
from tasks.core.plan.change import Change, perform
from tasks.flows import session
from tasks.flows.cluster.schedule import Hours
from tasks.tools import telepresence
from tasks.tools.az import cluster as az_cluster
from tasks.tools.az.cluster import Cluster
from tasks.tools.private_caches import without_trace

HOURS_A_WEEK = 168


def status(s: Settings, *, json: bool) -> None:
    """Power, node pools, and what would make them cheaper. Changes nothing."""
    cluster = az_cluster.show(s)
    hints = list(costs(cluster))
    if json:
        ui.as_json(
            {"cluster": s.cluster.name, "power": cluster.power, "state": cluster.state, **_document(cluster, hints)}
        )
        return
    ui.say(f"{s.cluster.name} ({cluster.location}): {cluster.power}, Kubernetes {cluster.version}")
    ui.table(
        [("pool", "mode", "size", "nodes", "spot")]
        + [
            (
                p.name,
                p.mode,
                p.size,
                f"{p.count} ({p.low} to {p.high})" if p.scales else str(p.count),
                "yes" if p.spot else "no",
            )
            for p in cluster.pools
        ],
        indent="  ",
    )
    for hint in hints:
        ui.say(f"  {hint}")


def costs(cluster: Cluster) -> list[str]:
    """Hints at what is paid for, in words: prices differ by region and contract."""
    if not cluster.running:
        return ["stopped: nodes cost nothing now; disks, addresses and the registry still do"]
    found = []
    for pool in cluster.pools:
        if not pool.scales:
            found.append(f"{pool.name}: {pool.count} nodes at all hours; with the autoscaler idle ones would go")
        if not pool.spot and pool.mode != "System":
            found.append(f"{pool.name}: full price; spot nodes cost a fraction and may be taken away at any time")
        if not pool.burstable:
            found.append(f"{pool.name}: {pool.size} is paid for at full power; the B-series is cheaper while it idles")
    least = sum(pool.low if pool.scales else pool.count for pool in cluster.pools)
    open_hours = Hours().a_week
    found.append(
        f"runs at all hours: at least {least} node{'' if least == 1 else 's'} for {HOURS_A_WEEK} h a week; "
        f"with `inv aks.schedule` {open_hours} h, {round(100 - 100 * open_hours / HOURS_A_WEEK)} % less"
    )
    return found


def switch(s: Settings, verb: str, *, yes: bool, dry: bool, check: bool, json: bool) -> None:
    """Start or stop the cluster, when it may be: never production, never unasked."""
    guard.names(s)
    if dry or check:
        with without_trace():
            _switch(s, verb, yes=yes, dry=True, check=check, json=json)
    else:
        _switch(s, verb, yes=yes, dry=False, check=False, json=json)


def _switch(s: Settings, verb: str, *, yes: bool, dry: bool, check: bool, json: bool) -> None:
    cluster = az_cluster.show(s)
    _not_production(s, cluster)
    wanted = verb == "start"
    if cluster.running == wanted:
        _tell(s, json, None, f"{s.cluster.name} is {cluster.power} already: nothing to do")
        return
    change = az_cluster.start(s) if wanted else az_cluster.stop(s)
    if not wanted:  # with everything: the namespace's labels too, while the cluster still answers
        session.allowed(s, dry=dry)
    if dry:
        _tell(s, json, change, change.would)
        if check:
            raise SystemExit(MISSING)
        return
    for line in _in_use(s) if not wanted else ():
        ui.talk(line)
    ui.confirm(
        f"{change.text}?" + (f" it ends {change.destroys}" if change.destroys else ""),
        yes=yes,
        fix=f"inv aks.{verb} --yes",
    )
    ui.talk(f"{change.text}: this takes some minutes")
    perform(change)
    _tell(s, json, change, f"{s.cluster.name} {'runs' if wanted else 'is stopped'}")


def _not_production(s: Settings, cluster: Cluster) -> None:
    """A stopped cluster cannot be asked for labels, so the resource's own tags are looked at too."""
    for key, value in s.guard.production.labels.items():
        if (cluster.tags or {}).get(key) == value:
            raise Refused(
                f"the cluster '{s.cluster.name}' is production", why=f"its tag {key}={value}", fix=guard.NO_WAY
            )


def _in_use(s: Settings) -> list[str]:
    try:
        held = telepresence.status(s).intercepts
    except ToolError:
        return []
    return [f"you intercept {name} now: inv leave {name} first" for name, _ in held]


def _tell(s: Settings, json: bool, change: Change[object] | None, text: str) -> None:
    if json:
        ui.as_json(
            {"cluster": s.cluster.name, "changes": [{"text": change.text, "command": change.command}] if change else []}
        )
    else:
        ui.say(text)


def _document(cluster: Cluster, hints: list[str]) -> dict[str, Any]:
    return {
        "version": cluster.version,
        "pools": [
            {
                "name": p.name,
                "mode": p.mode,
                "size": p.size,
                "count": p.count,
                "low": p.low,
                "high": p.high,
                "spot": p.spot,
            }
            for p in cluster.pools
        ],
        "hints": hints,
    }
