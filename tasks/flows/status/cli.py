"""The bodies of `inv status` and `inv timing`."""

from __future__ import annotations

import time
from dataclasses import asdict

from tasks.core import ui
from tasks.core.config.settings import settings
from tasks.core.errors import FAILED, Trouble
from tasks.core.state import cached_status
from tasks.flows.status import facts, last_setup, timing_report

_INTERVAL = 5.0  # seconds, of --watch


def status(*, json: bool, watch: bool, cached: bool) -> None:
    """Look, keep and show; with `cached` only show what was kept; with `watch` again and again until interrupted."""
    if watch and (json or cached):
        raise Trouble("--watch cannot be combined with --json or --cached", fix="inv status --watch")
    if cached:
        _show_cached(json=json)
        return
    while watch:
        with ui.screen():
            _look_and_show(json=False)
        time.sleep(_INTERVAL)
    _look_and_show(json=json)


def timing(*, what: str, json: bool, must: bool) -> None:
    """Show measured times. With `must` exit with 1 when a newest time is over its budget, or nothing was measured."""
    s = settings()
    rows = timing_report.rows(s, what)
    if not rows:
        timing_report.must_be_known(what)
    if json:
        ui.as_json({"times": [{**asdict(row), "kept": row.kept} for row in rows]})
    else:
        timing_report.show(rows)
    if must and not (rows and all(row.kept for row in rows)):
        raise SystemExit(FAILED)


def _show_cached(*, json: bool) -> None:
    code = cached_status.main(["--json"] if json else [])
    if code:
        raise SystemExit(code)


def _look_and_show(*, json: bool) -> None:
    s = settings()
    documents = [fact.document() for fact in last_setup.settled(facts.gather(s, facts.QUESTIONS))]
    facts.keep(s, documents)
    now = time.time()
    if json:
        ui.as_json({"root": s.root, "at": now, "cached": False, "origins": s.origins, "facts": documents})
        return
    value = sum(max(len(d[key]) for d in documents) for key in ("section", "name")) + len("ok   ") + len("  ")
    for line in cached_status.lines({"facts": documents}, now):
        ui.say(line, hang=value)
