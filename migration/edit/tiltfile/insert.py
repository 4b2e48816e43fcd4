"""Add to a Tiltfile, with libcst: lines, values, other paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import libcst as cst

from migration.edit.tiltfile.syntax import assigned, defined, is_call_of, parse, positions


def change_strings(text: str, change: Callable[[str], str]) -> str:
    """The text with `change` applied to the content of each string literal."""
    return parse(text).visit(_ChangeStrings(change)).code


class _ChangeStrings(cst.CSTTransformer):
    def __init__(self, change: Callable[[str], str]) -> None:
        super().__init__()
        self.change = change

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> Any:
        quote, prefix = updated_node.quote, updated_node.prefix
        old = updated_node.value[len(prefix) + len(quote) : -len(quote)]
        new = self.change(old)
        return updated_node if new == old else updated_node.with_changes(value=f"{prefix}{quote}{new}{quote}")


def append_lines(text: str, lines: Iterable[str]) -> str:
    """The text with these lines at its end, behind an empty line."""
    end = line_end(text)
    block = "".join(line + end for line in lines)
    return text + ("" if text.endswith("\n") or not text else end) + end + block


def insert_after_loads(text: str, lines: Iterable[str]) -> str:
    """The text with these lines behind its first load() statements, or behind its first comments if it has none."""
    end = line_end(text)
    block = "".join(line + end for line in lines)
    rows = text.splitlines(keepends=True)
    place = _end_of_first_loads(text) or _end_of_first_comments(rows)
    return "".join([*rows[:place], end, block, *rows[place:]])


def insert_first(text: str, lines: Iterable[str]) -> str:
    """The text with these lines before its first statement, behind its first comments."""
    end = line_end(text)
    rows = text.splitlines(keepends=True)
    place = _end_of_first_comments(rows)
    return "".join([*rows[:place], *(line + end for line in lines), *rows[place:]])


def line_end(text: str) -> str:
    """The line end that the text uses."""
    return "\r\n" if "\r\n" in text else "\n"


def _end_of_first_loads(text: str) -> int:
    """The number of the last line of the first group of load() statements; 0 without one.

    A later load() does not count: what is before it could reach a cluster already.
    """
    module = parse(text)
    lines = positions(module)
    last = 0
    for statement in module.body:
        if _is_load(statement):
            last = lines[statement].end.line
        elif last:
            break
    return last


def _is_load(statement: cst.CSTNode) -> bool:
    """A line that defines names without an assignment imports them."""
    return isinstance(statement, cst.SimpleStatementLine) and bool(defined(statement)) and not assigned(statement)


def _end_of_first_comments(rows: list[str]) -> int:
    return next((number for number, row in enumerate(rows) if row.strip() and not row.startswith("#")), len(rows))


def set_registry(text: str, expression: str) -> str:
    """The text whose default_registry() gets this expression: in the call, or in the variable that the call uses.

    Of a variable that reads the environment only the default changes, so that the team can still override it.
    """
    value = cst.parse_expression(expression)
    calls = _RegistryCalls(value)
    module = parse(text).visit(calls)
    return module.visit(_RegistryVariables(calls.variables, value)).code


class _RegistryCalls(cst.CSTTransformer):
    """Sets the host in the calls of default_registry(), or collects the variables that hold it."""

    def __init__(self, value: cst.BaseExpression) -> None:
        super().__init__()
        self.value = value
        self.variables: set[str] = set()

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        if not is_call_of(updated_node, "default_registry"):
            return updated_node
        first = cst.Arg(self._host(updated_node))
        # host_from_cluster is the name of a local registry inside its cluster; other arguments stay.
        others = [
            arg for arg in updated_node.args if arg.keyword and arg.keyword.value not in {"host", "host_from_cluster"}
        ]
        if others:
            first = first.with_changes(comma=updated_node.args[0].comma)
        return updated_node.with_changes(args=[first, *others])

    def _host(self, call: cst.Call) -> cst.BaseExpression:
        host = next((arg.value for arg in call.args if arg.keyword is None or arg.keyword.value == "host"), None)
        if not isinstance(host, cst.Name):
            return self.value
        self.variables.add(host.value)
        return host


class _RegistryVariables(cst.CSTTransformer):
    def __init__(self, variables: set[str], value: cst.BaseExpression) -> None:
        super().__init__()
        self.variables, self.value = variables, value

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
        if _target(updated_node) not in self.variables:
            return updated_node
        old = updated_node.value
        if isinstance(old, cst.SimpleString):
            return updated_node.with_changes(value=self.value)
        if isinstance(old, cst.Call) and len(old.args) == 2 and isinstance(old.args[1].value, cst.SimpleString):
            name, default = old.args  # os.getenv('REGISTRY', 'localhost:5000')
            call = old.with_changes(args=[name, default.with_changes(value=self.value)])
            return updated_node.with_changes(value=call)
        return updated_node


def set_variable(text: str, name: str, expression: str) -> str:
    """The text in which each assignment to the variable has this value."""
    return parse(text).visit(_SetVariable(name, cst.parse_expression(expression))).code


class _SetVariable(cst.CSTTransformer):
    def __init__(self, name: str, value: cst.BaseExpression) -> None:
        super().__init__()
        self.name, self.value = name, value

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
        return updated_node.with_changes(value=self.value) if _target(updated_node) == self.name else updated_node


def _target(node: cst.Assign) -> str:
    """The variable that is assigned to; empty for anything else."""
    target = node.targets[0].target
    return target.value if isinstance(target, cst.Name) else ""
