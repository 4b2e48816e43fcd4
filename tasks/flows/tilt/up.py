"""Start Tilt and stay until it ends; whatever ends it, nothing of it is left running."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from tasks.core import ports, ui
from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import perform
from tasks.core.process import foreground, processes
from tasks.core.process.foreground import Interrupted
from tasks.core.process.output import Lines
from tasks.core.signatures import explain
from tasks.core.state import journal
from tasks.flows.tilt import environment, orphans
from tasks.flows.tilt.preflight import Ready, ready
from tasks.flows.tilt.request import Request
from tasks.flows.tilt.watch import Watcher
from tasks.tools import base, tilt
from tasks.tools.private_caches import without_trace

Start = Callable[..., list[str]]  # tilt.up or tilt.ci


def run(request: Request, start: Start, *, port: str = "", dry: bool = False) -> int:
    """All of it; Tilt's own exit code."""
    s = settings()
    began = time.monotonic()
    if not dry:
        for what in orphans.recover():
            ui.talk(f"ended {what}, left by a run that was killed")
    with without_trace() if dry else nullcontext():
        found = ready(s, request, catalogue().services, dry=dry)
    at = free_port(s, port)
    argv = start(s, environment.tiltfile(s), port=at, flags=request.flags, args=request.tiltfile_args)
    if dry:
        _say_dry(found, argv)
        return 0
    for change in found.changes:
        ui.progress("running", "tilt", change.text)
        perform(change)
    _say(s, found, at, time.monotonic() - began)
    with foreground.signals() as taken:
        entry = journal.record("process", name="tilt", port=at, tiltfile=str(environment.tiltfile(s)))
        expected = [service.release for service in found.releases]
        watcher = Watcher(s, at, expected, s.tilt.upsert_timeout + s.budgets.clone_to_running)
        said = Lines(ui.talk)
        try:
            env = tilt.tool(s, at, environment.environment(s, entry.id)).environment

            def started(pid: int) -> None:
                journal.update(entry, group=pid, start=processes.started(pid), run=entry.id)
                watcher.start()
                said.started()

            code = foreground.run(
                argv,
                env=env,
                cwd=Path(s.root),
                taken=taken,
                started=started,
                fix=base.how_to_get(s, "tilt"),
                stderr=said.writing,
            )
            if code:
                _explain(said.all().decode("utf-8", "replace"))
            return code
        except Interrupted as why:
            return why.exit
        finally:
            watcher.stop()
            taken.held = True
            orphans.end(entry.id)
            journal.forget(entry)
            taken.held = False


def free_port(s: Settings, asked: str) -> int:
    """The port to use: the one asked for, or the setting's; another one with a word where that is taken.

    Raises Trouble when the one that was asked for is taken, and when this workstation's own Tilt has it.
    """
    wanted = ports.number(asked) if asked else _preferred(s)
    owner = ports.owner(wanted)
    if owner is None:
        return wanted
    for entry in orphans.runs():
        if entry.data.get("port") == wanted and orphans.lives(entry):
            raise Trouble(
                f"Tilt already runs here (pid {entry.data.get('group')}, http://localhost:{wanted}/)",
                why="two of them would deploy the same releases over each other",
                fix=f"tilt args --port {wanted} -- --only=... changes what it brings; inv tilt.down ends it",
            )
    if asked:
        raise Trouble(
            f"port {wanted} is taken by {owner}", fix=f"end it, or take another: inv tilt.up --port {ports.free()}"
        )
    other = next((p for p in range(wanted + 1, min(wanted + 50, 65536)) if ports.owner(p) is None), ports.free())
    ui.warn(f"port {wanted} is taken by {owner}; Tilt takes {other}")
    return other


def _preferred(s: Settings) -> int:
    text = os.environ.get("TILT_PORT", "")
    return ports.number(text, "TILT_PORT") if text else s.tilt.port


def _say(s: Settings, found: Ready, port: int, seconds: float) -> None:
    names = [service.release for service in found.releases] + found.intercepts
    ui.progress("running", "tilt", f"http://localhost:{port}/  {', '.join(names) or 'nothing enabled'}", seconds)
    if found.releases:
        ui.talk(f"   into {s.cluster.namespace} of {s.cluster.context}; inv tilt.down removes them again")


def _explain(error: str) -> None:
    """Tilt's last words have been shown; their cause and what mends it, where they are known."""
    why, fix = explain("tilt", error)
    if why:
        ui.talk(f"  why: {why}\n  fix: {fix}")


def _say_dry(found: Ready, argv: list[str]) -> None:
    import shlex

    for change in found.changes:
        ui.say(change.would)
    for service in found.releases:
        ui.say(f"would build {service.image} and deploy the release {service.release}")
    for name in found.intercepts:
        ui.say(f"would offer {name}")
    ui.say(f"    $ {shlex.join(argv)}")
