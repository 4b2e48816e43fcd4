"""One HTTP request, to another address than the host's own if that is wanted."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

_MOST = 65536  # bytes of a body


@dataclass(frozen=True)
class Reply:
    """The answer to a request."""

    status: int
    """0 without an answer: `error` then says why."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    """At most 64 KiB of it."""

    ms: float = 0.0
    """From the start to the headers."""

    error: str = ""
    unresolved: bool = False
    """The host cannot be asked from here: its name has no address, or its certificate is not trusted."""

    timed_out: bool = False
    """The headers did not come until the deadline."""


def load() -> None:
    """Import what a request needs: beside something that waits, it costs no time."""
    import http.client  # noqa: F401


def ask(url: str, *, headers: Mapping[str, str], address: str = "", timeout: float = 5.0, verify: bool = True) -> Reply:
    """GET the URL. A network failure is a Reply with status 0.

    address: a URL to connect to instead; verify: check the certificate
    timeout: seconds for everything. When the body has not ended by then, the reply has what arrived of it.
    """
    import http.client

    wanted = urlsplit(url)
    target = urlsplit(address) if address else wanted
    host, port = target.hostname or "", target.port or (443 if target.scheme == "https" else 80)
    began = time.monotonic()
    end = began + timeout

    def ms() -> float:
        return (time.monotonic() - began) * 1000

    addresses = _addresses(host, port, timeout)
    if isinstance(addresses, Exception):
        return Reply(0, ms=ms(), error=f"{host}: {getattr(addresses, 'strerror', None) or addresses}", unresolved=True)
    connection = http.client.HTTPConnection(host, port)
    try:
        raw = connection.sock = _connected(addresses, port, end)
        if target.scheme == "https":  # the certificate must be the wanted host's, wherever we connect
            raw = connection.sock = _encrypted(raw, wanted.hostname, verify)
        connection.sock = _WithDeadline(raw, end)
        _send(connection, wanted, headers)
        with connection.getresponse() as answer:
            took = ms()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, _body(answer), took)
    except (OSError, http.client.HTTPException) as why:
        untrusted = type(why).__name__ == "SSLCertVerificationError"
        late = isinstance(why, TimeoutError)
        return Reply(0, ms=ms(), error=str(why) or type(why).__name__, unresolved=untrusted, timed_out=late)
    finally:
        connection.close()


def _send(connection: HTTPConnection, wanted: SplitResult, headers: Mapping[str, str]) -> None:
    path = (wanted.path or "/") + (f"?{wanted.query}" if wanted.query else "")
    connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", wanted.netloc.rpartition("@")[2])
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Connection", "close")
    connection.endheaders()


def _encrypted(plain: Any, host: str | None, verify: bool) -> Any:
    import ssl

    context = ssl.create_default_context() if verify else ssl._create_unverified_context()
    return context.wrap_socket(plain, server_hostname=host)


def _addresses(host: str, port: int, timeout: float) -> list[str] | Exception:
    """The host's addresses, or the reason without one.

    Without a network a resolver answers late or never, and getaddrinfo has no deadline: a thread asks it.
    """
    import socket

    result: list[list[str] | Exception] = []

    def look() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            result.append(list(dict.fromkeys(str(row[4][0]) for row in rows)))
        except (OSError, UnicodeError) as why:
            result.append(why)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(timeout)
    return result[0] if result else TimeoutError(f"no answer from the resolver in {timeout:g} s")


def _connected(addresses: list[str], port: int, end: float) -> Any:
    """A socket to the first address that accepts a connection, as browsers do. Raises the error of the last one.

    The addresses share the time until the deadline, so that one that never answers leaves some for the next.
    """
    import socket

    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            connected = socket.create_connection((address, port), _remaining(end) / left)
        except OSError:
            if left == 1:
                raise
        else:
            connected.settimeout(_remaining(end))
            return connected
    raise OSError("the name has no address")


def _body(answer: HTTPResponse) -> bytes:
    """What arrives of the body before the deadline, at most 64 KiB."""
    body = b""
    with suppress(TimeoutError):
        while len(body) < _MOST and (more := answer.read1(_MOST - len(body))):
            body += more
    return body


def _remaining(end: float) -> float:
    """The seconds until the deadline. Raises TimeoutError after it."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


class _WithDeadline:
    """What http.client needs of a socket. A timeout applies to each read alone, so each read gets the time that is left."""

    def __init__(self, raw: Any, end: float) -> None:
        self._raw, self._end = raw, end
        self.sendall, self.close = raw.sendall, raw.close

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reads(self._raw, self._end))


class _Reads(io.RawIOBase):
    def __init__(self, connected: Any, end: float) -> None:
        self._connected, self._end = connected, end
        self._file = connected.makefile("rb", buffering=0)  # keeps the socket open until it is closed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connected.settimeout(_remaining(self._end))
        count: int | None = self._file.readinto(buffer)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
