"""The bodies of `inv intercept`, `leave`, `tp.list`, `tp.env`, `tp.verify` and `tp.who`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from tasks.checks import guard, workload
from tasks.core import ui
from tasks.core.cli.names import must_be_name
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import FAILED, Trouble
from tasks.core.plan.change import Change, perform
from tasks.core.state import store
from tasks.flows import session
from tasks.flows.intercept import env_file as env_files
from tasks.flows.intercept import environment, plan, proof, run, show, team
from tasks.flows.intercept import leave as leaving
from tasks.flows.intercept.attribution import attribute
from tasks.flows.intercept.proof import Answer, AnsweredBy
from tasks.flows.intercept.request import Request
from tasks.tools.private_caches import without_trace
from tasks.tools.telepresence import Held


def intercept(request: Request, *, dry: bool, json: bool) -> None:
    """Intercept and run. Exits with the code of the local process."""
    s = settings()
    if dry:
        with without_trace():
            planned = plan.make(s, request, dry=True)
            show.dry_run(planned, run.changes(s, planned), json=json)
        return
    raise SystemExit(run.run(s, request, lambda made: show.active(s, made, json=json), json=json))


def leave(word: str, *, dry: bool) -> None:
    """Leave the intercepts in the journal, of one service or all. Goes on after a failure, and fails at the end."""
    s = settings()
    guard.check_names(s)
    if dry:
        store.only_read()
    entries = leaving.find(_first_name(word))
    if not entries:
        _must_be_known(s, word)
        ui.say(f"{word} is not intercepted: nothing to leave" if word else "nothing to leave")
        return
    failures = []
    for change in leaving.changes(s, entries):
        if dry:
            ui.say(change.would)
        else:
            failures += _attempt(change)
    for other in failures[1:]:
        ui.talk(other.text())
    if failures:
        raise failures[0]


def list_(*, json: bool) -> None:
    """List what can be intercepted, and what this client intercepts."""
    s = settings()
    show.workloads(team.workloads(s), namespace=s.cluster.namespace, json=json)


def env(service: Service, *, env_file: str, overwrite: bool, names: bool, json: bool) -> None:
    """Show the environment of the intercepted pod, or write it to a file."""
    s = settings()
    path = Path(env_file).absolute() if env_file else None
    if path:
        environment.must_be_writable(path, overwrite=overwrite)
    held = team.held_of(s, service)
    if not held.environment:
        raise Trouble(
            f"Telepresence does not give the environment of {held.name}",
            fix=f"inv intercept {service.name} --no-run --env-file FILE",
        )
    if path:
        omitted = environment.write_file(path, held.environment, service.dev)
        env_files.rewritten(path)
        show.written(path, env_file, held.environment, omitted, json=json)
    elif names:
        show.names(held.environment, json=json)
    else:
        show.environment(held.environment, json=json)


def verify(service: Service, *, via: str, json: bool) -> None:
    """Send a request and show who answers it. Exits with 0 only when the local process did."""
    s = settings()
    session.prepare(s)
    cluster_service = workload.find(s, service)
    held = team.held(s, cluster_service.name)
    port = held.local_port if held else service.ports[0].port if service.ports else 0
    remote = held.remote_port if held else plan.catalogue_port(service, cluster_service)
    number = workload.choose(cluster_service, remote).number if cluster_service.ports else 0
    ways = proof.ways(s, service, cluster_service.service_name, number, via)
    answer, nothing_listens = _first_clear_answer(s, ways, port, held)
    answer = attribute(s, cluster_service, answer, held)
    if json:
        ui.as_json(answer.document())
    else:
        show.verified(service, answer, nothing_listens_on=port if nothing_listens else 0, intercepted=bool(held))
        show.lost([] if held else team.lost(s, cluster_service.name))
    if answer.answered_by is not AnsweredBy.LOCAL:
        raise SystemExit(FAILED)


def who(*, json: bool) -> None:
    """Show who holds which intercept: this client, colleagues by their notices, and where Traffic Agents run."""
    s = settings()
    found = team.look(s)
    show.team(found, json=json)
    show.lost([] if found.own else team.lost(s))


def _attempt(change: Change[None]) -> list[Trouble]:
    """Make the change. Returns its failure, if any."""
    try:
        perform(change)
    except Trouble as why:
        return [why]
    ui.progress("done", "leave", change.text)
    return []


def _first_name(word: str) -> str:
    """Return the service's first name when the catalogue knows the word; else the word, the name of an intercept."""
    if not word:
        return ""
    must_be_name(word, "leave")
    return next((service.name for service in catalogue().services if word in service.names), word)


def _must_be_known(s: Settings, word: str) -> None:
    """Raise Trouble for a typing error. `nothing to leave` would read as if it were left."""
    if not word:
        return
    names = [name for service in catalogue().services for name in service.names]
    if word not in {f"{name}-{s.telepresence.slot}" for name in names}:  # the name of an intercept with a slot
        catalogue().named(word, "leave")


def _first_clear_answer(s: Settings, ways: list[proof.Way], port: int, held: Held | None) -> tuple[Answer, bool]:
    """Ask on each way until one tells who answers. Also returns whether nothing listened on the local port."""
    headers = held.headers if held else _own_headers(s)
    for way in ways:
        with proof.listening(port) if held else nullcontext() as listener:
            answer = proof.ask(s, way, port, headers, listener)
        if answer.answered_by is not AnsweredBy.UNKNOWN:
            break
    if answer.answered_by is AnsweredBy.LOCAL and not held:
        # Something connected to the port during the request, but not through an intercept of ours.
        answer = answer.unclear()
    return answer, listener is not None


def _own_headers(s: Settings) -> dict[str, str]:
    return {s.telepresence.header: s.telepresence.slot} if s.telepresence.slot else {}
