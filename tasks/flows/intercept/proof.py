"""Proof that requests through the ingress reach the local process. `ACTIVE` proves nothing: it is routed seconds later.

The proof needs no help from the application. Before the process starts, the suite listens on the local port itself
and answers a marked request with its mark. While the process runs, new connections on that port tell.
"""

from __future__ import annotations

import secrets
import shlex
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tasks.core import http, ports
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble

MARK = "X-Remote-First-Proof"
_GATE = {301, 302, 303, 307, 308, 401, 403, 404, 503}  # answers that a gateway gives without asking the service
_H2 = b"PRI * HTTP/2.0"


@dataclass(frozen=True)
class Asked:
    """answered_by: local, baseline, none (no answer came) or unknown (an answer came that nobody can be told from).

    via: ingress or service; ms: until the headers; curl: the same request to paste.
    """

    answered_by: str
    via: str
    ms: float
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    curl: str = ""
    status: int = 0
    error: str = ""

    def document(self) -> dict[str, Any]:
        """As `inv tp.verify --json` shows it."""
        return {**asdict(self), "ms": round(self.ms, 1)}


@dataclass(frozen=True)
class Way:
    """How to ask: url with the host, address to connect to (empty: the host's own), and the way's name."""

    via: str
    url: str
    address: str = ""


def ways(s: Settings, service: Service, k8s_service: str, port: int, via: str = "") -> list[Way]:
    """The ways to reach the service, the ingress first. `via` picks one; an unknown one is a Trouble."""
    if via not in {"", "ingress", "service"}:
        raise Trouble(f"--via: '{via}' is no way", fix="--via ingress or --via service")
    found = []
    host = service.hosts.get(s.ingress.environment, "")
    path = service.health or "/"
    if host and via in {"", "ingress"}:
        scheme = urlsplit(s.ingress.address).scheme if s.ingress.address else s.ingress.scheme
        found.append(Way("ingress", f"{scheme}://{host}{path}", s.ingress.address))
    if via in {"", "service"}:
        named = {"service": k8s_service or service.name, "namespace": s.cluster.namespace, "port": port}
        try:
            base = s.ingress.service_url.format(**named)
        except (KeyError, IndexError, ValueError):
            raise Trouble(
                f"ingress.service_url is '{s.ingress.service_url}', and only {', '.join(f'{{{name}}}' for name in named)} are filled in",
                fix="correct ingress.service_url in the settings",
            ) from None
        found.append(Way("service", base.rstrip("/") + path))
    if not found:
        raise Trouble(
            f"{service.name} has no host for '{s.ingress.environment}' in config/services.yaml", fix="--via service"
        )
    return found


@contextmanager
def listening(port: int) -> Iterator[Listener | None]:
    """Listen on the local port for the marked request; None when somebody listens there already."""
    listener = Listener(port) if ports.owner(port) is None else None
    try:
        yield listener
    finally:
        if listener:
            listener.close()


class Listener:
    """Answers a marked request with its mark, all others with 503. Counts connections that speak HTTP/2."""

    def __init__(self, port: int) -> None:
        self.h2 = 0
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.bind(("127.0.0.1", port))
        except OSError as why:  # taken this very moment, or below 1024
            self.socket.close()
            raise Trouble(
                f"the local port {port} cannot be opened: {why.strerror}", fix=f"take another: --port {ports.free()}"
            ) from None
        self.socket.listen(64)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Free the port."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(2)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(2)
            data = b""
            try:
                while b"\r\n\r\n" not in data and len(data) < 65536:
                    more = connection.recv(8192)
                    if not more:
                        break
                    data += more
                if data.startswith(_H2):
                    self.h2 += 1
                mark = next(
                    (
                        line.partition(b":")[2].strip()
                        for line in data.split(b"\r\n")
                        if line.lower().startswith(MARK.lower().encode() + b":")
                    ),
                    b"",
                )
                status = b"200 OK" if mark else b"503 Service Unavailable\r\nRetry-After: 1"
                connection.sendall(
                    b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(mark) + mark
                )
            except OSError:
                pass  # the other side went away; it will ask again


def ask(
    s: Settings, way: Way, port: int, headers: dict[str, str], listener: Listener | None, timeout: float = 3.0
) -> Asked:
    """Send one marked request and tell who answered it."""
    mark = secrets.token_hex(8)
    sent = {**headers, MARK: mark, "User-Agent": "remote-first", "Accept": "*/*"}
    before = frozenset() if listener else ports.connections(port)
    h2 = listener.h2 if listener else 0
    seen: set[tuple[str, str]] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            seen.update(ports.connections(port) - before)

    watcher = threading.Thread(target=watch, daemon=True)
    if listener is None:
        watcher.start()
    reply = http.ask(way.url, headers=sent, address=way.address, timeout=timeout, verify=s.ingress.verify_tls)
    if listener is None:
        seen |= ports.connections(port) - before
        stop.set()
        watcher.join()
    curl = " ".join(
        [
            "curl",
            "-sS",
            "-i",
            *(f"-H {shlex.quote(f'{k}: {v}')}" for k, v in headers.items()),
            *_connect_to(way),
            way.url,
        ]
    )
    local = (listener is not None and (reply.body.strip() == mark.encode() or listener.h2 > h2)) or bool(seen)
    if local:
        who = "local"
    elif reply.status == 0:
        who = "unknown" if reply.unresolved else "none"
    elif listener is None and ports.owner(port) is None:
        who = "baseline"
    elif reply.status in _GATE and way.via == "ingress":
        who = "unknown" if reply.status != 503 else "none"
    else:
        who = "baseline"
    return Asked(who, way.via, reply.ms, way.url, headers, curl, reply.status, reply.error)


def until_local(
    s: Settings, all_ways: list[Way], port: int, headers: dict[str, str], listener: Listener | None, for_: float
) -> Asked:
    """Ask until the local process answers, at most `for_` seconds; the last answer otherwise.

    A way that cannot be used from here (its name does not resolve, or a gateway answers by itself) gives over to the
    next one.
    """
    began = time.monotonic()
    end = began + for_
    usable = list(all_ways)
    others_asked = False
    last = Asked("unknown", usable[0].via, 0.0, usable[0].url)
    gate = 0
    while True:
        asked = ask(s, usable[0], port, headers, listener, timeout=min(3.0, max(0.5, end - time.monotonic())))
        if asked.answered_by == "local":
            return asked
        last = asked
        gate += asked.answered_by == "unknown"
        if asked.answered_by == "unknown" and len(usable) > 1 and (asked.status == 0 or gate >= 8):
            usable.pop(0)
            continue
        if not others_asked and len(usable) > 1 and time.monotonic() > began + for_ / 2:
            others_asked = True  # perhaps the host leads elsewhere from here, and not to this cluster's ingress
            other = ask(s, usable[1], port, headers, listener)
            if other.answered_by == "local":
                return other
        if time.monotonic() + 0.05 > end:
            return last
        time.sleep(0.05)


def _connect_to(way: Way) -> list[str]:
    if not way.address:
        return []
    wanted, there = urlsplit(way.url), urlsplit(way.address)
    port = wanted.port or (443 if wanted.scheme == "https" else 80)
    return [
        f"--connect-to {wanted.hostname}:{port}:{there.hostname}:{there.port or (443 if there.scheme == 'https' else 80)}"
    ]
