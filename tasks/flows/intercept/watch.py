"""Watch whether requests reach the process while it runs, and say so; say what is missing when they do not.

An intercept takes the traffic of a service whether the process answers or not.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.core import ports, ui
from tasks.core.config.settings import Settings
from tasks.core.state import answered
from tasks.flows.intercept import proof
from tasks.flows.intercept.plan import Mode, Plan, describe_traffic
from tasks.flows.intercept.proof import Answer, AnsweredBy

_QUIET = 5.0  # seconds without a request that reached the process, until that is reported
_LOOK = 0.1
_ASK, _ASK_SOON = 1.0, 0.25  # seconds between two requests; soon: something listens, and all have been answered
_KEEP_ASKING = 20.0  # seconds after the last change of what listens
_REACHABLE = {"127.0.0.1", "0.0.0.0", "::"}  # Telepresence connects to 127.0.0.1


@dataclass(frozen=True)
class Listening:
    """What is open on this machine."""

    here: frozenset[str] = frozenset()
    """The addresses on which some process listens on the intercept's port."""

    elsewhere: frozenset[tuple[str, int]] = frozenset()
    """The other addresses and ports on which the process listens."""

    @property
    def reachable(self) -> bool:
        """Can Telepresence connect to the port?"""
        return bool(self.here & _REACHABLE)


class Requests:
    """Marked requests to the service, each in a thread of its own: one that hangs delays nothing."""

    def __init__(self, s: Settings, plan: Plan) -> None:
        self._settings, self._plan = s, plan
        self._ways = proof.ways(s, plan.request.service, plan.cluster_service.service_name, plan.port.number)
        self._sent: list[proof.Way] = []
        self._not_local: list[Answer] = []
        self.reached: Answer | None = None
        """The first answer of the process."""

    def send(self) -> None:
        """Send one, without waiting for its answer."""
        way = self._ways[0]
        self._sent.append(way)
        threading.Thread(target=self._ask, args=(way,), daemon=True).start()

    @property
    def pending(self) -> bool:
        """Is one without an answer yet?"""
        return len(self._sent) > len(self._not_local)

    def __str__(self) -> str:
        """How many requests on the current way failed, and how, for people."""
        way = self._ways[0]
        sent, failed = self._sent.count(way), self._failed()
        if not failed:
            return f"{sent} requests through the {way.via} have no answer yet"
        last = failed[-1]
        what = "went elsewhere" if 0 < last.status < 500 else "failed"
        waiting = f", {sent - len(failed)} without an answer yet" if sent > len(failed) else ""
        how = last.error or f"HTTP {last.status}"
        return f"{len(failed)} of {sent} requests through the {way.via} {what} ({how}){waiting}"

    def _failed(self) -> list[Answer]:
        return [answer for answer in self._not_local if answer.via == self._ways[0].via]

    def _ask(self, way: proof.Way) -> None:
        answer = proof.ask(self._settings, way, self._plan.wanted.local_port, self._plan.headers, None)
        if answer.answered_by is AnsweredBy.LOCAL:
            self.reached = self.reached or answer
            return
        self._not_local.append(answer)
        unclear = sum(a.answered_by is AnsweredBy.UNKNOWN for a in self._failed())
        if len(self._ways) > 1 and way is self._ways[0] and proof.is_unusable(answer, unclear):
            self._ways.pop(0)


class Offer:
    """The offer to leave, for a person at the terminal. The process does not read from it."""

    def __init__(self) -> None:
        self._open = False

    def make(self) -> None:
        """Ask, where a person can answer."""
        if ui.can_ask() and _has_terminal():
            self._open = True
            ui.talk("   leave now? Type y and Enter; or leave it running, and nothing else changes")

    def accepted(self) -> bool:
        """Has the person typed y? Any other line ends the offer."""
        if not self._open or not select.select([sys.stdin], [], [], 0)[0] or not _has_terminal():
            return False
        self._open = False
        try:
            return os.read(sys.stdin.fileno(), 1024).strip().lower() in {b"y", b"yes"}
        except OSError:  # the terminal was closed
            return False


