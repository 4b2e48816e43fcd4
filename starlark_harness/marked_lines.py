"""Put a call with its line number before each statement outside functions, on the same line."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

MARK = "_at({line}); "


def with_marked_lines(text: str) -> str:
    """The text with `_at(LINE); ` before each simple statement that is in no function. Unchanged if Python cannot parse it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    rows = text.encode().split(b"\n")
    marked: set[int] = set()
    for statement in _simple_statements(tree.body):
        row = statement.lineno - 1
        if row not in marked:
            marked.add(row)
            mark = MARK.format(line=statement.lineno).encode()
            rows[row] = rows[row][: statement.col_offset] + mark + rows[row][statement.col_offset :]
    return b"\n".join(rows).decode()


def _simple_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements outside functions, in branches and loops too; without load(), which has to stand alone."""
    for statement in body:
        if isinstance(statement, ast.If | ast.For):
            yield from _simple_statements([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.Pass) and not _is_load(statement):
            yield statement


def _is_load(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "load"
