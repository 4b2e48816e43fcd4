"""The ways that a request is sent on for proof, and who answered it."""

from __future__ import annotations

import socket

import pytest

from tasks.core import http, ports
from tasks.core.config.catalogue import catalogue
from tasks.core.errors import Problem, Trouble
from tasks.core.http import Reply
from tasks.flows.intercept import proof
from tasks.flows.intercept.proof import AnsweredBy, Via, Way
from tests.made import settings


@pytest.mark.parametrize("url", ["http://{svc}/", "http://{}/", "http://{service/"])
def test_an_unknown_placeholder_in_the_service_url_is_refused(url: str):
    s = settings(ingress__service_url=url)
    with pytest.raises(Trouble, match=r"only \{service\}, \{namespace\}, \{port\} are filled in"):
        proof.ways(s, catalogue().services[0], "www", 80, "service")


GATES = [301, 302, 303, 307, 308, 401, 403, 404]  # what a gateway answers without asking the service


def answered(monkeypatch: pytest.MonkeyPatch, via: Via, reply: Reply) -> AnsweredBy:
    """Return who answered on this way with this reply, while the suite itself listens on the local port."""
    monkeypatch.setattr(http, "ask", lambda *args, **more: reply)
    port = ports.free()
    with proof.listening(port) as listener:
        return proof.ask(settings(), Way(via, "http://www.example/"), port, {}, listener).answered_by


@pytest.mark.parametrize("status", GATES)
def test_a_status_that_a_gateway_may_give_is_unclear_on_the_ingress_and_the_baselines_on_the_service(
    monkeypatch: pytest.MonkeyPatch, status: int
):
    assert answered(monkeypatch, Via.INGRESS, Reply(status)) is AnsweredBy.UNKNOWN
    assert answered(monkeypatch, Via.SERVICE, Reply(status)) is AnsweredBy.BASELINE


@pytest.mark.parametrize(("via", "who"), [(Via.INGRESS, AnsweredBy.NOBODY), (Via.SERVICE, AnsweredBy.BASELINE)])
def test_an_ingress_that_has_no_pod_to_ask_means_that_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, via: Via, who: AnsweredBy
):
    assert answered(monkeypatch, via, Reply(503)) is who


@pytest.mark.parametrize("status", [200, 204, 400, 500, 502])
def test_a_status_that_only_the_service_gives_is_the_baselines(monkeypatch: pytest.MonkeyPatch, status: int):
    assert answered(monkeypatch, Via.INGRESS, Reply(status)) is AnsweredBy.BASELINE


def test_without_an_answer_nobody_answers_and_an_unusable_way_is_unclear(monkeypatch: pytest.MonkeyPatch):
    assert answered(monkeypatch, Via.INGRESS, Reply(0)) is AnsweredBy.NOBODY
    assert answered(monkeypatch, Via.INGRESS, Reply(0, unresolved=True)) is AnsweredBy.UNKNOWN


def test_the_words_of_the_json_are_those_of_the_contract():
    assert [str(who) for who in AnsweredBy] == ["local", "colleague", "baseline", "none", "unknown"]
    assert [str(via) for via in Via] == ["ingress", "service"]


def test_another_way_than_the_two_is_refused():
    with pytest.raises(Trouble) as refused:
        proof.ways(settings(), catalogue().services[0], "www", 80, "pod")
    assert refused.value.problem == Problem("--via: 'pod' is not a valid way", fix="--via ingress or --via service")


INGRESS, SERVICE = Way(Via.INGRESS, "http://www.example/"), Way(Via.SERVICE, "http://www.team:80/")


def until_local(
    monkeypatch: pytest.MonkeyPatch, answers: list[tuple[AnsweredBy, int]], for_: float = 10.0
) -> tuple[AnsweredBy, list[Via]]:
    """Return who answered to the end, and on which ways was asked. Each question takes a second of a clock that is ours."""
    asked: list[Via] = []

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds

    def ask(s: object, way: Way, *args: object, **more: object) -> proof.Answer:
        clock.now += 1.0
        asked.append(way.via)
        who, status = answers[min(len(asked), len(answers)) - 1]
        return proof.Answer(who, way.via, 1.0, way.url, status=status)

    clock = Clock()
    monkeypatch.setattr(proof, "time", clock)
    monkeypatch.setattr(proof, "ask", ask)
    answer = proof.until_local(settings(), [INGRESS, SERVICE], 3000, {}, None, for_)
    return answer.answered_by, asked


