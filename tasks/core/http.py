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

    where = _address(host, port, timeout)
    if isinstance(where, Exception):
        return Reply(0, ms=ms(), error=f"{host}: {getattr(where, 'strerror', None) or where}", unresolved=True)
    connection = http.client.HTTPConnection(where, port, timeout=timeout)
    try:
        connection.connect()
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


def _address(host: str, port: int, timeout: float) -> Any:
    """The host's first address, or why there is none. A resolver without a network answers late or never, and takes no
    deadline, so it is asked aside."""
    import socket

    found: list[Any] = []

    def look() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError) as why:
            found.append(why)

    aside = threading.Thread(target=look, daemon=True)
    aside.start()
    aside.join(timeout)
    return found[0] if found else TimeoutError(f"no answer of the resolver in {timeout:g} s")
