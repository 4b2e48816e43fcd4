"""Says when what was asked for is ready, or why it is not, while Tilt prints its own stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.signatures import explain
from tasks.core.state import timing
from tasks.tools import tilt
from tasks.tools.tilt import Resource


class Watcher:
    """Asks the running Tilt in the background, ever more slowly, until all is ready or `stop` is called."""

    def __init__(self, s: Settings, port: int, expected: Iterable[str], most: float) -> None:
        """expected: names that must be there before all is up; most: seconds until it gives up."""
        self._settings, self._port, self._end = s, port, time.monotonic() + most
        self._expected = set(expected)
        self._began = time.monotonic()
        self._over = threading.Event()
        self._said: dict[str, str] = {}

    def start(self) -> None:
        """Begin. The thread ends with the process."""
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        """Say nothing more."""
        self._over.set()

    def _watch(self) -> None:
        pause = 0.3
        while not self._over.wait(pause) and time.monotonic() < self._end:
            try:
                found = tilt.resources(self._settings, self._port)
            except ToolError:
                found = []  # it has not come up yet, or has gone: its exit tells
            if self._over.is_set():
                return
            if found and self._told(found):
                return
            pause = min(2.0, pause * 1.3)

    def _told(self, found: list[Resource]) -> bool:
        """Say what is new; whether all is ready."""
        wanted = [r for r in found if r.enabled and not r.waits]
        for resource in wanted:
            if resource.failed:
                self._say("failed", resource.name, _why(resource.error))
            elif resource.ready and resource.name != tilt.TILTFILE:
                # What only serves is ready for Tilt as soon as its process runs.
                self._say("done", resource.name, "runs" if resource.update == "not_applicable" else "ready")
        resources = [r.name for r in wanted if r.name != tilt.TILTFILE]
        if not resources or not self._expected <= set(resources) or not all(r.ready for r in wanted):
            return False
        seconds = time.monotonic() - self._began
        ui.progress("done", "tilt", f"{len(resources)} up; page: http://localhost:{self._port}/", seconds)
        timing.keep_if_possible("tilt", seconds, resources=len(resources))
        return True

    def _say(self, state: str, name: str, text: str) -> None:
        if self._said.get(name) != text:
            self._said[name] = text
            ui.progress(state, name, text, time.monotonic() - self._began)


def _why(error: str) -> str:
    """The first line of a resource's error, with its cause and what mends it where they are known."""
    if not error:
        return "see above"
    why, fix = explain("tilt", error)
    return error.splitlines()[0] + (f"\n  why: {why}\n  fix: {fix}" if why else "")
