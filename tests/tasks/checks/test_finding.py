"""Many questions at once: order, deadline, and unknown for what could not be looked at."""

from __future__ import annotations

import json
import time

import pytest

from tasks.checks.finding import Finding, Question, State, answers, exit_code, within
from tasks.checks.report import report
from tasks.core.errors import Blocked, ToolError
from tasks.core.process.tool import Tool
from tests.made import settings


def found(subject: str, state: State = State.OK) -> Question:
    return Question((subject,), lambda: [Finding(subject, state, "as asked")])


def test_answers_come_in_the_order_of_the_questions():
    slow = Question(("slow",), lambda: time.sleep(0.1) or [Finding("slow", State.OK, "late")])  # type: ignore[func-returns-value]
    assert [f.subject for f in answers([slow, found("a"), found("b")])] == ["slow", "a", "b"]


@pytest.mark.parametrize(
    "why", [ToolError("kubectl get: refused", fix="inv tp.connect"), Blocked("nobody is logged in")]
)
def test_what_could_not_be_looked_at_is_unknown_for_each_of_its_subjects(why):
    def ask():
        raise why

    both = answers([Question(("pull", "push"), ask)])
    assert [(f.subject, f.state) for f in both] == [("pull", State.UNKNOWN), ("push", State.UNKNOWN)]
    assert why.what in both[0].text
    assert both[0].fix == why.fix


def test_a_bug_in_a_check_is_no_finding():
    def ask() -> list[Finding]:
        raise KeyError("no")

    with pytest.raises(KeyError):
        answers([Question(("a",), ask)])


def test_a_program_that_hangs_is_unknown_in_time_and_does_not_go_on():
    sleep = Tool("sleep")["30"]
    began = time.monotonic()
    late = answers([Question(("hangs",), lambda: [sleep.run()]), found("quick")], seconds=0.5)  # type: ignore[list-item]
    assert time.monotonic() - began < 3
    assert [(f.subject, f.state) for f in late] == [("hangs", State.UNKNOWN), ("quick", State.OK)]
    assert "no answer in 0.5 s" in late[0].text


def test_no_child_may_take_longer_than_the_check():
    s = within(settings(), 5)
    assert s.deadlines.kubectl == s.deadlines.az == 5
    assert settings().deadlines.az == 60


@pytest.mark.parametrize(
    ("states", "plain", "check"),
    [
        ([State.OK, State.WARN], 0, 0),
        ([State.OK, State.UNKNOWN], 1, 1),
        ([State.MISSING, State.UNKNOWN], 1, 2),
        ([], 0, 0),
    ],
)
def test_exit_codes_are_those_of_the_interface(states, plain, check):
    findings = [Finding(str(n), state, "") for n, state in enumerate(states)]
    assert (exit_code(findings), exit_code(findings, check=True)) == (plain, check)


def test_a_report_shows_each_patch_once_and_hides_what_is_ok(capsys):
    one = Finding("rule", State.MISSING, "none", fix="add it", patch="spec: 1\n")
    with pytest.raises(SystemExit) as ended:
        report(
            [one, Finding("other", State.MISSING, "none", patch="spec: 1\n"), Finding("fine", State.OK, "yes", fix="x")]
        )
    out = capsys.readouterr().out
    assert ended.value.code == 1
    assert out.count("spec: 1") == 1
    assert "fix: add it" in out
    assert "fix: x" not in out


def test_one_cause_of_many_unknowns_is_told_once(capsys):
    with pytest.raises(SystemExit):
        report([Finding(name, State.UNKNOWN, "no answer", fix="look") for name in "abcd"])
    out = capsys.readouterr().out
    assert out.count("no answer") == 1
    assert "a, b, c, d" in out


def test_json_is_one_document_with_all_findings(capsys):
    report([Finding("a", State.OK, "yes")], json=True, about={"cluster": "dev"})
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["cluster"] == "dev"
    assert document["summary"] == {"ok": 1, "warn": 0, "missing": 0, "unknown": 0}
    assert document["findings"] == [{"subject": "a", "state": "ok", "text": "yes"}]
