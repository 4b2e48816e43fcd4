"""What a check found, and the asking of many questions at once under one deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, ToolError, Trouble
from tasks.core.process.running import end_running


class State(StrEnum):
    OK = "ok"  # as it should be
    WARN = "warn"  # works, with a catch
    MISSING = "missing"  # not there, or wrong
    UNKNOWN = "unknown"  # could not look, or may not: never taken for one of the others


@dataclass(frozen=True)
class Finding:
    """One answer.

    subject: what was looked at, the same in every run ("namespace argocd")
    text:    what was found, for a person
    fix:     what gets it, a command or a sentence; empty when it is ok
    patch:   the exact text for the gitops repository, several lines; empty when there is none
    """

    subject: str
    state: State
    text: str
    fix: str = ""
    patch: str = ""

    @property
    def document(self) -> dict[str, str]:
        """As `--json` shows it; what is empty is left out."""
        fields = {
            "subject": self.subject,
            "state": str(self.state),
            "text": self.text,
            "fix": self.fix,
            "patch": self.patch,
        }
        return {key: value for key, value in fields.items() if value}


@dataclass(frozen=True)
class Question:
    """subjects: what it will answer; ask: the answers, or ToolError or Blocked when it could not look."""

    subjects: tuple[str, ...]
    ask: Callable[[], Iterable[Finding]]


def unknown(subject: str, why: Trouble) -> Finding:
    """The finding for something that could not be looked at."""
    cause = f" ({why.why})" if why.why else ""
    return Finding(subject, State.UNKNOWN, f"could not look: {why.what}{cause}", fix=why.fix)


def answers(questions: Sequence[Question], *, seconds: float = 30.0, workers: int = 4) -> list[Finding]:
    """All findings, in the order of the questions. A question without an answer in time is unknown.

    At most `workers` are asked at once: each may start kubectl, whose login plugin starts az.
    """
    pool = ThreadPoolExecutor(max_workers=workers)
    asked = [(question, pool.submit(_asked, question)) for question in questions]
    _, late = wait([future for _, future in asked], timeout=seconds)
    pool.shutdown(wait=False, cancel_futures=True)
    if late:
        end_running()  # what hangs would hold this process until its own deadline
    no_answer = Trouble(f"no answer in {seconds:g} s", fix="run this again; inv status looks at login and session")
    found: list[Finding] = []
    for question, future in asked:
        if future in late:
            found += [unknown(subject, no_answer) for subject in question.subjects]
        else:
            found += future.result()
    return found


def _asked(question: Question) -> list[Finding]:
    try:
        return list(question.ask())
    except (ToolError, Blocked) as why:
        return [unknown(subject, why) for subject in question.subjects]


def within(s: Settings, seconds: float) -> Settings:
    """The settings with no deadline longer than this: children end by themselves before the checks give up."""
    cut = {
        name: min(float(getattr(s.deadlines, name)), seconds)
        for name in msgspec.structs.asdict(s.deadlines)  # every field is a number of seconds
    }
    return msgspec.structs.replace(s, deadlines=msgspec.structs.replace(s.deadlines, **cut))


def exit_code(findings: Iterable[Finding], *, check: bool = False) -> int:
    """0: nothing missing. 1: something is missing or could not be looked at. With `check` 2 for what is missing."""
    states = {finding.state for finding in findings}
    if State.MISSING in states:
        return 2 if check else 1
    return 1 if State.UNKNOWN in states else 0


def summary(findings: Sequence[Finding]) -> dict[str, Any]:
    """How many of each state, for `--json`."""
    return {str(state): sum(f.state is state for f in findings) for state in State}
