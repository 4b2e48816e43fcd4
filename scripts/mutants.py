"""The mutants of a source file: each is one small change that a test should notice.

Changes are made in the text, by the positions of the syntax tree, so that lines keep their numbers. Left out are
places that no test can see or that only change a wording: annotations, decorators, docstrings, f-strings, and text
with blanks.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Change = tuple[ast.AST, str, str]  # the node that is replaced, the operator, the new text

NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OFF_BY_ONE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_UNSEEN = {"annotation", "returns", "decorator_list", "type_params"}  # fields of nodes that are not mutated


@dataclass(frozen=True)
class Mutant:
    """One change of one file. start and end: of the replaced bytes."""

    file: str
    line: int
    operator: str
    before: str
    after: str
    start: int
    end: int

    def apply(self, source: bytes) -> bytes:
        """The source with this change."""
        return source[: self.start] + self.after.encode() + source[self.end :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.operator}: {_short(self.before)} -> {_short(self.after)}"


def mutants(file: str, source: bytes) -> list[Mutant]:
    """All mutants of this source, in the order of the file."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    made = {}
    for place, operator, after in (change for node in _visible(ast.parse(source)) for change in _changes(node)):
        assert isinstance(place, ast.expr | ast.stmt)
        assert place.end_lineno is not None
        assert place.end_col_offset is not None
        start = starts[place.lineno - 1] + place.col_offset
        end = starts[place.end_lineno - 1] + place.end_col_offset
        before = source[start:end].decode()
        made[start, end, after] = Mutant(file, place.lineno, operator, before, after, start, end)
    return sorted(made.values(), key=lambda m: (m.start, m.end, m.after))


def _visible(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below that a change of behaviour may be made in."""
    if isinstance(node, ast.JoinedStr) or _is_for_readers(node):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in _UNSEEN:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _visible(child)


def _is_for_readers(node: ast.AST) -> bool:
    """Is it a docstring, a list of exported names, or a block for type checkers?"""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) == "__all__"
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _changes(node: ast.AST) -> Iterator[Change]:
    for kind, operator in OPERATORS:
        if isinstance(node, kind):
            yield from operator(node)


def _comparison(node: ast.Compare) -> Iterator[Change]:
    for name, table in (("comparison", NEGATED), ("off by one", OFF_BY_ONE)):
        for place, op in enumerate(node.ops):
            if type(op) in table:
                ops = [*node.ops[:place], table[type(op)](), *node.ops[place + 1 :]]
                yield node, name, _text(ast.Compare(node.left, ops, node.comparators))


def _and_or(node: ast.BoolOp) -> Iterator[Change]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield node, "and/or", _text(ast.BoolOp(other, node.values))


def _not(node: ast.UnaryOp) -> Iterator[Change]:
    if isinstance(node.op, ast.Not):
        yield node, "not removed", _text(node.operand)


def _condition(node: ast.If | ast.While | ast.IfExp) -> Iterator[Change]:
    yield from _negated(node.test)


def _filter(node: ast.comprehension) -> Iterator[Change]:
    for test in node.ifs:
        yield from _negated(test)


def _negated(test: ast.expr) -> Iterator[Change]:
    """A comparison and a `not` are negated by operators of their own."""
    if not isinstance(test, ast.Compare | ast.UnaryOp):
        yield test, "condition", _text(ast.UnaryOp(ast.Not(), test))


def _constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield node, "constant", str(not value)
    elif isinstance(value, int | float):
        yield node, "constant", repr(value + 1)
    elif isinstance(value, str) and value and not any(c.isspace() for c in value):
        yield node, "constant", repr(f"XX{value}")


def _return(node: ast.Return) -> Iterator[Change]:
    if node.value is not None and ast.unparse(node.value) != "None":
        yield node, "return None", "return None"


def _call(node: ast.Expr) -> Iterator[Change]:
    if isinstance(node.value, ast.Call):
        yield node, "call removed", "pass"


OPERATORS: tuple[tuple[type[ast.AST] | tuple[type[ast.AST], ...], Callable[..., Iterator[Change]]], ...] = (
    (ast.Compare, _comparison),
    (ast.BoolOp, _and_or),
    (ast.UnaryOp, _not),
    ((ast.If, ast.While, ast.IfExp), _condition),
    (ast.comprehension, _filter),
    (ast.Constant, _constant),
    (ast.Return, _return),
    (ast.Expr, _call),
)


def _text(node: ast.expr) -> str:
    return f"({ast.unparse(ast.fix_missing_locations(node))})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:97]}..."
