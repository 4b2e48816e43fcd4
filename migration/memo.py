"""Answers that are costly and stay true for a while: each is computed once, and forgotten by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Question(Generic[Answer]):
    """The key of one answer in a memo; its type parameter is the type of the answer."""

    name: str


class Memo:
    """Answers by their questions. A question is always asked with the same type of answer."""

    def __init__(self) -> None:
        self._answers: dict[Question[Any], Any] = {}

    def answer(self, question: Question[Answer], compute: Callable[[], Answer]) -> Answer:
        """Return the answer, computed when it is not known yet."""
        if question not in self._answers:
            self._answers[question] = compute()
        known: Answer = self._answers[question]
        return known

    def forget(self, question: Question[Any]) -> None:
        """Drop the answer, because what it was computed from has changed."""
        self._answers.pop(question, None)
