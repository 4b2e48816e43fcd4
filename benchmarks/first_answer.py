"""`inv intercept` from its start to the first request that a local process answers, with the latencies of real programs.

The session is open, as it is after `inv setup`. Warm: the pod has its agent, as on every intercept after the first of the
day. Cold: the pod gets it now. The bare intercept is `telepresence intercept` alone, with a process that listens already.
"""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from benchmarks import Row, of
from benchmarks._world import INV, ROOT, box, inv
from sandbox.control import Box
from tasks.core import ports
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import settings

_ANSWER = b"the local process"
_SERVER = f"""
import os, socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection = listening.accept()[0]
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: {len(_ANSWER)}\\r\\nConnection: close\\r\\n\\r\\n" + {_ANSWER!r})
    connection.close()
"""
_PAUSE = 0.005  # seconds between two requests
_PATIENCE = 0.05  # seconds for an answer: a request that comes between the proof and the process hangs
_LONGEST = 60.0  # seconds


def serve(port: int) -> list[str]:
    """Return the command line of a process that answers every request. It is ready sooner than an application."""
    return [sys.executable, "-I", "-S", "-c", _SERVER, str(port)]


def first_answer(world: Box, service: Service, began: float) -> float:
    """Send requests through the ingress until the local process answers; return the seconds since `began`."""
    host = service.hosts[settings().ingress.environment]
    while time.monotonic() < began + _LONGEST:
        connection = http.client.HTTPConnection(urlsplit(world.ingress).netloc, timeout=_PATIENCE)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/", headers={"Host": host})
            if connection.getresponse().read() == _ANSWER:
                return time.monotonic() - began
        connection.close()
        time.sleep(_PAUSE)
    raise RuntimeError(f"{service.name}: no local answer in {_LONGEST:g} s")


def ours(world: Box, service: Service) -> tuple[float, int]:
    """Intercept with a command and leave. Returns the seconds to the first answer, and the calls of az for a token."""
    port, at = ports.free(), time.time()
    command = [*INV, "intercept", service.name, "--port", str(port), "--", *serve(port)]
    began = time.monotonic()
    run = _start(command, world.environment())
    try:
        seconds = first_answer(world, service, began)
        tokens = [call for call in world.calls("az") if call["start"] >= at and "get-access-token" in call["argv"]]
        return seconds, len(tokens)
    finally:
        run.send_signal(signal.SIGINT)
        run.wait()


def bare(world: Box, service: Service) -> float:
    """Intercept with Telepresence alone and leave. Returns the seconds to the first answer."""
    port = ports.free()
    server = _start(serve(port), world.environment())
    remote = service.ports[0].name
    command = ["telepresence", "intercept", service.name, "--port", f"{port}:{remote}", "--mount=false"]
    began = time.monotonic()
    run = _start(command, world.environment())
    try:
        return first_answer(world, service, began)
    finally:
        run.wait()
        subprocess.run(
            ["telepresence", "leave", service.name],
            env=world.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        server.kill()
        server.wait()


def cold(first: Service, second: Service) -> tuple[float, float]:
    """Return the seconds of our intercept of the one service and of the bare one of the other, in a new sandbox."""
    with box("real") as world:
        inv(world, "setup", "--skip", "packages", "--json")
        return ours(world, first)[0], bare(world, second)


def warm(service: Service, times: int) -> list[tuple[float, int, float]]:
    """Return the seconds of our intercept, its calls of az for a token, and the seconds of the bare one; repeatedly."""
    with box("real") as world:
        inv(world, "setup", "--skip", "packages", "--json")
        ours(world, service)
        return [(*ours(world, service), bare(world, service)) for _ in range(times)]


def run(quick: bool) -> list[Row]:
    """Measure warm intercepts in one sandbox, and cold ones in a sandbox each."""
    environment = settings().ingress.environment
    first, second, *_ = [s for s in catalogue().services if s.ports and environment in s.hosts]
    measured = warm(first, 2 if quick else 7)
    colds = [cold(first, second), cold(second, first)] if quick else [cold(first, second), cold(second, first)] * 2
    return [
        of("warm, to the first local answer", [seconds for seconds, _, _ in measured], "s", 1.2),
        of("warm, longer than a bare telepresence intercept", [seconds - b for seconds, _, b in measured], "s"),
        of("cold, to the first local answer", [seconds for seconds, _ in colds], "s"),
        of("cold, longer than a bare telepresence intercept", [seconds - b for seconds, b in colds], "s", 1.5),
        of("calls of az for a token in a warm intercept", [float(tokens) for _, tokens, _ in measured], "calls", 0),
    ]


def _start(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=dict(env), cwd=ROOT, stdin=quiet, stdout=quiet, stderr=quiet)
