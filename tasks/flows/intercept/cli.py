"""What `inv intercept` and `inv leave` do."""

from __future__ import annotations

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import perform
from tasks.core.state import store
from tasks.flows.intercept import leave as leaving
from tasks.flows.intercept import login, plan, run
from tasks.flows.intercept.plan import Request
from tasks.flows.intercept.run import Made
from tasks.tools.private_caches import without_trace


def intercept(request: Request, *, dry: bool, json: bool) -> None:
    """Intercept and run; the process's exit code is this run's."""
    s = settings()
    if dry:
        with without_trace():
            found = plan.make(s, request, lambda line: ui.talk(f"   {line}"), lambda: login.life(s), dry=True)
            changes = run.steps_of(s, found)
        if json:
            ui.as_json({"mode": found.mode, "changes": [{"text": c.text, "command": c.command} for c in changes]})
            return
        for change in changes:
            ui.say(change.would)
        return
    code = run.run(s, request, lambda: login.life(s), lambda made: _show(s, made, json), json=json)
    raise SystemExit(code)


def leave(word: str, *, dry: bool) -> None:
    """Leave what the journal says, of one service or all."""
    s = settings()
    guard.names(s)
    if dry:
        store.only_read()
    name = _name(word)
    entries = leaving.all_of(name)
    if not entries:
        _must_be_known(s, word)
        ui.say(f"nothing of {word} to leave" if word else "nothing to leave")
        return
    failed: Trouble | None = None
    for change in leaving.changes(s, entries):
        if dry:
            ui.say(change.would)
            continue
        try:
            perform(change)
            ui.progress("done", "leave", change.text)
        except Trouble as why:
            if failed:
                ui.talk(why.text())
            failed = failed or why
    if failed:
        raise failed


def _name(word: str) -> str:
    """The service's first name, when the catalogue knows the word; else the word, which may name an intercept."""
    if not word:
        return ""
    from tasks.core.cli.names import must_be_name
    from tasks.core.config.catalogue import catalogue

    must_be_name(word, "leave")
    return next((service.name for service in catalogue().services if word in service.names), word)


def _must_be_known(s: Settings, word: str) -> None:
    """A typing error must not read as `it is left`; what is no service's name may be that of an intercept, left before."""
    from tasks.core.config.catalogue import catalogue

    if word and not any(
        word == f"{name}-{s.telepresence.slot}" for known in catalogue().services for name in known.names
    ):
        catalogue().named(word, "leave")


def _show(s: Settings, made: Made, json: bool) -> None:
    if json:
        ui.as_json(made.document())
        return
    wanted, seconds = made.plan.wanted, made.seconds
    if wanted.headers:
        mode = f"requests with {wanted.headers[0][0]}: {wanted.headers[0][1]}"
        other = f"all traffic: inv intercept {made.plan.request.service.name} --everyone"
    else:
        mode = f"all traffic{f' ({made.plan.personal_why})' if made.plan.personal_why else ''}"
        other = f"yours alone: {made.plan.alone}" if made.plan.alone else ""
    ui.say(f"{made.plan.request.service.name} -> 127.0.0.1:{wanted.local_port}   {mode}")
    ui.say(f"  {made.asked.curl or '(no curl: ' + made.asked.error + ')'}")
    if other:
        ui.say(f"  {other}")
    proof = {"local": f"a request through the {made.asked.via} arrived here ({made.asked.ms:.0f} ms)"}.get(
        made.asked.answered_by, "not proven by a request"
    )
    down = "" if made.plan.place.has_agent else "; the pod was replaced by one with an agent"
    ui.say(
        f"  ACTIVE after {seconds.intercept:.1f} s, routed after {seconds.routed:.1f} s (budget {s.budgets.intercept:g} s): {proof}{down}"
    )
    if made.plan.argv:
        import shlex

        ui.talk(f"-> run          {shlex.join(made.plan.argv)}   (in {made.plan.folder}; Ctrl-C ends it and leaves)")
    else:
        ui.say(f"  leave: inv leave {made.plan.request.service.name}")