LOCAL, BASELINE, UNKNOWN = (AnsweredBy.LOCAL, 200), (AnsweredBy.BASELINE, 200), (AnsweredBy.UNKNOWN, 404)


def test_it_is_asked_until_the_local_process_answers(monkeypatch: pytest.MonkeyPatch):
    assert until_local(monkeypatch, [BASELINE, BASELINE, LOCAL]) == (AnsweredBy.LOCAL, [Via.INGRESS] * 3)


def test_a_name_that_does_not_resolve_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch):
    unresolved = (AnsweredBy.UNKNOWN, 0)
    assert until_local(monkeypatch, [unresolved, LOCAL]) == (AnsweredBy.LOCAL, [Via.INGRESS, Via.SERVICE])


def test_a_gateway_is_given_up_after_eight_answers_with_a_full_pause(monkeypatch: pytest.MonkeyPatch):
    """Six answers in quick succession come before them, and may be from before the intercept is known."""
    who, asked = until_local(monkeypatch, [UNKNOWN] * 14 + [LOCAL], for_=30)
    assert (who, asked) == (AnsweredBy.LOCAL, [Via.INGRESS] * 14 + [Via.SERVICE])


def test_the_other_way_is_tried_once_after_half_of_the_time(monkeypatch: pytest.MonkeyPatch):
    who, asked = until_local(monkeypatch, [BASELINE], for_=10)
    assert who is AnsweredBy.BASELINE
    assert asked.count(Via.SERVICE) == 1
    assert asked.index(Via.SERVICE) == 5
    assert until_local(monkeypatch, [BASELINE] * 5 + [LOCAL], for_=10)[0] is AnsweredBy.LOCAL


def test_both_ways_lead_to_the_health_path_and_the_curl_connects_to_the_address(monkeypatch: pytest.MonkeyPatch):
    www = catalogue().services[0]
    s = settings(ingress__address="http://127.0.0.1:8080")
    ingress, service = proof.ways(s, www, "front", 80)
    assert (ingress.via, ingress.url) == (Via.INGRESS, f"http://{www.hosts['dev']}{www.health}")
    assert (service.via, service.url) == (Via.SERVICE, f"http://front.team.svc.cluster.local:80{www.health}")
    assert proof.ways(settings(), www, "front", 80, "ingress")[0].url.startswith("https://")
    monkeypatch.setattr(http, "ask", lambda *args, **more: Reply(200))
    port = ports.free()
    with proof.listening(port) as listener:
        answer = proof.ask(s, ingress, port, {"x-user": "a b"}, listener)
    assert answer.curl == (
        f"curl -sS -i -H 'x-user: a b' --connect-to {www.hosts['dev']}:80:127.0.0.1:8080 {ingress.url}"
    )


@pytest.mark.parametrize("method", ["mark", "other", "http2"])
def test_the_listener_answers_a_mark_with_the_mark_and_counts_http2(method: str):
    port = ports.free()
    with proof.listening(port) as listener:
        assert listener is not None
        with proof.listening(port) as second:
            assert second is None
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            if method == "http2":
                client.sendall(b"PRI * HTTP/2.0\r\n\r\n")
            else:
                client.sendall(b"GET / HTTP/1.1\r\n")
                client.sendall(b"x-remote-first-PROOF: abc \r\n\r\n" if method == "mark" else b"Host: x\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert listener.http2_connections == (method == "http2")
    status, body = (b"200 OK", b"abc") if method == "mark" else (b"503 Service Unavailable", b"")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.partition(b"\r\n\r\n")[2] == body
    assert ports.owner(port) is None


def test_after_the_listener_a_plain_socket_can_open_the_port():
    port = ports.free()
    with proof.listening(port):
        for _ in range(5):
            assert http.ask(f"http://127.0.0.1:{port}/", headers={"X-Remote-First-Proof": "abc"}).body == b"abc"
    with socket.socket() as plain:  # without SO_REUSEADDR
        plain.bind(("127.0.0.1", port))
