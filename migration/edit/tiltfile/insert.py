"""Add to a Tiltfile, with libcst: lines, values, other paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import libcst as cst

from migration.edit.tiltfile.syntax import called, is_call_of, parse, positions

_SETTING = re.compile(
    r"load|(analytics|version|update|watch|secret|docker_prune|ci)_settings|set_team|disable_snapshots"
)


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


def insert_before_code(text: str, lines: Iterable[str]) -> str:
    """The text with these lines before its first statement that could reach a cluster.

    They follow the file's first comments, its documentation string, load() statements and settings of Tilt itself.
    """
    end = line_end(text)
    rows = re.findall(r"[^\n]*\n|[^\n]+", text)
    place = _end_of_preamble(text) or _end_of_first_comments(rows)
    above = rows[:place]
    if above and not above[-1].endswith("\n"):
        above[-1] += end
    below = rows[place:]
    before = [end] if above and above[-1].strip() else []
    after = [end] if below and below[0].strip() else []
    return "".join([*above, *before, *(line + end for line in lines), *after, *below])


def insert_first(text: str, lines: Iterable[str]) -> str:
    """The text with these lines before its first statement, behind its first comments."""
    end = line_end(text)
    rows = text.splitlines(keepends=True)
    place = _end_of_first_comments(rows)
    return "".join([*rows[:place], *(line + end for line in lines), *rows[place:]])


def line_end(text: str) -> str:
    """The line end that the text uses."""
    return "\r\n" if "\r\n" in text else "\n"


def _end_of_preamble(text: str) -> int:
    """The number of the last line of the statements at the start that cannot reach a cluster; 0 without one."""
    module = parse(text)
    lines = positions(module)
    last = 0
    for statement in module.body:
        if not _is_preamble(statement):
            break
        last = lines[statement].end.line
    return int(last)


def _is_preamble(statement: cst.CSTNode) -> bool:
    """Is this a documentation string, a load() of an extension or a file, or a setting of Tilt itself?"""
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    return all(_is_text(part) or _SETTING.fullmatch(called(part)) for part in statement.body)


def _is_text(part: cst.CSTNode) -> bool:
    return isinstance(part, cst.Expr) and isinstance(part.value, cst.SimpleString | cst.ConcatenatedString)


def _end_of_first_comments(rows: list[str]) -> int:
    """The number of the last row of the file's own comments. The comments directly above the first statement are its own."""
    code = next((number for number, row in enumerate(rows) if row.strip() and not row.startswith("#")), len(rows))
    start = code
    while start and rows[start - 1].startswith("#"):
        start -= 1
    return start if start else code


def set_registry(text: str, expression: str) -> str:
    """The text whose default_registry() gets this expression: in the call, or in the variable that the call uses.

    Of a variable that reads the environment only the default changes, so that the team can still override it.
    """
    value = cst.parse_expression(expression)
    module = parse(text)
    values = _Values()
    module.visit(values)
    calls = _RegistryCalls(value, {name for name, rows in values.rows.items() if all(map(_is_replaceable, rows))})
    module = module.visit(calls)
    return module.visit(_RegistryVariables(calls.variables, value)).code


class _Values(cst.CSTVisitor):
    """Collects the values that each variable gets."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[cst.BaseExpression]] = {}

    def visit_Assign(self, node: cst.Assign) -> None:
        self.rows.setdefault(_target(node), []).append(node.value)


def _is_replaceable(value: cst.BaseExpression) -> bool:
    """Is the value a string, or a call such as os.getenv('REGISTRY', 'localhost:5000')?"""
    if isinstance(value, cst.SimpleString):
        return True
    return isinstance(value, cst.Call) and len(value.args) == 2 and isinstance(value.args[1].value, cst.SimpleString)


class _RegistryCalls(cst.CSTTransformer):
    """Sets the host in the calls of default_registry(), or collects the variables that hold it."""

    def __init__(self, value: cst.BaseExpression, replaceable: set[str]) -> None:
        super().__init__()
        self.value, self.replaceable = value, replaceable
        self.variables: set[str] = set()

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        if not is_call_of(updated_node, "default_registry"):
            return updated_node
        first = cst.Arg(self._host(updated_node))
        # host_from_cluster is the name of a local registry inside its cluster; other arguments stay.
        others = [
            arg for arg in updated_node.args if arg.keyword and arg.keyword.value not in {"host", "host_from_cluster"}
        ]
        if updated_node.args and (others or "\n" in _code(updated_node.args[0].comma)):
            first = first.with_changes(comma=updated_node.args[0].comma)
        return updated_node.with_changes(args=[first, *others])

    def _host(self, call: cst.Call) -> cst.BaseExpression:
        host = next((arg.value for arg in call.args if arg.keyword is None or arg.keyword.value == "host"), None)
        if not isinstance(host, cst.Name) or host.value not in self.replaceable:
            return self.value
        self.variables.add(host.value)
        return host


def _code(node: Any) -> str:
    return cst.Module([]).code_for_node(node) if isinstance(node, cst.CSTNode) else ""


class _RegistryVariables(cst.CSTTransformer):
    def __init__(self, variables: set[str], value: cst.BaseExpression) -> None:
        super().__init__()
        self.variables, self.value = variables, value

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
        if _target(updated_node) not in self.variables:
            return updated_node
        old = updated_node.value
        if not isinstance(old, cst.Call):
            return updated_node.with_changes(value=self.value)
        name, default = old.args  # os.getenv('REGISTRY', 'localhost:5000')
        call = old.with_changes(args=[name, default.with_changes(value=self.value)])
        return updated_node.with_changes(value=call)


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
