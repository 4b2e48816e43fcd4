"""Start Tilt and stay until it ends. However it ends, nothing it started is left running."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from tasks.core import ports, ui
from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import perform
from tasks.core.process import foreground, processes
from tasks.core.process.foreground import Interrupted, Signals
from tasks.core.process.output import Lines
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.flows.tilt import crash, environment, orphans, show
from tasks.flows.tilt.preflight import Ready, ready
from tasks.flows.tilt.request import Request
from tasks.flows.tilt.watch import Watcher
from tasks.tools import base, tilt
from tasks.tools.private_caches import without_trace

Start = Callable[..., list[str]]  # tilt.up or tilt.ci


def run(s: Settings, request: Request, start: Start, *, port: str = "", dry: bool = False) -> int:
    """Check, start and stay. Returns Tilt's exit code."""
    began = time.monotonic()
    if not dry:
        for command in orphans.recover():
            ui.talk(f"ended {command}, left behind by a killed run")
    with without_trace() if dry else nullcontext():
        plan = ready(s, request, catalogue().services, dry=dry)
    page_port = free_port(s, port)
    argv = start(s, environment.tiltfile(s), port=page_port, flags=request.flags, args=request.tiltfile_args)
    if dry:
        show.dry_run(plan, argv)
        return 0
    for change in plan.changes:
        ui.progress("running", "tilt", change.text)
        perform(change)
    show.starting(s, plan, page_port, time.monotonic() - began)
    with foreground.signals() as signals:
        return _stay(s, plan, argv, page_port, signals)


def free_port(s: Settings, asked: str) -> int:
    """Return the port for Tilt's page: the one asked for, or the setting's; the next free one where that is taken.

    Raises Trouble when the port asked for is taken, and when this workstation's own Tilt has it.
    """
    wanted = ports.number(asked) if asked else _preferred_port(s)
    owner = ports.owner(wanted)
    if owner is None:
        return wanted
    _must_not_be_own_tilt(wanted)
    if asked:
        raise Trouble(
            f"port {wanted} is taken by {owner}", fix=f"end it, or use another: inv tilt.up --port {ports.free()}"
        )
    candidates = range(wanted + 1, min(wanted + 50, 65536))
    other = next((port for port in candidates if ports.owner(port) is None), ports.free())
    ui.warn(f"port {wanted} is taken by {owner}; Tilt uses {other}")
    return other


def _stay(s: Settings, plan: Ready, argv: list[str], port: int, signals: Signals) -> int:
    """Run Tilt in the foreground, and end what it leaves behind."""
    entry = journal.record("process", name="tilt", port=port, tiltfile=str(environment.tiltfile(s)))
    releases = [service.release for service in plan.releases]
    watcher = Watcher(s, port, releases, s.tilt.upsert_timeout + s.budgets.clone_to_running)
    errors = Lines(ui.talk)
    try:
        code = _run_tilt(s, argv, port, entry, signals, watcher, errors)
        if watcher.crashing and not signals.seen:
            raise crash.trouble(s, watcher.crashing)
        if code:
            show.explanation(errors.all().decode("utf-8", "replace"))
        return code
    except Interrupted as why:
        return why.exit
    finally:
        watcher.stop()
        signals.held = True
        orphans.end(entry.id)
        journal.forget(entry)
        signals.held = False


def _run_tilt(
    s: Settings, argv: list[str], port: int, entry: Entry, signals: Signals, watcher: Watcher, errors: Lines
) -> int:
    def started(pid: int) -> None:
        journal.update(entry, group=pid, start=processes.started(pid), run=entry.id)
        watcher.start(pid)
        errors.started()

    return foreground.run(
        argv,
        env=tilt.tool(s, port, environment.environment(s, entry.id)).environment,
        cwd=Path(s.root),
        taken=signals,
        started=started,
        fix=base.how_to_get(s, "tilt"),
        stderr=errors.writing,
    )


def _must_not_be_own_tilt(port: int) -> None:
    for entry in orphans.runs():
        if entry.data.get("port") == port and orphans.lives(entry):
            raise Trouble(
                f"Tilt is already running here (pid {entry.data.get('group')}, http://localhost:{port}/)",
                why="two of them would deploy the same releases over each other",
                fix=f"tilt args --port {port} -- --only=... changes what it deploys; inv tilt.down ends it",
            )


def _preferred_port(s: Settings) -> int:
    text = os.environ.get("TILT_PORT", "")
    return ports.number(text, "TILT_PORT") if text else s.tilt.port
