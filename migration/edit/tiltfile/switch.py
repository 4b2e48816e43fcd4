"""A Tiltfile in which the variable that chose the remote mode is taken as set. What does not hang on it keeps every byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from migration.edit.tiltfile.names import assigned, parsed, plain

if TYPE_CHECKING:
    import libcst as cst

_NO = {"", "0", "false", "no", "off"}


def resolved(text: str, switch: str) -> str:
    """The text with `switch` taken as true: its branches stay, the others go, and so does the variable.

    It may be a variable of the Tiltfile, one of the environment, or one that is made of these alone.
    """
    import libcst as cst

    module = parsed(text)
    truth = _truth(module, switch)
    made: list[cst.BaseExpression] = []  # values that were put in here, told apart from the team's own True

    def known(test: Any) -> bool | None:
        return made_value(test) if any(test is m for m in made) else _known(test, truth, switch)

    def value(is_true: bool) -> cst.Name:
        made.append(cst.Name("True" if is_true else "False"))
        return made[-1]  # type: ignore[return-value]

    class Resolve(cst.CSTTransformer):
        def __init__(self) -> None:
            super().__init__()
            self.elifs: list[cst.If] = []

        def visit_If(self, node: cst.If) -> None:
            if isinstance(node.orelse, cst.If):
                self.elifs.append(node.orelse)

        def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
            found, rest, lines = known(updated_node.test), updated_node.orelse, updated_node.leading_lines
            if found is None:
                return updated_node
            if any(original_node is e for e in self.elifs):
                if found:
                    return cst.Else(updated_node.body, leading_lines=lines)
                return cst.RemoveFromParent() if rest is None else rest.with_changes(leading_lines=lines)
            if found:
                return _unwrapped(updated_node.body, lines)
            if rest is None:
                return cst.RemoveFromParent()
            return (
                _unwrapped(rest.body, lines) if isinstance(rest, cst.Else) else rest.with_changes(leading_lines=lines)
            )

        def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> Any:
            found = known(updated_node.test)
            if found is None:
                return updated_node
            return updated_node.body if found else updated_node.orelse

        def leave_BooleanOperation(self, original_node: Any, updated_node: cst.BooleanOperation) -> Any:
            left, right = known(updated_node.left), known(updated_node.right)
            wins = isinstance(updated_node.operator, cst.Or)  # the value that decides the whole
            if wins in (left, right):
                return value(wins)
            if left is not None:
                return updated_node.right
            if right is not None:
                return updated_node.left
            # `SWITCH and 'remote' or 'local'` is an older way to write a conditional expression.
            first = updated_node.left
            chosen = wins and first is not original_node.left and isinstance(first, cst.SimpleString) and plain(first)
            return first if chosen else updated_node

        def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
            found = None if _is_environment(updated_node.value, switch) else known(updated_node.value)
            return updated_node if found is None else updated_node.with_changes(value=value(found))

        def leave_SimpleStatementLine(self, original_node: Any, updated_node: Any) -> Any:
            return cst.RemoveFromParent() if switch in assigned(updated_node) else updated_node

    class Rest(cst.CSTTransformer):
        def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> Any:
            return updated_node.with_changes(value="True") if updated_node.value == switch else updated_node

        def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
            return cst.SimpleString("'1'") if _is_environment(original_node, switch) else updated_node

        # A name that is none of a variable stays.
        def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:
            return updated_node.with_changes(keyword=original_node.keyword)

        def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> Any:
            return updated_node.with_changes(attr=original_node.attr)

        def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> Any:
            return updated_node.with_changes(name=original_node.name)

    return module.visit(Resolve()).visit(Rest()).code


def made_value(node: Any) -> bool:
    """What a value that was put in says."""
    return bool(node.value == "True")


def _truth(module: cst.Module, switch: str) -> dict[str, bool]:
    """The variables whose truth hangs on the switch alone, wherever they are assigned."""
    import libcst as cst

    assignments: dict[str, list[Any]] = {}

    class Assignments(cst.CSTVisitor):
        def visit_Assign(self, node: cst.Assign) -> None:
            for target in node.targets:
                if isinstance(target.target, cst.Name):
                    assignments.setdefault(target.target.value, []).append(node.value)

    module.visit(Assignments())
    truth = {switch: True}
    for _ in range(3):
        for name, values in assignments.items():
            found = {_known(v, truth, switch) for v in values}
            if len(found) == 1 and None not in found and name not in truth:
                truth[name] = bool(found.pop())
    return truth


def _known(test: Any, truth: dict[str, bool], switch: str) -> bool | None:
    """Is this expression true, with the switch set? None when that hangs on more."""
    import libcst as cst

    if isinstance(test, cst.Name):
        return truth.get(test.value)
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        inner = _known(test.expression, truth, switch)
        return None if inner is None else not inner
    if _is_environment(test, switch):
        return True
    if isinstance(test, cst.Call) and isinstance(test.func, cst.Name) and test.func.value == "bool" and test.args:
        return _known(test.args[0].value, truth, switch)
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        left, other = _known(test.left, truth, switch), test.comparisons[0]
        wanted = _yes_or_no(other.comparator)
        if left is None or wanted is None or not isinstance(other.operator, cst.Equal | cst.NotEqual):
            return None
        return (left == wanted) == isinstance(other.operator, cst.Equal)
    return None


def _is_environment(node: Any, switch: str) -> bool:
    """Is this the switch as the environment has it: os.getenv(...), os.environ.get(...), os.environ[...], lower case or not?"""
    import libcst as cst

    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        if node.func.attr.value in {"lower", "strip"} and not node.args:
            return _is_environment(node.func.value, switch)
        named = node.func.attr.value in {"getenv", "get"} and _root(node.func) == "os" and node.args
        return bool(named) and isinstance(node.args[0].value, cst.SimpleString) and plain(node.args[0].value) == switch
    return False


def _root(node: Any) -> str:
    import libcst as cst

    while isinstance(node, cst.Attribute):
        node = node.value
    return node.value if isinstance(node, cst.Name) else ""


def _yes_or_no(node: Any) -> bool | None:
    """What a value means to which the switch is compared."""
    import libcst as cst

    if isinstance(node, cst.Name):
        return {"True": True, "False": False, "None": False}.get(node.value)
    if isinstance(node, cst.Integer):
        return node.value != "0"
    return plain(node).lower() not in _NO if isinstance(node, cst.SimpleString) else None


def _unwrapped(body: Any, leading: Sequence[Any]) -> Any:
    import libcst as cst

    if not isinstance(body, cst.IndentedBlock):
        return cst.FlattenSentinel([cst.SimpleStatementLine(body.body, leading_lines=leading)])
    rows: list[Any] = list(body.body)
    rows[0] = rows[0].with_changes(leading_lines=[*leading, *rows[0].leading_lines])
    return cst.FlattenSentinel(rows)
