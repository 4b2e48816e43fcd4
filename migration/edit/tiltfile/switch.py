"""Resolve the switch that chose between the local and the remote mode: the remote mode is the only one that stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from migration.edit.tiltfile.statements import Edited, Source, outermost, source_of
from migration.edit.tiltfile.syntax import UneditableTiltfile, assigned, content, defined, parse, used

_FALSE_TEXTS = {"", "0", "false", "no", "off"}
_TRUTH_OF_NAMES = {"True": True, "False": False, "None": False}
_ASSIGNMENT_DEPTH = 3  # a variable made of a variable made of the switch


def resolve_switch(text: str, switch: str, name: str = "Tiltfile") -> Edited:
    """The text with `switch` taken as true: the branches that need it stay, the others and the variable are removed.

    The switch may be a variable of the Tiltfile, one of the environment, or one that is made of these alone.
    Raises UneditableTiltfile when something that stays uses a name that only a removed branch defines.
    """
    source = source_of(text, name)
    truth = _Truth(source.module, switch)
    dropped = _Dropped(truth)
    source.module.visit(dropped)
    shorter = source.without(dropped.statements)
    resolver = _Resolve(truth)
    new = parse(shorter.text, name).visit(resolver).visit(_ReplaceUses(switch)).code
    branches = [source.removed(statement) for statement in dropped.in_branches]
    _refuse_lost_names(source, dropped, parse(new, name), name)
    return Edited(new, outermost([*shorter.removed, *branches]))


def _refuse_lost_names(source: Source, dropped: _Dropped, after: cst.Module, name: str) -> None:
    """Raise if a statement that stays needs a function or variable of a removed branch."""
    left = {found for statement in after.body for found in defined(statement)}
    lost = {found for statement in dropped.in_branches for found in defined(statement)} - left
    needs = lost & {found for other in after.body for found in used(other)} if lost else set()
    for statement in dropped.in_branches:
        needed = defined(statement) & needs
        if needed:
            reason = f"{', '.join(sorted(needed))} is only defined for the local mode, and is used elsewhere"
            fix = "change this line by hand, then run this again"
            code = source.module.code_for_node(statement)
            raise UneditableTiltfile(source.line(statement), reason, fix=fix, name=name, statement=code)


class _Dropped(cst.CSTVisitor):
    """Collects what is removed. statements: those that go as a whole; in_branches: also those of other branches."""

    def __init__(self, truth: _Truth) -> None:
        super().__init__()
        self.truth = truth
        self.statements: list[cst.CSTNode] = []
        self.in_branches: list[cst.CSTNode] = []

    def visit_If(self, node: cst.If) -> None:
        is_true = self.truth.of(node.test)
        if is_true is False:
            self.in_branches += _rows(node.body)
        elif is_true and isinstance(node.orelse, cst.Else):
            self.in_branches += _rows(node.orelse.body)
        elif is_true and isinstance(node.orelse, cst.If):
            self.in_branches.append(node.orelse)
        if is_true is False and node.orelse is None:
            self.statements.append(node)

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> None:
        if self.truth.switch in assigned(node):
            self.statements.append(node)


def _rows(block: Any) -> list[cst.CSTNode]:
    return list(block.body) if isinstance(block, cst.IndentedBlock) else [block]


class _Truth:
    """Which expressions are true or false because of the switch alone."""

    def __init__(self, module: cst.Module, switch: str) -> None:
        self.switch = switch
        self.variables = {switch: True}
        assignments = _Assignments()
        module.visit(assignments)
        for _ in range(_ASSIGNMENT_DEPTH):
            for name, values in assignments.values.items():
                truths = {self.of(value) for value in values}
                if len(truths) == 1 and None not in truths:
                    self.variables.setdefault(name, True in truths)

    def of(self, node: Any) -> bool | None:
        """Is the expression true? None if that depends on more than the switch."""
        if isinstance(node, cst.Name):
            return self.variables.get(node.value)
        if self.is_environment(node):
            return True
        if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
            operand = self.of(node.expression)
            return None if operand is None else not operand
        if isinstance(node, cst.Call) and _function(node) == "bool" and node.args:
            return self.of(node.args[0].value)
        return self._of_comparison(node) if isinstance(node, cst.Comparison) else None

    def _of_comparison(self, node: cst.Comparison) -> bool | None:
        """SWITCH == True, os.getenv('SWITCH') != '1'"""
        if len(node.comparisons) != 1:
            return None
        target = node.comparisons[0]
        left, right = self.of(node.left), _truth_of_constant(target.comparator)
        if left is None or right is None or not isinstance(target.operator, cst.Equal | cst.NotEqual):
            return None
        return (left == right) == isinstance(target.operator, cst.Equal)

    def is_environment(self, node: Any) -> bool:
        """Is this the switch as the environment has it: os.getenv(...), os.environ.get(...), also with .lower()?"""
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return False
        method = node.func.attr.value
        if method in {"lower", "strip"} and not node.args:
            return self.is_environment(node.func.value)
        if method not in {"getenv", "get"} or _root(node.func) != "os" or not node.args:
            return False
        variable = node.args[0].value
        return isinstance(variable, cst.SimpleString) and content(variable) == self.switch


class _Assignments(cst.CSTVisitor):
    """Collects the values that each variable gets, wherever it is assigned to."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, list[cst.BaseExpression]] = {}

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Name):
                self.values.setdefault(target.target.value, []).append(node.value)


