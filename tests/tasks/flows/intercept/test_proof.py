"""The ways on which a request is sent for proof."""

from __future__ import annotations

import pytest

from tasks.core import http, ports
from tasks.core.config.catalogue import catalogue
from tasks.core.errors import Trouble
from tasks.flows.intercept import proof
from tasks.flows.intercept.proof import Way
from tests.made import settings


@pytest.mark.parametrize("url", ["http://{svc}/", "http://{}/", "http://{service/"])
def test_an_address_with_a_word_that_nobody_fills_in_is_named(url: str):
    s = settings(ingress__service_url=url)
    with pytest.raises(Trouble, match=r"only \{service\}, \{namespace\}, \{port\} are filled in"):
        proof.ways(s, catalogue().services[0], "www", 80, "service")


GATES = [301, 302, 303, 307, 308, 401, 403, 404]  # what a gateway answers without asking the service


def answered(monkeypatch: pytest.MonkeyPatch, via: str, status: int) -> str:
    """Who answered a request on this way with this status, while the suite itself listens on the local port."""
    monkeypatch.setattr(http, "ask", lambda *args, **more: http.Reply(status))
    port = ports.free()
    with proof.listening(port) as listener:
        return proof.ask(settings(), Way(via, "http://www.example/"), port, {}, listener).answered_by


@pytest.mark.parametrize("status", GATES)
def test_what_a_gateway_may_have_answered_proves_nothing_on_the_ingress_and_is_the_baseline_on_the_service(
    monkeypatch: pytest.MonkeyPatch, status: int
):
    assert answered(monkeypatch, "ingress", status) == "unknown"
    assert answered(monkeypatch, "service", status) == "baseline"


@pytest.mark.parametrize(("via", "who"), [("ingress", "none"), ("service", "baseline")])
def test_an_ingress_without_a_pod_behind_it_is_no_answer(monkeypatch: pytest.MonkeyPatch, via: str, who: str):
    assert answered(monkeypatch, via, 503) == who


@pytest.mark.parametrize("status", [200, 204, 400, 500, 502])
def test_what_only_the_service_can_have_answered_is_the_baseline(monkeypatch: pytest.MonkeyPatch, status: int):
    assert answered(monkeypatch, "ingress", status) == "baseline"


def test_no_answer_is_none_and_a_way_that_cannot_be_used_from_here_is_unknown(monkeypatch: pytest.MonkeyPatch):
    assert answered(monkeypatch, "ingress", 0) == "none"
    monkeypatch.setattr(http, "ask", lambda *args, **more: http.Reply(0, unresolved=True))
    with proof.listening(port := ports.free()) as listener:
        asked = proof.ask(settings(), Way("ingress", "http://www.example/"), port, {}, listener)
    assert asked.answered_by == "unknown"
