"""Many questions at once: order, deadline, and unknown for failed ones."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tasks.checks.finding import (
    Finding,
    Question,
    Verdict,
    ask_all,
    exit_code,
    limit_deadlines,
    missing,
    ok,
    unknown,
)
from tasks.checks.report import report
from tasks.core.errors import Blocked, Problem, ToolError
from tasks.core.process.tool import Tool
from tests.made import settings


def answer(subject: str, verdict: Verdict = Verdict.OK) -> Question:
    return Question((subject,), lambda: [Finding(subject, verdict, "as asked")])


def test_answers_come_in_the_order_of_the_questions():
    others = threading.Event()

    def slow() -> list[Finding]:
        assert others.wait(60)
        return [ok("slow", "late")]

    def last() -> list[Finding]:
        others.set()
        return [ok("b", "early")]

    questions = [Question(("slow",), slow), answer("a"), Question(("b",), last)]
    assert [f.subject for f in ask_all(questions)] == ["slow", "a", "b"]


@pytest.mark.parametrize(
    "why", [ToolError("kubectl get: refused", why="a proxy", fix="inv tp.connect"), Blocked("nobody is logged in")]
)
def test_a_failed_question_is_unknown_for_each_of_its_subjects(why):
    def ask():
        raise why

    both = ask_all([Question(("pull", "push"), ask)])
    assert [(f.subject, f.verdict) for f in both] == [("pull", Verdict.UNKNOWN), ("push", Verdict.UNKNOWN)]
    assert both[0].problem == Problem(
        f"could not look: {why.what}",
        why=why.why,
        fix=why.fix or "run this again; inv status looks at login and session",
    )


def test_a_bug_in_a_check_is_not_a_finding():
    def ask() -> list[Finding]:
        raise KeyError("no")

    with pytest.raises(KeyError):
        ask_all([Question(("a",), ask)])


def test_a_hanging_program_is_unknown_in_time_and_is_ended():
    sleep = Tool("sleep")["30"]
    began = time.monotonic()
    late = ask_all([Question(("hangs",), lambda: [sleep.run()]), answer("quick")], seconds=0.5)  # type: ignore[list-item]
    assert time.monotonic() - began < 60
    assert [(f.subject, f.verdict) for f in late] == [("hangs", Verdict.UNKNOWN), ("quick", Verdict.OK)]
    assert late[0].text == "could not look: no answer in 0.5 s"


def test_no_child_may_run_longer_than_the_check():
    s = limit_deadlines(settings(), 5)
    assert s.deadlines.kubectl == s.deadlines.az == 5
    assert settings().deadlines.az == 60


@pytest.mark.parametrize(
    ("verdicts", "plain", "check"),
    [
        ([Verdict.OK, Verdict.WARN], 0, 0),
        ([Verdict.OK, Verdict.UNKNOWN], 1, 1),
        ([Verdict.MISSING, Verdict.UNKNOWN], 1, 2),
        ([], 0, 0),
    ],
)
def test_exit_codes_are_those_of_the_interface(verdicts, plain, check):
    findings = [Finding(str(n), verdict) for n, verdict in enumerate(verdicts)]
    assert (exit_code(findings), exit_code(findings, check=True)) == (plain, check)


def test_a_report_shows_each_patch_once_and_no_fix_for_ok(capsys):
    first = missing("rule", "none", fix="add it", patch="spec: 1\n")
    with pytest.raises(SystemExit) as ended:
        report([first, missing("other", "none", patch="spec: 1\n"), ok("fine", "yes")])
    out = capsys.readouterr().out
    assert ended.value.code == 1
    assert out.count("spec: 1") == 1
    assert "fix: add it" in out
    assert out.count("fix:") == 1


def test_many_findings_with_one_answer_are_shown_once(capsys):
    with pytest.raises(SystemExit):
        report([unknown(name, "no answer", fix="look") for name in "abcd"])
    out = capsys.readouterr().out
    assert out.count("no answer") == 1
    assert "a, b, c, d" in out


def test_json_is_one_document_with_all_findings(capsys):
    report([ok("a", "yes")], json=True, about={"cluster": "dev"})
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["cluster"] == "dev"
    assert document["summary"] == {"ok": 1, "warn": 0, "missing": 0, "unknown": 0}
    assert document["findings"] == [{"subject": "a", "state": "ok", "text": "yes"}]
