"""Read a Tiltfile with libcst.

Tiltfiles are written in Starlark, whose syntax is a subset of Python's (https://bazel.build/rules/language); libcst keeps
comments, blanks and line ends.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from tasks.core.errors import Trouble

LIST_ARGUMENTS = {"ignore", "deps", "only", "resource_deps", "trigger", "watch"}  # these list paths and run nothing


class UneditableTiltfile(Trouble):
    """The Tiltfile cannot be read, or a statement cannot be removed.

    line: of that place; reason: why; name: the file's; statement: what would have to go
    """

    def __init__(self, line: int, reason: str, *, fix: str, name: str = "Tiltfile", statement: str = "") -> None:
        self.line, self.reason, self.name, self.statement = line, reason, name, statement
        super().__init__(f"{name}:{line}: {reason}", fix=fix)


@lru_cache(maxsize=32)
def parse(text: str, name: str = "Tiltfile") -> cst.Module:
    """The syntax tree, which is never changed in place. Raises UneditableTiltfile."""
    try:
        return cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        line, reason = error.raw_line, error.message.splitlines()[0][:160]
        if "tokenizer" in reason:  # libcst names no line for an error of its tokenizer; Python does
            python = _python_error(text, name)
            line, reason = (python.lineno or line, python.msg) if python else (line, reason)
        fix = "fix the line; details: tilt alpha tiltfile-result"
        raise UneditableTiltfile(line, reason, fix=fix, name=name) from None


def _python_error(text: str, name: str) -> SyntaxError | None:
    try:
        compile(text, name, "exec", flags=ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        return error
    return None


@lru_cache(maxsize=16)
def positions(module: cst.Module) -> Any:
    """The position of each node. The tree is not copied, so that its own nodes are the keys."""
    return MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)


def is_call_of(node: Any, name: str) -> bool:
    """Is this a call of the function with this name?"""
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == name


def called(part: cst.CSTNode) -> str:
    """The name of the function that a line calls; empty for anything else."""
    call = part.value if isinstance(part, cst.Expr) else None
    return call.func.value if isinstance(call, cst.Call) and isinstance(call.func, cst.Name) else ""


def calls(text: str, name: str) -> bool:
    """Does the Tiltfile call this function?"""
    found = _Calls(name)
    parse(text).visit(found)
    return found.any


class _Calls(cst.CSTVisitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.any = name, False

    def visit_Call(self, node: cst.Call) -> None:
        self.any = self.any or is_call_of(node, self.name)


def strings(node: cst.CSTNode) -> list[str]:
    """The string literals of a statement, without documentation strings and without arguments that only list paths."""
    collector = _Strings()
    node.visit(collector)
    return collector.contents


class _Strings(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.contents: list[str] = []
        self._arguments: list[str] = []  # the names of the arguments around the node

    def visit_Arg(self, node: cst.Arg) -> None:
        self._arguments.append(node.keyword.value if node.keyword else "")

    def leave_Arg(self, original_node: cst.Arg) -> None:
        self._arguments.pop()

    def visit_Expr(self, node: cst.Expr) -> bool:
        return not isinstance(node.value, cst.SimpleString)

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        if not self._arguments or self._arguments[-1] not in LIST_ARGUMENTS:
            self.contents.append(content(node))


def content(node: cst.SimpleString) -> str:
    """The content of a string literal."""
    return str(node.value)[len(node.prefix) + len(node.quote) : -len(node.quote)]


def assigned(node: cst.CSTNode) -> set[str]:
    """The names that a statement assigns to."""
    if not isinstance(node, cst.SimpleStatementLine):
        return set()
    targets = [target.target for part in node.body if isinstance(part, cst.Assign) for target in part.targets]
    return {target.value for target in targets if isinstance(target, cst.Name)}


def defined(node: cst.CSTNode) -> set[str]:
    """The names that a statement defines, in its branches too: assignments, functions, what load() imports."""
    if isinstance(node, cst.FunctionDef):
        return {node.name.value}
    if isinstance(node, cst.If | cst.For | cst.Else):
        return _defined_in_block(node)
    if isinstance(node, cst.SimpleStatementLine):
        return assigned(node).union(*(_loaded(part) for part in node.body))
    return set()


def _defined_in_block(node: cst.If | cst.For | cst.Else) -> set[str]:
    names = {node.target.value} if isinstance(node, cst.For) and isinstance(node.target, cst.Name) else set()
    for statement in node.body.body:
        names |= defined(statement)
    if not isinstance(node, cst.Else) and node.orelse is not None:
        names |= defined(node.orelse)
    return names


def _loaded(part: cst.BaseSmallStatement) -> set[str]:
    """The names that load('file', 'name', alias='name') defines."""
    call = part.value if isinstance(part, cst.Expr) else None
    if not isinstance(call, cst.Call) or not is_call_of(call, "load"):
        return set()
    names = set()
    for argument in call.args[1:]:
        if argument.keyword is not None:
            names.add(argument.keyword.value)
        elif isinstance(argument.value, cst.SimpleString):
            names.add(content(argument.value))
    return names


def used(node: cst.CSTNode) -> set[str]:
    """The names that a statement uses and does not define."""
    collector = _UsedNames()
    node.visit(collector)
    return collector.names - defined(node)


class _UsedNames(cst.CSTVisitor):
    """Collects the names of variables and functions, without those of attributes, keywords and parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_Name(self, node: cst.Name) -> None:
        self.names.add(node.value)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Param(self, node: cst.Param) -> bool:
        if node.default is not None:
            node.default.visit(self)
        return False


def resource_names(node: cst.CSTNode) -> set[str]:
    """The names of the resources that a statement declares, such as local_resource('name', ...)."""
    collector = _Resources()
    node.visit(collector)
    return collector.names


class _Resources(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_Call(self, node: cst.Call) -> None:
        function = node.func.value if isinstance(node.func, cst.Name) else ""
        first = node.args[0].value if node.args else None
        if function.endswith("_resource") and isinstance(first, cst.SimpleString):
            self.names.add(content(first))
