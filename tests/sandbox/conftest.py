"""Fixtures: sandboxes, shells in them, and local servers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox import control
from tests.sandbox.shell import Shell


@pytest.fixture
def make_box() -> Iterator[Callable[..., control.Box]]:
    """Start sandboxes. All are stopped afterwards."""
    made: list[control.Box] = []

    def make(**options: Any) -> control.Box:
        made.append(control.up(**options))
        return made[-1]

    yield make
    for box in made:
        said = box.path / "server.log"
        broken = said.read_text() if said.exists() else ""
        control.down(box)
        assert "Traceback" not in broken, broken


@pytest.fixture
def shell(make_box: Callable[..., control.Box]) -> Callable[..., Shell]:
    """A developer's shell in a new sandbox, with a kubeconfig: `shell("2.31.0")`."""

    def make(telepresence: str = "2.31.0", **options: Any) -> Shell:
        box = make_box(telepresence=telepresence, **options)
        control.give_kubeconfig(box)
        return Shell(box, box.environment())

    return make


@pytest.fixture
def local() -> Iterator[Callable[..., int]]:
    """Start local HTTP servers that answer with their name. Returns the port."""
    servers: list[ThreadingHTTPServer] = []

    def make(name: str = "local") -> int:
        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = f"{name} {self.command} {self.path}".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self) -> None:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(201)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for place in range(0, len(body), 1000):
                    piece = body[place : place + 1000]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def background() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start programs that are killed afterwards."""
    made: list[subprocess.Popen[bytes]] = []

    def start(argv: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.wait()
