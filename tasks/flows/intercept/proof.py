"""Proof that requests reach the local process.

Telepresence's `ACTIVE` is not proof: the agent routes some seconds later, and an ingress may point elsewhere.
The proof needs no help from the application. Before the process starts, the suite listens on the local port itself
and answers a marked request with its mark. While the process runs, a connection that the kernel accepts on that port
during the request is the proof.
"""

from __future__ import annotations

import secrets
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from tasks.core import http, ports
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.http import Reply
from tasks.core.repository import CATALOGUE
from tasks.flows.intercept.listener import MARK, Listener, listening

__all__ = ["Answer", "AnsweredBy", "Listener", "Via", "Way", "ask", "is_unusable", "listening", "until_local", "ways"]

# Statuses that a gateway may give by itself, without asking the service: redirects to https or to a login, refused
# access, an unknown route. 503 is apart: an ingress gives it when there is no pod behind it.
_GATEWAY_STATUSES = {301, 302, 303, 307, 308, 401, 403, 404}
_NO_BACKEND = 503
_FIRST_PAUSE, _PAUSE = 0.005, 0.05  # seconds between two requests: at first, and after some
_UNCLEAR_ANSWERS = 8  # so many answers of a gateway, and the next way is tried


class AnsweredBy(StrEnum):
    """Who answered a request."""

    LOCAL = "local"
    COLLEAGUE = "colleague"
    BASELINE = "baseline"
    NOBODY = "none"
    UNKNOWN = "unknown"  # a gateway's answer, or a colleague's without a notice; or this way cannot be used from here


class Via(StrEnum):
    """The two ways to a service."""

    INGRESS = "ingress"
    SERVICE = "service"


@dataclass(frozen=True)
class Answer:
    """What became of a request."""

    answered_by: AnsweredBy
    via: Via

    ms: float
    """Milliseconds until the headers of the answer."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    curl: str = ""
    """The same request as a command."""

    status: int = 0
    """HTTP status; 0 without an answer."""

    error: str = ""

    client: str = ""
    """The colleague whose intercept takes the request, as in `inv tp.who`; empty without one."""

    def unclear(self, why: str = "") -> Answer:
        """Return the same answer without a statement of who gave it."""
        return replace(self, answered_by=AnsweredBy.UNKNOWN, error=why or self.error)

    def document(self) -> dict[str, Any]:
        """Return it as `inv tp.verify --json` shows it."""
        return {**asdict(self), "ms": round(self.ms, 1)}


@dataclass(frozen=True)
class Way:
    """How to send a request."""

    via: Via
    url: str

    address: str = ""
    """Where to connect; empty for the URL's own host."""


def ways(s: Settings, service: Service, k8s_service: str, port: int, via: str = "") -> list[Way]:
    """Return the ways to reach the service, the ingress first; only one of them with `via`. Raises Trouble without any."""
    wanted = _wanted_ways(via)
    host = service.hosts.get(s.ingress.environment, "")
    path = service.health or "/"
    usable = []
    if host and Via.INGRESS in wanted:
        scheme = urlsplit(s.ingress.address).scheme if s.ingress.address else s.ingress.scheme
        usable.append(Way(Via.INGRESS, f"{scheme}://{host}{path}", s.ingress.address))
    if Via.SERVICE in wanted:
        base = _service_url(s, service=k8s_service or service.name, namespace=s.cluster.namespace, port=port)
        usable.append(Way(Via.SERVICE, base.rstrip("/") + path))
    if not usable:
        raise Trouble(f"{service.name} has no host for '{s.ingress.environment}' in {CATALOGUE}", fix="--via service")
    return usable


def ask(
    s: Settings, way: Way, port: int, headers: dict[str, str], listener: Listener | None, timeout: float = 3.0
) -> Answer:
    """Send one marked request and find out who answered it."""
    mark = secrets.token_hex(8)
    sent = {**headers, MARK: mark, "User-Agent": "remote-first", "Accept": "*/*"}

    def request() -> Reply:
        return http.ask(way.url, headers=sent, address=way.address, timeout=timeout, verify=s.ingress.verify_tls)

    if listener:
        http2_before = listener.http2_connections
        reply = request()
        arrived = reply.body.strip() == mark.encode() or listener.http2_connections > http2_before
    else:
        with _accepted_connections(port) as accepted:
            reply = request()
        arrived = bool(accepted)
    answered_by = AnsweredBy.LOCAL if arrived else _remote(reply, way, port, listener)
    error = reply.error
    if arrived and reply.timed_out and listener is None:
        answered_by, error = (
            AnsweredBy.NOBODY,
            f"the local process took the request and did not answer in {timeout:g} s",
        )
    return Answer(answered_by, way.via, reply.ms, way.url, headers, _curl(way, headers), reply.status, error)


