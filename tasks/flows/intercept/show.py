"""What `inv tp.list`, `tp.env`, `tp.verify` and `tp.who` show. They change nothing."""

from __future__ import annotations

import json as json_module
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tasks.checks import workload
from tasks.core import ports, ui
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Trouble
from tasks.core.state import journal
from tasks.flows import session
from tasks.flows.intercept import environment as environments
from tasks.flows.intercept import notice, plan, proof
from tasks.tools import kubectl, telepresence
from tasks.tools.telepresence import Held, Workload


def workloads(*, json: bool) -> None:
    """What can be intercepted here, and what is intercepted by this client."""
    s = settings()
    found = _list(s)
    known = {name: service.name for service in catalogue().services for name in service.workload_names}
    if json:
        ui.as_json({"workloads": [{**_plain(w), "service": known.get(w.name, "")} for w in found]})
        return
    ui.table(
        (
            w.name,
            w.kind,
            "intercepted: " + ", ".join(_mode(h) for h in w.held)
            if w.held
            else w.reason or ("agent installed" if w.agent else "no agent yet"),
        )
        for w in found
    )
    if not found:
        ui.say(f"nothing can be intercepted in {s.cluster.namespace}")


def environment(service: Service, *, env_file: str, overwrite: bool, only_names: bool, json: bool) -> None:
    """The environment of the intercepted pod."""
    s = settings()
    if env_file:
        environments.may_write(Path(env_file).absolute(), overwrite=overwrite)
    held = _held(s, service)
    if not held.environment:
        raise Trouble(
            f"Telepresence tells no environment of {held.name}",
            fix=f"inv intercept {service.name} --no-run --env-file FILE",
        )
    names = sorted(held.environment)
    if env_file:
        environments.write_file(Path(env_file).absolute(), held.environment)
        if json:
            ui.as_json({"file": str(Path(env_file).absolute()), "names": names})
            return
        ui.say(f"{len(held.environment)} variables written to {env_file} (mode 0600)")
    elif only_names and json:
        ui.as_json({"names": names})
    elif only_names:
        for name in names:
            ui.say(name)
    elif json:
        ui.as_json({"environment": dict(sorted(held.environment.items()))})
    else:
        for name, value in sorted(held.environment.items()):
            ui.say(f"{name}={json_module.dumps(value, ensure_ascii=False)}")


def verify(service: Service, *, via: str, json: bool) -> None:
    """Who answers a request? Exit 0 only when the local process did."""
    s = settings()
    place = workload.find(s, service)
    held = [h for w in (_list(s) if session.look(s).here else []) if w.name == place.name for h in w.held]
    port = held[0].local_port if held else service.ports[0].port if service.ports else 0
    remote = held[0].remote_port if held else plan.catalogue_port(service, place)
    number = workload.choose(place, remote).number if place.ports else 0
    headers = held[0].headers if held else ({s.telepresence.header: s.telepresence.slot} if s.telepresence.slot else {})
    asked, nobody = proof.Asked("unknown", via or "ingress", 0.0, ""), False
    for way in proof.ways(s, service, place.service_name, number, via):
        with proof.listening(port) if held else nullcontext() as listener:
            asked, nobody = proof.ask(s, way, port, headers, listener), listener is not None
        if asked.answered_by != "unknown" or via:
            break
    if asked.answered_by == "local" and not held:
        asked = proof.Asked(**{**vars(asked), "answered_by": "unknown"})  # something came to the port, but not by us
    if json:
        ui.as_json(asked.document())
    else:
        words = {
            "local": f"requests arrive here; nothing listens on port {port} yet"
            if nobody
            else "the local process answers",
            "baseline": "the baseline answers",
            "none": "nobody answers",
            "unknown": "cannot tell who answers",
        }
        detail = f"{asked.ms:.0f} ms" if asked.status else asked.error
        ui.say(f"{words[asked.answered_by]} ({asked.via}, {detail})")
        ui.say(f"  {asked.curl}")
        if not held:
            ui.say(f"  this workstation intercepts no {service.name}: inv intercept {service.name}")
    if asked.answered_by != "local":
        raise SystemExit(1)


def who(*, json: bool) -> None:
    """Who holds what: this client's intercepts, the journal, and where an agent waits."""
    s = settings()
    now = session.look(s)
    mine = [h for w in (_list(s) if now.here else []) for h in w.held]
    agents = _agents(s)
    entries = {str(e.data.get("name")): e for e in journal.entries("intercept")}
    rows = [
        {
            "workload": h.workload,
            "name": h.name,
            "client": h.client,
            "mode": _mode(h),
            "local_port": h.local_port,
            "pid": entries[h.name].pid if h.name in entries else 0,
            "since": entries[h.name].made if h.name in entries else 0,
            "listens": str(ports.owner(h.local_port) or ""),
        }
        for h in mine
    ]
    team = [n for n in notice.read(s) if not n.mine]
    if json:
        ui.as_json({"intercepts": rows, "agents": agents, "team": [vars(n) for n in team]})
        return
    if rows:
        ui.table(
            (r["workload"], r["mode"], r["client"], f"port {r['local_port']}", r["listens"] or "nobody listens")
            for r in rows
        )
    else:
        ui.say("this workstation intercepts nothing")
    if team:
        ui.say("colleagues, by their own notices (one of a workstation that died may be left over):")
        ui.table([(n.workload, n.mode, n.client, n.age) for n in team], indent="  ")
    waiting = [name for name in agents if name not in {r["workload"] for r in rows}]
    if waiting:
        ui.say(f"an agent waits in: {', '.join(waiting)}")


def _list(s: Settings) -> list[Workload]:
    now = session.look(s)
    if not now.here:
        raise Trouble(f"no session: {now.why}", fix="inv tp.connect")
    return telepresence.workloads(s)


def _held(s: Settings, service: Service) -> Held:
    for found in _list(s):
        if found.name in service.workload_names and found.held:
            return found.held[0]
    raise Trouble(f"this workstation intercepts no {service.name}", fix=f"inv intercept {service.name} --no-run")


def _agents(s: Settings) -> list[str]:
    """Names of the workloads whose pods run an agent."""
    pods = kubectl.get(s, "pods")
    names = set()
    for pod in pods:
        if workload.has_agent(pod):
            labels = (pod.get("metadata") or {}).get("labels") or {}
            names.add(
                str(
                    labels.get("telepresence.io/workloadName")
                    or labels.get("app.kubernetes.io/name")
                    or pod["metadata"]["name"].rsplit("-", 2)[0]
                )
            )
    return sorted(names)


def _mode(held: Held) -> str:
    return ", ".join(f"{k}: {v}" for k, v in held.headers.items()) or "all traffic"


def _plain(found: Workload) -> dict[str, Any]:
    held = [
        {"name": h.name, "mode": _mode(h), "local_port": h.local_port, "disposition": h.disposition} for h in found.held
    ]
    return {"name": found.name, "kind": found.kind, "agent": found.agent, "reason": found.reason, "intercepts": held}
