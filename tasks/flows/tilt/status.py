"""What Tilt runs here, what its resources say, and whose releases are in the cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tasks.core import ui
from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Trouble
from tasks.flows.tilt import orphans, ownership
from tasks.tools import base, helm, tilt


def run(*, json: bool) -> None:
    """Look, and show it; what could not be looked at is said, and is no failure."""
    found = look(settings())
    if json:
        ui.as_json(found)
        return
    _show(found)


def look(s: Settings) -> dict[str, Any]:
    """`tilt`: the running ones; `resources` of the first; `releases` of the namespace, None when they cannot be seen."""
    running = [e for e in orphans.runs() if orphans.lives(e)]
    ports = [int(e.data.get("port") or s.tilt.port) for e in running] or [s.tilt.port]
    tilts, resources = [], []
    for port in ports:
        try:
            found = tilt.resources(s, port)
        except Trouble:
            continue
        own = next((e for e in running if e.data.get("port") == port), None)
        broken = next((r.error for r in found if r.name == tilt.TILTFILE and r.error), "")
        pid = own.data.get("group") if own else None
        tilts.append({"port": port, "pid": pid, "page": f"http://localhost:{port}/", "tiltfile": broken or "ok"})
        resources += [{"port": port, **asdict(r)} for r in found if r.name != tilt.TILTFILE]
    releases, why = _releases(s)
    return {"tilt": tilts, "resources": resources, "releases": releases, "note": why}


def _releases(s: Settings) -> tuple[list[dict[str, Any]] | None, str]:
    ours = {service.release: service.name for service in catalogue().services}
    if not base.frozen_kubeconfig(s).exists():
        return None, "there is no kubeconfig of the session yet: inv setup"
    try:
        found = [r for r in helm.releases(s, ownership.holder(s)) if r.name in ours]
    except Trouble as why:
        return None, why.what
    return [
        {
            "release": r.name,
            "service": ours[r.name],
            "status": r.status,
            "revision": r.revision,
            "holder": ownership.holder(s) if ownership.is_mine(s, r) else ownership.name_of(s, r.name),
            "mine": ownership.is_mine(s, r),
        }
        for r in found
    ], ""


def _show(found: dict[str, Any]) -> None:
    for one in found["tilt"]:
        pid = f"pid {one['pid']}, " if one["pid"] else ""
        ui.say(f"Tilt runs ({pid}{one['page']}); Tiltfile: {one['tiltfile']}")
    if not found["tilt"]:
        ui.say("no Tilt runs here; inv tilt.up starts one")
    shown = [r for r in found["resources"] if r["enabled"]]
    ui.table(
        [("  resource", "ready", "update", "runtime", "")]
        + [
            (f"  {r['name']}", "yes" if r["ready"] else "no", r["update"], r["runtime"], r["error"] or r["waiting"])
            for r in shown
        ]
        if shown
        else []
    )
    if found["releases"] is None:
        ui.say(f"releases: unknown ({found['note']})")
        return
    rows = [
        (f"  {r['release']}", r["status"], f"revision {r['revision']}", "yours" if r["mine"] else r["holder"] or "?")
        for r in found["releases"]
    ]
    ui.table([("  release", "status", "", "held by"), *rows] if rows else [])
    if not rows:
        ui.say("no release of Tilt in the namespace")