def until_local(
    s: Settings, all_ways: list[Way], port: int, headers: dict[str, str], listener: Listener | None, for_: float
) -> Answer:
    """Ask until the local process answers, at most `for_` seconds; return the last answer.

    A way that cannot be used from here (its name does not resolve, or a gateway answers by itself) is given up for
    the next one.
    """
    began = time.monotonic()
    end = began + for_
    usable = list(all_ways)
    unclear = 0
    next_way_asked = False
    pause = _FIRST_PAUSE
    while True:
        answer = ask(s, usable[0], port, headers, listener, timeout=min(3.0, max(0.5, end - time.monotonic())))
        if answer.answered_by is AnsweredBy.LOCAL:
            return answer
        # Those in quick succession at the start do not count: a gateway may not know the intercept yet.
        unclear += answer.answered_by is AnsweredBy.UNKNOWN and pause == _PAUSE
        if len(usable) > 1 and is_unusable(answer, unclear):
            usable.pop(0)
            continue
        if len(usable) > 1 and not next_way_asked and time.monotonic() > began + for_ / 2:
            next_way_asked = True  # the ingress's host may resolve to another cluster from here
            other = ask(s, usable[1], port, headers, listener)
            if other.answered_by is AnsweredBy.LOCAL:
                return other
        if time.monotonic() + pause > end:
            return answer
        time.sleep(pause)
        pause = min(_PAUSE, pause * 1.5)


def is_unusable(answer: Answer, unclear: int) -> bool:
    """Can nothing be proven on this way from here? unclear: how many of its answers may be a gateway's."""
    return answer.answered_by is AnsweredBy.UNKNOWN and (answer.status == 0 or unclear >= _UNCLEAR_ANSWERS)


def _wanted_ways(via: str) -> set[Via]:
    if not via:
        return set(Via)
    try:
        return {Via(via)}
    except ValueError:
        raise Trouble(f"--via: '{via}' is not a valid way", fix="--via ingress or --via service") from None


def _service_url(s: Settings, **values: object) -> str:
    try:
        return s.ingress.service_url.format(**values)
    except (KeyError, IndexError, ValueError):
        known = ", ".join(f"{{{name}}}" for name in values)
        raise Trouble(
            f"ingress.service_url is '{s.ingress.service_url}', but only {known} are filled in",
            fix="correct ingress.service_url in the settings",
        ) from None


@contextmanager
def _accepted_connections(port: int) -> Iterator[set[tuple[str, str]]]:
    """Collect the connections that are new on the local port during the block.

    The application cannot be asked to return the mark, so the kernel's table of connections is read every 20 ms, and
    less often for a request that hangs: it shows a connection from its first packet until a minute after its end
    (TIME_WAIT).
    """
    before = ports.connections(port)
    accepted: set[tuple[str, str]] = set()
    stop = threading.Event()

    def watch() -> None:
        pause = 0.02
        while not stop.wait(pause):
            accepted.update(ports.connections(port) - before)
            pause = min(0.25, pause * 1.2)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield accepted
        accepted |= ports.connections(port) - before
    finally:
        stop.set()
        watcher.join()


def _remote(reply: Reply, way: Way, port: int, listener: Listener | None) -> AnsweredBy:
    """Find out who answered a request that did not arrive here."""
    if reply.status == 0:
        return AnsweredBy.UNKNOWN if reply.unresolved else AnsweredBy.NOBODY
    nothing_listens_here = listener is None and ports.owner(port) is None
    if way.via != Via.INGRESS or nothing_listens_here:
        return AnsweredBy.BASELINE
    if reply.status == _NO_BACKEND:
        return AnsweredBy.NOBODY
    return AnsweredBy.UNKNOWN if reply.status in _GATEWAY_STATUSES else AnsweredBy.BASELINE


def _curl(way: Way, headers: dict[str, str]) -> str:
    sent = [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    return " ".join(["curl", "-sS", "-i", *sent, *_connect_to(way), way.url])


def _connect_to(way: Way) -> list[str]:
    if not way.address:
        return []
    url, address = urlsplit(way.url), urlsplit(way.address)
    return [
        f"--connect-to {url.hostname}:{_port_of(url.scheme, url.port)}:{address.hostname}:{_port_of(address.scheme, address.port)}"
    ]


def _port_of(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)
