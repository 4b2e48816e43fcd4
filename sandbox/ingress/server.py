"""The HTTP server of the ingress: a request goes to the baseline or to the local process that intercepts the service."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sandbox.ingress.routing import Route, route
from sandbox.world.cluster import Intercept
from sandbox.world.state import World

_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_PIECE = 1 << 16


class Front(ThreadingHTTPServer):
    """Listen on a free loopback port, with one thread for each connection."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = False

    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(("127.0.0.1", 0), Request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect."""


def start(world: World) -> Front:
    """Start the server in a thread."""
    front = Front(world)
    threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return front


class Request(BaseHTTPRequestHandler):
    """One connection to the ingress."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Front

    def __getattr__(self, name: str) -> object:
        """Proxy every HTTP method."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, *_args: object) -> None:
        """Print nothing: the response names what answered."""

    def _serve(self) -> None:
        way = self._way()
        if way.workload is None:
            self._refuse(404, "no service has this host or name")
        elif way.pod is None:
            self._refuse(503, "no healthy upstream")
        elif way.intercept is None:
            self._baseline(way)
        else:
            self._intercepted(way, way.intercept)

    def _way(self) -> Route:
        world = self.server.world
        headers = {k.lower(): v for k, v in self.headers.items()}
        with world.lock:
            return route(world.cluster, world.places.namespace, headers.get("host", ""), self.path, headers)

    def _baseline(self, way: Route) -> None:
        assert way.workload is not None
        assert way.pod is not None
        self._drain()
        self._json(
            200,
            {
                "answered_by": "baseline",
                "service": way.workload.name,
                "pod": way.pod.name,
                "method": self.command,
                "path": way.path,
                "headers": dict(self.headers.items()),
            },
        )

    def _intercepted(self, way: Route, held: Intercept) -> None:
        world = self.server.world
        until = time.monotonic() + world.profile.dead
        while held.session not in world.alive_sessions:
            if time.monotonic() > until:
                self._refuse(504, "upstream request timeout")
                return
            time.sleep(0.05)
            way = self._way()
            if way.intercept is None:  # the intercept was revoked, or its client reconnected and left
                self._serve()
                return
            held = way.intercept
        upstream = http.client.HTTPConnection(held.address, held.local_port, timeout=5)
        try:
            upstream.connect()
        except OSError:
            time.sleep(max(0.0, until - time.monotonic()))  # the agent waits until the client's connection times out
            self._refuse(502, "upstream connect error")
            return
        try:
            self._proxy(way, upstream)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            upstream.close()

    def _proxy(self, way: Route, upstream: http.client.HTTPConnection) -> None:
        """Send the request to the client's port and its answer back, piece by piece as it arrives."""
        upstream.sock.settimeout(None)
        self._send_request(way, upstream)
        self._send_response(upstream.getresponse())

    def _send_request(self, way: Route, upstream: http.client.HTTPConnection) -> None:
        upstream.putrequest(self.command, way.path, skip_host=True, skip_accept_encoding=True)
        for key, value in self.headers.items():
            if key.lower() not in _HOP:
                upstream.putheader(key, value)
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        upstream.putheader("X-Forwarded-For", self.client_address[0])
        upstream.endheaders()
        for piece in self._body():
            upstream.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            upstream.send(b"0\r\n\r\n")

    def _send_response(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        sized = answer.getheader("Content-Length") is not None
        bodiless = self._is_bodiless(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in _HOP:
                self.send_header(key, value)
        pieces = not sized and not bodiless and self.request_version != "HTTP/1.0"
        if pieces:
            self.send_header("Transfer-Encoding", "chunked")
        elif not sized and not bodiless:
            self.close_connection = True
        self.end_headers()
        while not bodiless and (piece := answer.read1(_PIECE)):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if pieces else piece)
        if pieces:
            self.wfile.write(b"0\r\n\r\n")

    def _is_bodiless(self, status: int) -> bool:
        """Whether HTTP allows no body in this answer."""
        return self.command == "HEAD" or status in (204, 304) or status < 200

    def _body(self) -> Iterator[bytes]:
        """The request body, piece by piece as it arrives."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (piece := self.rfile.read1(min(left, _PIECE))):
            left -= len(piece)
            yield piece

    def _drain(self) -> None:
        for _ in self._body():
            pass  # the baseline ignores the body

    def _refuse(self, status: int, why: str) -> None:
        self._drain()
        self._json(status, {"answered_by": "none", "error": why})

    def _json(self, status: int, document: dict[str, object]) -> None:
        data = json.dumps(document, ensure_ascii=False).encode() + b"\n"
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
