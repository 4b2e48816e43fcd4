"""The answers of checks, and a way to ask many questions at once under one deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, Problem, ToolError, Trouble
from tasks.core.process.running import end_running

_LOOK_AGAIN = "run this again; inv status looks at login and session"


class Verdict(StrEnum):
    OK = "ok"  # as it should be
    WARN = "warn"  # works, with a catch
    MISSING = "missing"  # absent, or wrong
    UNKNOWN = "unknown"  # could not look, or not allowed to; never treated as one of the others


@dataclass(frozen=True)
class Finding:
    """One answer. Made by `ok`, `warning`, `missing`, `unknown` and `could_not_look`."""

    subject: str
    """What was looked at; the same in every run: "namespace argocd"."""

    verdict: Verdict

    detail: str = ""
    """What was seen, where the verdict is ok."""

    problem: Problem | None = None
    """What is wrong and how to fix it; None where the verdict is ok."""

    patch: str = ""
    """The exact lines for the gitops repository; empty without any."""

    @property
    def text(self) -> str:
        """What was seen or what is wrong, in one line."""
        return self.problem.summary if self.problem else self.detail

    @property
    def fix(self) -> str:
        """The fix of the problem; empty without one."""
        return self.problem.fix if self.problem else ""

    @property
    def document(self) -> dict[str, str]:
        """The finding for `--json`, without empty fields."""
        fields = {
            "subject": self.subject,
            "state": str(self.verdict),
            "text": self.text,
            "fix": self.fix,
            "patch": self.patch,
        }
        return {key: value for key, value in fields.items() if value}


@dataclass(frozen=True)
class Question:
    """A question about one or several subjects."""

    subjects: tuple[str, ...]

    ask: Callable[[], Iterable[Finding]]
    """Returns a finding for each subject. Raises ToolError or Blocked when it could not look."""


def ok(subject: str, detail: str = "") -> Finding:
    """Return a finding without a problem."""
    return Finding(subject, Verdict.OK, detail)


def warning(subject: str, what: str, *, fix: str = "", patch: str = "") -> Finding:
    """Return a finding about something that works, with a catch."""
    return Finding(subject, Verdict.WARN, problem=Problem(what, fix=fix), patch=patch)


def missing(subject: str, what: str, *, fix: str = "", patch: str = "") -> Finding:
    """Return a finding about something that is absent or wrong."""
    return Finding(subject, Verdict.MISSING, problem=Problem(what, fix=fix), patch=patch)


def unknown(subject: str, what: str, *, fix: str = "", patch: str = "") -> Finding:
    """Return a finding about something that could not be seen."""
    return Finding(subject, Verdict.UNKNOWN, problem=Problem(what, fix=fix), patch=patch)


def could_not_look(subject: str, trouble: Trouble, *, fix: str = "") -> Finding:
    """Return the finding for a failed question. fix: used when the trouble has none."""
    problem = Problem(f"could not look: {trouble.what}", why=trouble.why, fix=trouble.fix or fix)
    return Finding(subject, Verdict.UNKNOWN, problem=problem)


def ask_all(questions: Sequence[Question], *, seconds: float = 30.0, workers: int = 4) -> list[Finding]:
    """Return all findings, in the order of the questions. A question without an answer in time is unknown.

    At most `workers` are asked at once: each may start kubectl, whose login plugin starts az.
    """
    pool = ThreadPoolExecutor(max_workers=workers)
    asked = [(question, pool.submit(_ask, question)) for question in questions]
    late = wait([future for _, future in asked], timeout=seconds).not_done
    pool.shutdown(wait=False, cancel_futures=True)
    if late:
        end_running()  # a hanging child would hold this process until its own deadline
    no_answer = Trouble(f"no answer in {seconds:g} s", fix=_LOOK_AGAIN)
    findings: list[Finding] = []
    for question, future in asked:
        if future in late:
            findings += [could_not_look(subject, no_answer) for subject in question.subjects]
        else:
            findings += future.result()
    return findings


def _ask(question: Question) -> list[Finding]:
    try:
        return list(question.ask())
    except (ToolError, Blocked) as why:
        return [could_not_look(subject, why, fix=_LOOK_AGAIN) for subject in question.subjects]


def limit_deadlines(s: Settings, seconds: float) -> Settings:
    """Return the settings with no deadline longer than this, so that children end before the checks give up."""
    limited = {
        name: min(float(getattr(s.deadlines, name)), seconds)
        for name in msgspec.structs.asdict(s.deadlines)  # every field is a number of seconds
    }
    return msgspec.structs.replace(s, deadlines=msgspec.structs.replace(s.deadlines, **limited))


def exit_code(findings: Iterable[Finding], *, check: bool = False) -> int:
    """0: nothing is missing. 1: something is missing or unknown. With `check` 2 for what is missing."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.MISSING in verdicts:
        return 2 if check else 1
    return 1 if Verdict.UNKNOWN in verdicts else 0


def summary(findings: Sequence[Finding]) -> dict[str, Any]:
    """Count the findings of each verdict, for `--json`."""
    return {str(verdict): sum(f.verdict is verdict for f in findings) for verdict in Verdict}
