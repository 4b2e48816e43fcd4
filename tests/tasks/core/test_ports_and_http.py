"""Ports as the kernel shows them, and one request with its connection sent elsewhere."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tasks.core import http as client
from tasks.core import ports
from tasks.core.errors import Trouble


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.headers['Host']} {self.path} {self.headers.get('X-Slot', '')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        return None


@pytest.fixture
def server() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


def test_the_owner_of_a_port_is_named_by_pid(server: int):
    owner = ports.owner(server)
    assert owner is not None
    assert owner.pid == os.getpid()


def test_a_free_port_has_no_owner():
    assert ports.owner(ports.free()) is None


def test_the_addresses_of_a_port_and_what_a_session_listens_on(server: int):
    assert ports.addresses(server) == {"127.0.0.1"}
    assert ("127.0.0.1", server) in ports.of_session(os.getsid(0))
    assert ports.of_session(1) == set() or os.getsid(0) == 1
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as six:
        port = six.getsockname()[1]
        assert ports.addresses(port) == {"::1"}
        assert ("::1", port) in ports.of_session(os.getsid(0))
    assert ports.addresses(port) == set()


def test_no_answer_until_the_deadline_is_not_a_refused_connection():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reply = client.ask(f"http://127.0.0.1:{silent.getsockname()[1]}/", headers={}, timeout=0.2)
    assert (reply.status, reply.timed_out) == (0, True)
    assert not client.ask(f"http://127.0.0.1:{ports.free()}/", headers={}).timed_out


ANSWER = b"HTTP/1.1 200 OK\r\nX-Some: thing\r\n\r\n" + b"x" * 1000


@contextmanager
def dripping(at_once: bytes) -> Iterator[int]:
    """A server that sends so much of an answer at once, and then a byte every 50 ms: the whole takes a minute."""
    over = threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(at_once)
            for byte in ANSWER[len(at_once) :]:
                connection.sendall(bytes([byte]))
                if over.wait(0.05):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            server.join(60)


def test_a_server_that_sends_a_byte_now_and_then_does_not_hold_up():
    began = time.monotonic()
    with dripping(b"") as port:
        reply = client.ask(f"http://127.0.0.1:{port}/", headers={}, timeout=0.5)
    assert (reply.status, reply.timed_out) == (0, True)
    assert time.monotonic() - began < 20


def test_an_answer_without_end_counts_with_what_came_of_it():
    began = time.monotonic()
    with dripping(ANSWER[:50]) as port:
        reply = client.ask(f"http://127.0.0.1:{port}/", headers={}, timeout=0.5)
    assert (reply.status, reply.headers["x-some"], reply.timed_out) == (200, "thing", False)
    assert 0 < len(reply.body) < 1000
    assert time.monotonic() - began < 20


def test_several_addresses_share_the_deadline(monkeypatch: pytest.MonkeyPatch):
    given = []

    def silent(where: tuple[str, int], timeout: float) -> None:
        given.append(timeout)
        time.sleep(timeout)
        raise TimeoutError("timed out")

    rows = [(0, 0, 0, "", (f"127.0.0.{n}", 80)) for n in (7, 8, 9)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **more: rows)
    monkeypatch.setattr(socket, "create_connection", silent)
    assert client.ask("http://three.example/", headers={}, timeout=0.6).timed_out
    assert len(given) == 3
    assert max(given) < 0.21


def test_a_request_leaves_a_trace_on_the_port(server: int):
    before = ports.connections(server)
    client.ask(f"http://127.0.0.1:{server}/", headers={})
    assert ports.connections(server) - before


def test_the_host_header_stays_when_the_connection_goes_elsewhere(server: int):
    reply = client.ask(
        "http://platform.example/healthz?x=1", headers={"X-Slot": "ada"}, address=f"http://127.0.0.1:{server}"
    )
    assert (reply.status, reply.body) == (200, b"platform.example /healthz?x=1 ada")


def test_no_answer_is_a_reply_and_not_an_exception():
    assert client.ask(f"http://127.0.0.1:{ports.free()}/", headers={}).status == 0


def test_a_name_that_does_not_resolve_is_marked():
    reply = client.ask("http://nowhere.invalid/", headers={})
    assert (reply.status, reply.unresolved) == (0, True)


@pytest.mark.parametrize(
    ("text", "expected"), [("3001", (3001, "")), ("3001:http", (3001, "http")), ("3000:3000", (3000, "3000"))]
)
def test_a_port_is_local_and_perhaps_remote(text: str, expected: tuple[int, str]):
    assert ports.pair(text) == expected


@pytest.mark.parametrize("text", ["abc", "0", "70000", "3000:", "3000:70000", "3000:-x", "", "1:2:3", "٣"])
def test_an_invalid_port_is_refused(text: str):
    with pytest.raises(Trouble, match="--port"):
        ports.pair(text)


def test_a_resolver_that_never_answers_does_not_hold_up(monkeypatch: pytest.MonkeyPatch):
    import socket
    import threading
    import time

    over = threading.Event()

    def never(*words, **more):
        over.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", never)
    began = time.monotonic()
    reply = client.ask("http://slow.example/", headers={}, timeout=0.2)
    assert reply.unresolved
    assert time.monotonic() - began < 30
    over.set()


def test_a_host_that_cannot_be_encoded_causes_no_traceback():
    assert client.ask("http://" + "a" * 70 + ".example/", headers={}).unresolved


def test_after_a_refused_connection_the_next_address_is_tried(server: int, monkeypatch: pytest.MonkeyPatch):
    import socket

    rows = [(0, 0, 0, "", (address, server)) for address in ("127.0.0.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **more: rows)
    monkeypatch.setattr(socket, "create_connection", _refusing_the_first(socket.create_connection))
    assert client.ask(f"http://two.example:{server}/", headers={}).status == 200


def _refusing_the_first(connect):
    import socket

    def only_the_second(where, timeout):
        if where[0] == "127.0.0.9":
            raise ConnectionRefusedError(111, "Connection refused")
        raw = socket.socket()
        raw.settimeout(timeout)
        raw.connect(where)
        return raw

    return only_the_second
