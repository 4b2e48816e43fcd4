"""Can the API server be reached? One TCP connection shows it sooner than a program whose packets are dropped.

With a session open and the API server silent, `telepresence status`, `list` and `quit` hang until they are killed
(2.31), and kubectl ends at its own deadline, or at five times that while it knows no API groups. So a program is asked
only for a moment when the server does not accept a connection or does not answer on it, and the error names the cause.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tasks.core.config.settings import Settings
from tasks.core.errors import Absent, Problem, ToolError, Trouble
from tasks.core.typed import with_more
from tasks.core.yaml.nodes import find, text
from tasks.tools import base, kubeconfig
from tasks.tools.az import cluster

if TYPE_CHECKING:
    import socket

Value = TypeVar("Value")

_ACCEPTED_WITHIN = 1.2  # seconds: a lost first packet is sent again after one
_ANSWERED_WITHIN = 1.2  # seconds, on an accepted connection
_MOMENT = 1.0  # second for a program that will probably not answer
_AZ_ANSWERS_WITHIN = 2.0  # seconds, beside that program
_VALID = 5.0  # seconds that a look is used again: one command asks several times


class Unreachable(ToolError):
    """The API server accepts no connection. `what` and `why` name the cause."""


@dataclass
class _Seen:
    """What was found out about one server."""

    at: float
    problem: Problem | None
    stopped: bool | None = None
    """Azure's answer; None until it was asked."""


_seen: dict[tuple[str, int], _Seen] = {}
_looking = threading.Lock()


def problem(s: Settings, file: str = "") -> Problem | None:
    """Return why the API server cannot be reached. None when it can, or when a proxy is between, which is not judged.

    file: a kubeconfig to use instead of the session's own.
    """
    address = _address(s, file)
    return _look(address).problem if address else None


def cause(s: Settings, file: str = "") -> Problem | None:
    """Return the same, and ask Azure whether the cluster is stopped. Takes up to two seconds more."""
    address = _address(s, file)
    if not address:
        return None
    seen = _look(address)
    if seen.problem is None:
        return None
    if seen.stopped is None:
        seen.stopped = cluster.power(s, timeout=_AZ_ANSWERS_WITHIN) == "Stopped"
    if seen.stopped:
        return Problem(f"the cluster {s.cluster.name} is stopped", why=seen.problem.what, fix="inv aks.start")
    return seen.problem


def ask(
    s: Settings,
    question: Callable[[float | None], Value],
    *,
    name: str,
    file: str = "",
    answers: tuple[type[ToolError], ...] = (),
) -> Value:
    """Put a question to a program that needs the API server.

    question: takes the seconds that the program has, None for its usual deadline
    name: of the question, for the error
    answers: errors that are an answer of the server

    Raises Unreachable with the cause when the server cannot be reached and the program did not answer.
    """
    if problem(s, file) is None:
        return question(None)
    with ThreadPoolExecutor(max_workers=1) as pool:
        asked = pool.submit(cause, s, file)
        try:
            return question(_MOMENT)
        except ToolError as why:
            found = asked.result()
            if found is None or isinstance(why, (Absent, *answers)):
                raise
            raise unreachable(found, name=name, tool=why.tool) from None


def unreachable(found: Problem, *, name: str, tool: str = "") -> Unreachable:
    """Return the error for a question that this problem prevents."""
    return Unreachable(f"{name}: {found.what}", tool=tool, why=found.why, fix=found.fix)


def _address(s: Settings, file: str) -> tuple[str, int] | None:
    """Return host and port of the API server; None without a kubeconfig, or when a proxy is between."""
    path = file or str(base.frozen_kubeconfig(s))
    if not os.path.exists(path):
        return None
    try:
        context = kubeconfig.load([Path(path)]).context(s.cluster.context)
    except Trouble:  # reported by the program that uses the file
        return None
    if context is None or text(find(context.cluster_body, "proxy-url")):
        return None
    url = urlsplit(context.server)
    if not url.hostname or _through_proxy(url.hostname):
        return None
    return url.hostname, url.port or (80 if url.scheme == "http" else 443)


def _through_proxy(host: str) -> bool:
    """Do Go programs use a proxy of the environment for this host?"""
    if not (os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")):
        return False
    from urllib.request import proxy_bypass

    return not proxy_bypass(host)


def _look(address: tuple[str, int]) -> _Seen:
    with _looking:  # threads that ask at once wait for one look
        seen = _seen.get(address)
        if seen is None or time.monotonic() - seen.at > _VALID:
            found = _problem(*address)
            seen = _seen[address] = _Seen(time.monotonic(), found)
        return seen


def _problem(host: str, port: int) -> Problem | None:
    error = _connect(host, port)
    if error is None:
        return None
    import socket

    fix = with_more("check the network and the VPN", "inv aks.status", "shows whether the cluster runs")

    place = f"{host}:{port}"
    if isinstance(error, socket.gaierror):
        return Problem(
            f"the API server's name {host} does not resolve", "no VPN, or the cluster is stopped or gone", fix
        )
    if isinstance(error, ConnectionRefusedError):
        return Problem(f"the API server does not answer: {place} refuses connections", "it may be stopped", fix)
    if isinstance(error, _Mute):
        return Problem(
            f"the API server does not answer: {place} accepts connections, and then nothing comes back",
            "the API server hangs, or what is in front of it",
            fix,
        )
    if isinstance(error, TimeoutError):
        return Problem(
            f"the API server does not answer: nothing comes back from {place}",
            "the network or the VPN is down, or this machine has just woken up",
            fix,
        )
    return Problem(f"the API server does not answer: {place}: {error.strerror or error}", "the network is down", fix)


class _Mute(TimeoutError):
    """The connection was accepted, and nothing came back."""


def _connect(host: str, port: int) -> OSError | None:
    """Return why the server does not answer in time; None when it does.

    A thread tries it, because the resolver has no deadline. Its last error counts when a name has several addresses.
    """
    import socket

    result: list[OSError | None] = []

    def attempt() -> None:
        try:
            with socket.create_connection((host, port), _ACCEPTED_WITHIN) as connection:
                result.append(_answer(connection))
        except OSError as why:
            result.append(why)
        except UnicodeError:  # a name that cannot be one of DNS
            result.append(socket.gaierror(socket.EAI_NONAME, "not a host name"))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(_ACCEPTED_WITHIN + _ANSWERED_WITHIN + 0.1)
    return result[0] if result else TimeoutError("no answer")


def _answer(connection: socket.socket) -> OSError | None:
    """Return why nothing comes back; None when anything does, an error or the end of the connection too.

    A TLS server rejects a request without TLS at once, so that no handshake is needed to see that it lives.
    """
    connection.settimeout(_ANSWERED_WITHIN)
    try:
        connection.sendall(b"GET /version HTTP/1.0\r\n\r\n")
        connection.recv(1)
    except TimeoutError:
        return _Mute("no answer")
    except OSError:  # it was closed, which is an answer
        return None
    return None
