"""Can the API server be reached, and what does a program say that is asked without it?"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import yaml

from tasks.core.config.settings import Settings
from tasks.core.errors import Absent, Problem, TimedOut, ToolError
from tasks.tools import api_server, base
from tasks.tools.az import cluster
from tests.made import settings


@pytest.fixture
def s(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a workstation that has looked at nothing yet, and whose az cannot say whether the cluster runs."""
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(api_server, "_seen", {})
    monkeypatch.setattr(cluster, "power", lambda s, timeout: "")
    return settings()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server whose connections are accepted by the kernel, and which never answers on them."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


def refuse_without_tls(listener: socket.socket) -> None:
    """Answer one connection as a TLS server answers a request without TLS."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    threading.Thread(target=answer).start()


def frozen(s: Settings, url: str, **more: str) -> None:
    """Let the session's kubeconfig have this API server."""
    file = base.frozen_kubeconfig(s)
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "clusters": [{"name": "c", "cluster": {"server": url, **more}}],
        "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    }
    file.write_text(yaml.safe_dump(document))


def url_of(listener: socket.socket) -> str:
    return f"https://127.0.0.1:{listener.getsockname()[1]}"


def what(problem: Problem | None) -> str:
    assert problem is not None
    assert problem.fix
    return problem.what


def test_a_server_that_answers_can_be_reached(s: Settings, listener: socket.socket):
    refuse_without_tls(listener)
    frozen(s, url_of(listener))
    assert api_server.problem(s) is None
    assert api_server.cause(s) is None


def test_without_a_kubeconfig_there_is_nothing_to_judge(s: Settings):
    assert api_server.problem(s) is None


def test_a_server_that_refuses(s: Settings, listener: socket.socket):
    url = url_of(listener)
    listener.close()
    frozen(s, url)
    assert what(api_server.problem(s)) == f"the API server does not answer: {url[8:]} refuses connections"


def test_a_server_that_closes_the_connection_lives(s: Settings, listener: socket.socket):
    threading.Thread(target=lambda: listener.accept()[0].close()).start()
    frozen(s, url_of(listener))
    assert api_server.problem(s) is None


def test_a_server_that_accepts_and_then_says_nothing(
    s: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(api_server, "_ANSWERED_WITHIN", 0.2)
    frozen(s, url_of(listener))
    assert what(api_server.problem(s)).endswith("accepts connections, and then nothing comes back")


def test_a_server_whose_packets_are_dropped(s: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(api_server, "_ACCEPTED_WITHIN", 0.2)
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]  # the kernel drops the packets of those after them
    try:
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        frozen(s, url_of(listener))
        assert "nothing comes back from 127.0.0.1" in what(api_server.problem(s))
    finally:
        for each in waiting:
            each.close()


def test_a_name_that_does_not_resolve(s: Settings, monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    frozen(s, "https://dev.example:443")
    assert what(api_server.problem(s)) == "the API server's name dev.example does not resolve"


def test_a_resolver_that_never_answers(s: Settings, monkeypatch: pytest.MonkeyPatch):
    ended = threading.Event()

    def wait(*_: object, **__: object) -> list[object]:
        ended.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    monkeypatch.setattr(api_server, "_ACCEPTED_WITHIN", 0.1)
    frozen(s, "https://dev.example")
    try:
        assert "nothing comes back from dev.example:443" in what(api_server.problem(s))
    finally:
        ended.set()


def test_a_server_behind_a_proxy_is_not_judged(s: Settings, monkeypatch: pytest.MonkeyPatch):
    frozen(s, "https://127.0.0.1:1", **{"proxy-url": "http://proxy.example:3128"})
    assert api_server.problem(s) is None
    frozen(s, "https://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert api_server.problem(s) is None
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.example")
    assert api_server.problem(s) is not None


def test_one_look_serves_all_questions_of_a_command(s: Settings, listener: socket.socket):
    refuse_without_tls(listener)
    frozen(s, url_of(listener))
    assert api_server.problem(s) is None
    listener.close()
    assert api_server.problem(s) is None


def test_azure_says_that_the_cluster_is_stopped(s: Settings, monkeypatch: pytest.MonkeyPatch):
    asked: list[float] = []

    def power(s: Settings, timeout: float) -> str:
        asked.append(timeout)
        return "Stopped"

    monkeypatch.setattr(cluster, "power", power)
    frozen(s, "https://127.0.0.1:1")
    stopped = Problem(
        "the cluster dev-aks is stopped",
        "the API server does not answer: 127.0.0.1:1 refuses connections",
        "inv aks.start",
    )
    assert api_server.cause(s) == stopped
    assert api_server.cause(s) == stopped
    assert asked == [api_server._AZ_ANSWERS_WITHIN]


def asked(s: Settings, answer: Callable[[], str]) -> tuple[list[float | None], str]:
    """Ask; return the seconds that the program had, and its answer."""
    given: list[float | None] = []

    def question(timeout: float | None) -> str:
        given.append(timeout)
        return answer()

    return given, api_server.ask(s, question, name="kubectl get", answers=(Forbidden,))


class Forbidden(ToolError):
    """An answer of the server."""


def failing(error: ToolError) -> Callable[[], str]:
    def answer() -> str:
        raise error

    return answer


def test_a_program_that_can_reach_the_server_has_its_usual_deadline(s: Settings, listener: socket.socket):
    refuse_without_tls(listener)
    frozen(s, url_of(listener))
    assert asked(s, lambda: "yes") == ([None], "yes")


def test_a_program_without_the_server_has_a_moment_and_its_answer_counts(s: Settings):
    frozen(s, "https://127.0.0.1:1")
    assert asked(s, lambda: "yes") == ([api_server._MOMENT], "yes")


@pytest.mark.parametrize(
    "error", [TimedOut("kubectl get: no answer in 2 s"), ToolError("kubectl get: EOF", tool="kubectl")]
)
def test_a_program_that_fails_without_the_server_names_the_cause(s: Settings, error: ToolError):
    frozen(s, "https://127.0.0.1:1")
    with pytest.raises(api_server.Unreachable) as failed:
        asked(s, failing(error))
    assert failed.value.what == "kubectl get: the API server does not answer: 127.0.0.1:1 refuses connections"


@pytest.mark.parametrize("error", [Absent("kubectl is not installed"), Forbidden("forbidden")])
def test_an_answer_of_the_server_and_a_missing_program_stay_as_they_are(s: Settings, error: ToolError):
    frozen(s, "https://127.0.0.1:1")
    with pytest.raises(ToolError) as failed:
        asked(s, failing(error))
    assert failed.value is error


def test_an_error_while_the_server_can_be_reached_stays_as_it_is(s: Settings, listener: socket.socket):
    refuse_without_tls(listener)
    frozen(s, url_of(listener))
    error = ToolError("kubectl get: EOF")
    with pytest.raises(ToolError) as failed:
        asked(s, failing(error))
    assert failed.value is error
