"""A server on the local port: it answers in place of the process until the proof is there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core import ports
from tasks.core.errors import Trouble
from tasks.core.wait import until

MARK = "X-Remote-First-Proof"
_HTTP2_PREFACE = b"PRI * HTTP/2.0"  # the first bytes of every HTTP/2 connection, RFC 9113 section 3.4
_MOST_HEADERS = 65536  # bytes
_LAST_CONNECTIONS = 0.5  # seconds that the end waits for the other sides to close theirs


@contextmanager
def listening(port: int) -> Iterator[Listener | None]:
    """Listen on the local port during the block; None when another process listens there already."""
    listener = Listener(port) if ports.owner(port) is None else None
    try:
        yield listener
    finally:
        if listener:
            listener.close()


class Listener:
    """Answers a marked request with its mark, all others with 503.

    It does not speak HTTP/2, which gRPC needs. Such a connection is counted instead: that it arrived is the proof.
    """

    def __init__(self, port: int) -> None:
        self.http2_connections = 0
        self._open_connections: set[socket.socket] = set()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as why:  # below 1024, or taken by another process a moment ago
            self._socket.close()
            raise Trouble(
                f"the local port {port} cannot be opened: {why.strerror}", fix=f"use another: --port {ports.free()}"
            ) from None
        self._socket.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Free the port."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        self._thread.join(2)
        until(lambda: not self._open_connections, every=0.01, for_=_LAST_CONNECTIONS)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open_connections.add(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(2)
            try:
                request = _request_head(connection)
                if request.startswith(_HTTP2_PREFACE):
                    self.http2_connections += 1
                connection.sendall(_response(_mark_in(request)))
                _wait_for_end(connection)
            except OSError:
                pass  # the other side went away; it will ask again
        self._open_connections.discard(connection)


def _request_head(connection: socket.socket) -> bytes:
    """Read until the end of the headers, or what came until the connection was closed."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _MOST_HEADERS:
        more = connection.recv(8192)
        if not more:
            break
        data += more
    return data


def _wait_for_end(connection: socket.socket) -> None:
    """Let the other side close first: the port of the side that does stays in TIME_WAIT for a minute.

    A process that opens the port without SO_REUSEADDR, as plain sockets do, would fail then (`Address already in use`).
    """
    while connection.recv(8192):
        pass


def _mark_in(request: bytes) -> bytes:
    name = MARK.lower().encode()
    for line in request.split(b"\r\n"):
        key, colon, value = line.partition(b":")
        if colon and key.lower() == name:
            return value.strip()
    return b""


def _response(mark: bytes) -> bytes:
    status = b"200 OK" if mark else b"503 Service Unavailable\r\nRetry-After: 1"
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(mark) + mark