class _Resolve(cst.CSTTransformer):
    """Replaces conditions that are known by the branch that they choose."""

    def __init__(self, truth: _Truth) -> None:
        super().__init__()
        self._truth = truth
        self._elifs: list[cst.If] = []
        self._inserted: list[cst.Name] = []  # True and False of this transformer, which are not the team's own

    def _is_true(self, node: Any) -> bool | None:
        if any(node is inserted for inserted in self._inserted):
            return bool(node.value == "True")
        return self._truth.of(node)

    def _constant(self, is_true: bool) -> cst.Name:
        name = cst.Name("True" if is_true else "False")
        self._inserted.append(name)
        return name

    def visit_If(self, node: cst.If) -> None:
        if isinstance(node.orelse, cst.If):
            self._elifs.append(node.orelse)

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
        is_true = self._is_true(updated_node.test)
        if is_true is None:
            return updated_node
        if any(original_node is elif_ for elif_ in self._elifs):
            return _resolved_elif(updated_node, is_true)
        return _resolved_if(updated_node, is_true)

    def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> Any:
        is_true = self._is_true(updated_node.test)
        if is_true is None:
            return updated_node
        return updated_node.body if is_true else updated_node.orelse

    def leave_BooleanOperation(self, original_node: Any, updated_node: cst.BooleanOperation) -> Any:
        left, right = self._is_true(updated_node.left), self._is_true(updated_node.right)
        deciding = isinstance(updated_node.operator, cst.Or)  # `or` is decided by True, `and` by False
        if deciding in (left, right):
            return self._constant(deciding)
        if left is not None:
            return updated_node.right
        if right is not None:
            return updated_node.left
        return _old_conditional(original_node, updated_node)

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
        value = updated_node.value
        is_true = None if self._truth.is_environment(value) else self._is_true(value)
        return updated_node if is_true is None else updated_node.with_changes(value=self._constant(is_true))

    def leave_SimpleStatementLine(self, original_node: Any, updated_node: Any) -> Any:
        return cst.RemoveFromParent() if self._truth.switch in assigned(updated_node) else updated_node


class _ReplaceUses(cst.CSTTransformer):
    """Replaces what is left of the switch, such as in print(SWITCH)."""

    def __init__(self, switch: str) -> None:
        super().__init__()
        self._truth = _Truth(cst.Module([]), switch)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> Any:
        return updated_node.with_changes(value="True") if updated_node.value == self._truth.switch else updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        return cst.SimpleString("'1'") if self._truth.is_environment(original_node) else updated_node

    # The names of keywords, attributes and parameters are not variables: restore them.
    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> Any:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> Any:
        return updated_node.with_changes(name=original_node.name)


def _resolved_elif(node: cst.If, is_true: bool) -> Any:
    """`elif True` becomes `else`; what follows `elif False` takes its place."""
    if is_true:
        return cst.Else(node.body, leading_lines=node.leading_lines)
    return _following(node)


def _resolved_if(node: cst.If, is_true: bool) -> Any:
    """The body of `if True`; of `if False` the body of its `else`, or its `elif` as an `if`."""
    if is_true:
        return _unindented(node.body, node.leading_lines)
    if isinstance(node.orelse, cst.Else):
        return _unindented(node.orelse.body, node.leading_lines)
    return _following(node)


def _following(node: cst.If) -> Any:
    if node.orelse is None:
        return cst.RemoveFromParent()
    return node.orelse.with_changes(leading_lines=node.leading_lines)


def _unindented(body: Any, leading_lines: Sequence[Any]) -> Any:
    """The statements of the body instead of the `if`, with the comments above the `if`."""
    if not isinstance(body, cst.IndentedBlock):
        return cst.FlattenSentinel([cst.SimpleStatementLine(body.body, leading_lines=leading_lines)])
    rows: list[Any] = list(body.body)
    rows[0] = rows[0].with_changes(leading_lines=[*leading_lines, *rows[0].leading_lines])
    return cst.FlattenSentinel(rows)


def _old_conditional(original: cst.BooleanOperation, updated: cst.BooleanOperation) -> cst.BaseExpression:
    """`SWITCH and 'remote' or 'local'` is an older way to write a conditional expression: its `and` is resolved already."""
    first = updated.left
    is_resolved = isinstance(updated.operator, cst.Or) and first is not original.left
    return first if is_resolved and isinstance(first, cst.SimpleString) and content(first) else updated


def _truth_of_constant(node: Any) -> bool | None:
    """The truth of a constant to which the switch is compared; None for anything else."""
    if isinstance(node, cst.Name):
        return _TRUTH_OF_NAMES.get(node.value)
    if isinstance(node, cst.Integer):
        return node.value != "0"
    return content(node).lower() not in _FALSE_TEXTS if isinstance(node, cst.SimpleString) else None


def _function(node: cst.Call) -> str:
    return node.func.value if isinstance(node.func, cst.Name) else ""


def _root(node: Any) -> str:
    """The first name of `os.environ.get`."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return node.value if isinstance(node, cst.Name) else ""
