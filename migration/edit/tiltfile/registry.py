"""default_registry() and allow_k8s_contexts(): one unconditional call of ours instead of the team's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from migration.edit.tiltfile.statements import Edited, Source, source_of
from migration.edit.tiltfile.syntax import UneditableTiltfile, called, is_call_of

_FIX = "change this line by hand, then run this again"


def remove_calls(text: str, function: str, name: str = "Tiltfile") -> Edited:
    """The text without the statements that only call this function; a branch that did nothing else is removed with them.

    Raises UneditableTiltfile for a call inside another statement.
    """
    source = source_of(text, name)
    statements = [part for part in _parts(source.module.body) if called(part) == function]
    _refuse_other_calls(source, function, {id(part.value) for part in statements}, name)
    return source.without(statements)


def conditional_calls(text: str, function: str, name: str = "Tiltfile") -> bool:
    """Is there a call of this function that is not a statement of the top level?"""
    source = source_of(text, name)
    lines = [line for line in source.module.body if isinstance(line, cst.SimpleStatementLine)]
    top = {id(part.value) for line in lines for part in line.body if called(part) == function}  # type: ignore[attr-defined]
    return any(id(call) not in top for call in _calls(source.module, function))


def _refuse_other_calls(source: Source, function: str, known: set[int], name: str) -> None:
    for call in _calls(source.module, function):
        if id(call) not in known:
            reason = f"{function}() is called inside another statement"
            raise UneditableTiltfile(source.line(call), reason, fix=_FIX, name=name)


def _calls(module: cst.Module, function: str) -> list[cst.Call]:
    found = _Calls(function)
    module.visit(found)
    return found.calls


class _Calls(cst.CSTVisitor):
    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function
        self.calls: list[cst.Call] = []

    def visit_Call(self, node: cst.Call) -> None:
        if is_call_of(node, self.function):
            self.calls.append(node)


def _parts(body: Any) -> Iterator[Any]:
    """The statements at all levels, those of a line with several one by one."""
    for statement in body:
        if isinstance(statement, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            yield from statement.body
        elif isinstance(statement.body, cst.IndentedBlock):
            yield from _parts(statement.body.body)
        else:
            yield from _parts([statement.body])
        other = getattr(statement, "orelse", None)
        if other is not None:
            yield from _parts([other])