def _has_terminal() -> bool:
    """Does this process get what is typed? A run in the background would be stopped by reading."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # stdin is a terminal, but not the one of this session
        return False


class Watch:
    """The watcher of one process."""

    def __init__(self, s: Settings, plan: Plan) -> None:
        self._settings, self._plan = s, plan
        self._reported: Listening | None = None
        self.ended = threading.Event()
        """To be set when the process has ended."""

    def start(self, session: int) -> None:
        """Watch the process with this pid, which is the first of its session, in a thread."""
        threading.Thread(target=self._run, args=(session,), daemon=True).start()

    def _run(self, session: int) -> None:
        requests, offer = Requests(self._settings, self._plan), Offer()
        began = changed = sent = next_request = time.monotonic()
        next_look = began + _QUIET
        now_open = Listening()
        while not self.ended.wait(_LOOK):
            now = time.monotonic()
            if requests.reached:
                self._say_reached(requests.reached, session, now - began)
                return
            look_everywhere = now >= next_look
            found = self._look(session, now_open, everywhere=look_everywhere)
            next_look = now + 1.0 if look_everywhere else next_look
            if found != now_open:
                changed = next_request = now
            now_open = found
            if now_open.reachable and not requests.pending:
                next_request = min(next_request, sent + _ASK_SOON)
            if next_request <= now < changed + _KEEP_ASKING:
                requests.send()
                sent, next_request = now, now + _ASK
            if look_everywhere and self._is_due(now_open, now - changed):
                self._report(now_open, requests, now - began)
                offer.make()
            if offer.accepted():
                os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C would
                return

    def _look(self, session: int, before: Listening, *, everywhere: bool) -> Listening:
        port = self._plan.wanted.local_port
        here = frozenset(ports.addresses(port))
        if not everywhere:
            return Listening(here, before.elsewhere)
        return Listening(here, frozenset(end for end in ports.of_session(session) if end[1] != port))

    def _is_due(self, listening: Listening, unchanged: float) -> bool:
        """Report once, and again when what listens has become something else and stays so."""
        return self._reported is None or (listening != self._reported and unchanged >= _QUIET)

    def _say_reached(self, answer: Answer, session: int, seconds: float) -> None:
        """Say whose process took the request: another one may have opened the port after it was found free."""
        port = self._plan.wanted.local_port
        if any(number == port for _, number in ports.of_session(session)):
            answered.mark(self._plan.request.service.name)
            text = f"a request through the {answer.via} was answered by your process ({answer.ms:.0f} ms)"
            ui.progress("done", "reached", text, seconds)
            return
        owner = ports.owner(port)
        who = f"{owner} listens there" if owner else "another process listened there"
        text = f"a request arrived on port {port}, but {who}, which this command did not start"
        ui.progress("unknown", "reached", text, seconds)

    def _report(self, listening: Listening, requests: Requests, seconds: float) -> None:
        self._reported = listening
        ui.progress("failed", "reached", f"no request has reached your process: {requests}", seconds)
        for line in (*_what_listens(self._plan, listening), _what_goes_on(self._plan)):
            ui.talk(f"   {line}")


def _what_listens(plan: Plan, listening: Listening) -> Iterator[str]:
    port, service = plan.wanted.local_port, plan.request.service.name
    if listening.reachable:
        yield f"{ports.owner(port)} listens on port {port}"
    elif listening.here:
        yield f"port {port} is open on {', '.join(sorted(listening.here))} only: let it listen on 127.0.0.1"
    else:
        yield f"nothing listens on 127.0.0.1:{port}"
    if listening.elsewhere:
        ends = ", ".join(f"{address} port {number}" for address, number in sorted(listening.elsewhere))
        yield f"your process listens on {ends}: let it use PORT ({port}), or inv intercept {service} --port ITS_PORT"
    elif not listening.here:
        yield "your process listens on no port"


def _what_goes_on(plan: Plan) -> str:
    whose = "everybody's traffic" if plan.mode is Mode.ALL else f"traffic with {describe_traffic(plan.headers)}"
    return f"{whose} keeps coming here; Ctrl-C ends the process and leaves"
