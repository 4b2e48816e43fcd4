"""The ways that a request is sent on for proof, and who answered it."""

from __future__ import annotations

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
    assert [str(who) for who in AnsweredBy] == ["local", "baseline", "none", "unknown"]
    assert [str(via) for via in Via] == ["ingress", "service"]


def test_another_way_than_the_two_is_refused():
    with pytest.raises(Trouble) as refused:
        proof.ways(settings(), catalogue().services[0], "www", 80, "pod")
    assert refused.value.problem == Problem("--via: 'pod' is not a valid way", fix="--via ingress or --via service")
