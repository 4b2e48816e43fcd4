"""Check the form of another program's answer once, where it arrives; what reads it afterwards need not."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

from tasks.core.errors import ToolError

Answer = TypeVar("Answer")
Kind = TypeVar("Kind")

# Two threads that convert to a type for the first time at once crash the interpreter (SIGSEGV, msgspec 0.22, about one
# `inv aks.check` in a hundred).
_one_at_a_time = threading.Lock()


# Half a surrogate pair, which JSON can hold, is a UnicodeEncodeError.
_MISFITS = (msgspec.ValidationError, UnicodeEncodeError, RecursionError)


class Shape(msgspec.Struct, kw_only=True):
    """What is read of an answer: its keys and their types. Other keys do not matter."""


def convert(data: Any, kind: type[Kind], *, strict: bool = True) -> Kind:
    """Return `msgspec.convert(data, kind)`, for every thread. Raises ValidationError."""
    with _one_at_a_time:
        return msgspec.convert(data, kind, strict=strict)


def must_be(kind: Any, answer: Answer, *, said: str, fix: str = "") -> Answer:
    """Return the answer as it is. Raises ToolError when it has another form than `kind`.

    said: the command that printed it, such as `kubectl get`
    """
    try:
        convert(answer, kind, strict=False)
    except _MISFITS as why:
        raise ToolError(
            f"{said}: the answer has another form than expected",
            tool=said.split()[0],
            exit=0,
            why=_reason(why),
            fix=fix or f"see what `{said}` prints by hand; a wrapper or a proxy may have changed it",
        ) from None
    return answer


def fits(kind: Any, answer: Any) -> bool:
    """Has it this form?"""
    try:
        convert(answer, kind, strict=False)
    except _MISFITS:
        return False
    return True


def _reason(why: Exception) -> str:
    if isinstance(why, RecursionError):
        return "it is nested too deeply"
    return "it is not valid Unicode" if isinstance(why, UnicodeEncodeError) else str(why)[:200]
