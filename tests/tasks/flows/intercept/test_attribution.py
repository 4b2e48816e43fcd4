"""Who may have answered a request that did not arrive here: notices, Traffic Agents, and what is known of them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tasks.checks import workload
from tasks.checks.workload import ClusterService
from tasks.core.errors import ToolError
from tasks.core.state import timing
from tasks.flows.intercept import notice, show
from tasks.flows.intercept.attribution import attribute
from tasks.flows.intercept.notice import Notice
from tasks.flows.intercept.proof import Answer, AnsweredBy, Via
from tasks.tools.telepresence import Held
from tests.made import settings
from tests.tasks.flows import fakes

BOB, EVE = {"x-user": "bob"}, {"X-User": "eve"}


def cluster_service(*, agent: bool = True, annotations: dict[str, str] | None = None) -> ClusterService:
    objects = fakes.cluster_service("www", agent=agent)
    objects[0]["spec"]["template"]["metadata"]["annotations"] = annotations or {}
    return workload.locate(objects, ("www",), "team")


def note(headers: dict[str, str] | None, client: str = "bob@box", *, mine: bool = False, person: str = "") -> Notice:
    return Notice("www", "www-bob", client, time.time(), "", headers, mine, person)


def answered(
    monkeypatch: pytest.MonkeyPatch,
    notices: list[Notice] | ToolError,
    *,
    sent: dict[str, str] | None = None,
    by: AnsweredBy = AnsweredBy.BASELINE,
    status: int = 200,
    held: Held | None = None,
    service: ClusterService | None = None,
) -> tuple[str, str]:
    def ask(s: object, name: str) -> list[Notice]:
        assert name == "www"
        if isinstance(notices, ToolError):
            raise notices
        return notices

    monkeypatch.setattr(notice, "ask", ask)
    answer = Answer(by, Via.INGRESS, 5.0, "http://www/", sent or {}, "curl", status)
    found = attribute(settings(), service or cluster_service(), answer, held)
    return str(found.answered_by), found.client


@pytest.mark.parametrize(
    ("notices", "sent", "expected"),
    [
        ([note({})], {}, ("colleague", "bob@box")),
        ([note({}, "vscode@6a0f", person="bob")], {}, ("colleague", "bob (vscode@6a0f)")),
        ([note({})], BOB, ("colleague", "bob@box")),
        ([note(BOB)], {"X-User": "bob"}, ("colleague", "bob@box")),
        ([note(BOB)], {}, ("baseline", "")),
        ([note(BOB)], EVE, ("baseline", "")),
        ([note(BOB), note(EVE, "eve@box")], EVE, ("colleague", "eve@box")),
        ([note(None)], {}, ("colleague", "bob@box")),
        ([note({}, mine=True)], {}, ("unknown", "")),
        ([], {}, ("unknown", "")),
        (ToolError("configmaps is forbidden"), {}, ("unknown", "")),
    ],
)
def test_with_an_agent_the_notices_say_who_answers(
    monkeypatch: pytest.MonkeyPatch, notices: Any, sent: dict[str, str], expected: tuple[str, str]
):
    assert answered(monkeypatch, notices, sent=sent) == expected


def test_without_an_agent_the_baseline_answers_whatever_a_stale_notice_says(monkeypatch: pytest.MonkeyPatch):
    assert answered(monkeypatch, [note({})], service=cluster_service(agent=False)) == ("baseline", "")


def test_what_this_client_holds_no_colleague_can_hold(monkeypatch: pytest.MonkeyPatch):
    mine = Held("www-ada", "www", headers={"x-user": "ada"})
    assert answered(monkeypatch, [note({})], held=mine, sent={"x-user": "ada"}) == ("baseline", "")
    assert answered(monkeypatch, [note({})], held=mine, sent={}) == ("colleague", "bob@box")


@pytest.mark.parametrize(
    ("by", "status"), [(AnsweredBy.NOBODY, 0), (AnsweredBy.BASELINE, 502), (AnsweredBy.BASELINE, 504)]
)
def test_a_colleague_whose_process_is_gone_is_named(monkeypatch: pytest.MonkeyPatch, by: AnsweredBy, status: int):
    assert answered(monkeypatch, [note({})], by=by, status=status) == ("none", "bob@box")
    assert answered(monkeypatch, [], by=AnsweredBy.NOBODY, status=0) == ("none", "")


@pytest.mark.parametrize("notices", [[], [note(BOB)]])
@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_error_is_not_an_answer_of_the_baseline(
    monkeypatch: pytest.MonkeyPatch, notices: list[Notice], status: int
):
    """An intercept that was made without the suite leaves no notice, and its process may be gone."""
    timing.keep("intercept", 1.0, cold=True, workload="www")
    assert answered(monkeypatch, notices, status=status) == ("unknown", "")


@pytest.mark.parametrize("by", [AnsweredBy.LOCAL, AnsweredBy.UNKNOWN])
def test_what_is_clear_or_unclear_already_stays_so(monkeypatch: pytest.MonkeyPatch, by: AnsweredBy):
    assert answered(monkeypatch, [note({})], by=by) == (str(by), "")


@pytest.mark.parametrize("prefix", ["telepresence.io", "telepresence.getambassador.io"])
def test_an_agent_that_the_pod_template_asks_for_is_explained(monkeypatch: pytest.MonkeyPatch, prefix: str):
    service = cluster_service(annotations={f"{prefix}/inject-traffic-agent": "enabled"})
    assert answered(monkeypatch, [], service=service) == ("baseline", "")


@pytest.mark.parametrize(
    ("workload_name", "cold", "by"), [("www", True, "baseline"), ("www", False, "unknown"), ("x", True, "unknown")]
)
def test_an_agent_that_an_intercept_from_here_installed_is_explained(
    monkeypatch: pytest.MonkeyPatch, workload_name: str, cold: bool, by: str
):
    timing.keep("intercept", 1.0, cold=cold, workload=workload_name)
    assert answered(monkeypatch, []) == (by, "")


@pytest.mark.parametrize(
    ("by", "client", "first"),
    [
        (AnsweredBy.COLLEAGUE, "bob@box", "by the notice the process of bob@box answers (ingress, 5 ms)"),
        (AnsweredBy.NOBODY, "bob@box", "nobody answers; by the notice the requests go to bob@box (ingress, 5 ms)"),
        (AnsweredBy.UNKNOWN, "", "it is not clear who answers (ingress, 5 ms)"),
    ],
)
def test_people_see_the_colleague(capsys: pytest.CaptureFixture[str], by: AnsweredBy, client: str, first: str):
    from tasks.core.config.catalogue import catalogue

    answer = Answer(by, Via.INGRESS, 5.0, "http://www/", {}, "curl", 200, client=client)
    show.verified(catalogue().services[0], answer, nothing_listens_on=0, intercepted=True)
    assert capsys.readouterr().out.splitlines()[0] == first
