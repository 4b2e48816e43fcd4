"""One HTTP request, with the connection sent to another address than the host's own where that is wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """status: 0 when there was no answer, then error says why. body: at most 64 KiB. ms: from start to the headers."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ms: float = 0.0
    error: str = ""
    unresolved: bool = False  # this way is none from here: no address for the name, or no trust in its certificate


def ask(url: str, *, headers: Mapping[str, str], address: str = "", timeout: float = 5.0, verify: bool = True) -> Reply:
    """GET the URL; `address` (a URL) is where to connect instead. Network trouble is a Reply with status 0."""
    import http.client

    wanted = urlsplit(url)
    there = urlsplit(address) if address else wanted
    host, port = there.hostname or "", there.port or (443 if there.scheme == "https" else 80)
    path = (wanted.path or "/") + (f"?{wanted.query}" if wanted.query else "")
    began = time.monotonic()

    def ms() -> float:
        return (time.monotonic() - began) * 1000

    found = _addresses(host, port, timeout)
    if isinstance(found, Exception):
        return Reply(0, ms=ms(), error=f"{host}: {getattr(found, 'strerror', None) or found}", unresolved=True)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.sock = _connected(found, port, timeout)
        if there.scheme == "https":  # the certificate asked for is that of the wanted host, wherever we connect
            import ssl

            context = ssl.create_default_context() if verify else ssl._create_unverified_context()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=wanted.hostname)
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", wanted.netloc.rpartition("@")[2])
        for key, value in headers.items():
            connection.putheader(key, value)
        connection.putheader("Connection", "close")
        connection.endheaders()
        answer = connection.getresponse()
        took = ms()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read(65536), took)
    except (OSError, http.client.HTTPException) as why:
        untrusted = type(why).__name__ == "SSLCertVerificationError"
        return Reply(0, ms=ms(), error=str(why) or type(why).__name__, unresolved=untrusted)
    finally:
        connection.close()


def _addresses(host: str, port: int, timeout: float) -> list[str] | Exception:
    """The host's addresses, or why there are none. A resolver without a network answers late or never, and takes no
    deadline, so it is asked aside."""
    import socket

    found: list[list[str] | Exception] = []

    def look() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.append(list(dict.fromkeys(str(row[4][0]) for row in rows)))
        except (OSError, UnicodeError) as why:
            found.append(why)

    aside = threading.Thread(target=look, daemon=True)
    aside.start()
    aside.join(timeout)
    return found[0] if found else TimeoutError(f"no answer of the resolver in {timeout:g} s")


def _connected(addresses: list[str], port: int, timeout: float) -> Any:
    """A socket to the first address that takes a connection, as browsers do; raises what the last one said."""
    import socket

    for place, address in enumerate(addresses):
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            if place == len(addresses) - 1:
                raise
    raise OSError("the name has no address")
