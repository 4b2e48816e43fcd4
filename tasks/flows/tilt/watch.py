"""Say when the requested resources are ready, or why they are not, while Tilt prints its own stream."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.process import processes
from tasks.core.signatures import explain
from tasks.core.state import timing
from tasks.tools import tilt
from tasks.tools.tilt import Resource

INTERCEPT = "intercept-"  # begins the name of an intercept's resource, see tilt/intercepts.star
_CRASHES_FOR = 5.0  # seconds until such a pod ends Tilt; Kubernetes waits for 10 s before its third start


class Watcher:
    """Asks the running Tilt in the background, at growing intervals, until all is ready or `stop` is called."""

    def __init__(self, s: Settings, port: int, expected: Iterable[str], give_up_after: float) -> None:
        """Watch the Tilt at this port. expected: the resources that must exist before all is ready."""
        self._settings, self._port = s, port
        self._expected = set(expected)
        self._began = time.monotonic()
        self._end = self._began + give_up_after
        self._stopped = threading.Event()
        self._last_said: dict[str, str] = {}
        self._crashing_since = 0.0
        self.crashing: Resource | None = None
        """A resource whose pod does not stay up."""

    def start(self, group: int) -> None:
        """Begin, and end the Tilt that leads this process group when a pod keeps crashing. The thread ends with the process."""
        threading.Thread(target=self._watch, args=(group,), daemon=True).start()

    def stop(self) -> None:
        """Say nothing more."""
        self._stopped.set()

    def _watch(self, group: int) -> None:
        pause = 0.3
        while not self._stopped.wait(pause) and time.monotonic() < self._end:
            try:
                resources = tilt.resources(self._settings, self._port)
            except ToolError:
                resources = []  # it is still starting, or has ended, which its exit code says
            if self._stopped.is_set():
                return
            wanted = [r for r in resources if r.enabled and not r.waits]
            for resource in wanted:
                self._say_state(resource)
            if self._is_ready(wanted):
                self._say_ready(wanted)
                return
            if self._keeps_crashing(wanted):
                processes.deliver(group, signal.SIGTERM)
                return
            pause = min(2.0, pause * 1.3)

    def _keeps_crashing(self, wanted: list[Resource]) -> bool:
        """Has a pod been crashing for some seconds? Tilt itself would wait for it for ever."""
        self.crashing = next((r for r in wanted if r.crash), None)
        now = time.monotonic()
        self._crashing_since = self._crashing_since or now if self.crashing else 0.0
        return bool(self.crashing) and now - self._crashing_since >= _CRASHES_FOR

    def _is_ready(self, wanted: list[Resource]) -> bool:
        names = {r.name for r in wanted} - {tilt.TILTFILE}
        return bool(names) and self._expected <= names and all(r.ready for r in wanted)

    def _say_state(self, resource: Resource) -> None:
        if resource.failed:
            self._say("failed", resource.name, _explained(resource.error) if resource.error else _reason(resource))
        elif resource.ready and resource.name != tilt.TILTFILE:
            self._say("done", resource.name, _ready_word(resource))

    def _say_ready(self, wanted: list[Resource]) -> None:
        count = len([r for r in wanted if r.name != tilt.TILTFILE])
        seconds = time.monotonic() - self._began
        ui.progress("done", "tilt", f"{count} up; page: http://localhost:{self._port}/", seconds)
        timing.keep_if_possible("tilt", seconds, resources=count)

    def _say(self, state: str, name: str, text: str) -> None:
        """Say it once, and again when it changes."""
        if self._last_said.get(name) != text:
            self._last_said[name] = text
            ui.progress(state, name, text, time.monotonic() - self._began)


def _ready_word(resource: Resource) -> str:
    """Return what ready means: an intercept's probe waits for an answer, any other serve command only has to run."""
    if resource.name.startswith(INTERCEPT):
        return "a request was answered"
    return "runs" if resource.update == "not_applicable" else "ready"


def _reason(resource: Resource) -> str:
    """Return why a resource without an error of its update has failed."""
    return f"{resource.crash}, pod {resource.pod}" if resource.crash else "it has ended; see its lines above"


def _explained(error: str) -> str:
    """Return the first line of a resource's error, with its cause and fix where they are known."""
    why, fix = explain("tilt", error)
    return error.splitlines()[0] + (f"\n  why: {why}\n  fix: {fix}" if why else "")
