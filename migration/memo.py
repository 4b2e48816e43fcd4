"""Answers that are costly and stay true for a while: each is computed once, and forgotten by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class MemoKey(Generic[Answer]):
    """The key of one answer. Its type parameter is the type of the answer."""

    name: str


class Memo:
    """Answers by key. A key always has answers of its type."""

    def __init__(self) -> None:
        self._answers: dict[MemoKey[Any], Any] = {}

    def answer(self, key: MemoKey[Answer], compute: Callable[[], Answer]) -> Answer:
        """Return the answer, computed when it is not known yet."""
        if key not in self._answers:
            self._answers[key] = compute()
        known: Answer = self._answers[key]
        return known

    def forget(self, key: MemoKey[Any]) -> None:
        """Drop the answer, because what it was computed from has changed."""
        self._answers.pop(key, None)
