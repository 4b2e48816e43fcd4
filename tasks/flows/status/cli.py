"""What `inv status` does."""

from __future__ import annotations

import time
from dataclasses import asdict

from tasks.core import ui
from tasks.core.config.settings import settings
from tasks.core.state import cached_status
from tasks.flows.status import facts


def show(*, json: bool, cached: bool) -> None:
    """Look, keep, show. With `cached` only what was kept."""
    if cached:
        code = cached_status.main(["--json"] if json else [])
        if code:
            raise SystemExit(code)
        return
    s = settings()
    found = facts.gather(s, facts.QUESTIONS)
    facts.keep(s, found)
    if json:
        ui.as_json(
            {
                "root": s.root,
                "at": time.time(),
                "cached": False,
                "origins": s.origins,
                "facts": [asdict(f) for f in found],
            }
        )
        return
    for line in cached_status.lines({"facts": [asdict(f) for f in found]}, time.time()):
        ui.say(line)


def watch(seconds: float) -> None:
    """Show again and again until interrupted."""
    while True:
        ui.clear()
        show(json=False, cached=False)
        time.sleep(seconds)
