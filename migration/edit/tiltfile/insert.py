"""What is put into a Tiltfile, by libcst: lines, values, other paths. The rest keeps every byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from migration.edit.tiltfile.names import assigned, defined, parsed


def repointed(text: str, change: Callable[[str], str]) -> str:
    """The text with `change` done to each string literal's content."""
    import libcst as cst

    class Repoint(cst.CSTTransformer):
        def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> Any:
            quote, prefix = updated_node.quote, updated_node.prefix
            inner = updated_node.value[len(prefix) + len(quote) : -len(quote)]
            new = change(inner)
            return updated_node if new == inner else updated_node.with_changes(value=f"{prefix}{quote}{new}{quote}")

    return parsed(text).visit(Repoint()).code


def with_lines(text: str, lines: Iterable[str], *, after_loads: bool) -> str:
    """The text with these lines behind its first load()s at the top level, or at its end."""
    end = "\r\n" if "\r\n" in text else "\n"
    block = "".join(line + end for line in lines)
    if not after_loads:
        return text + ("" if text.endswith(("\n", "\r\n")) or not text else end) + end + block
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    module = parsed(text)
    places = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    last = 0
    for one in module.body:
        if (
            isinstance(one, cst.SimpleStatementLine)
            and "load(" in module.code_for_node(one)[:4000]
            and defined(one)
            and not assigned(one)
        ):
            last = places[one].end.line
        elif last:  # what comes between could reach a cluster already
            break
    rows = text.splitlines(keepends=True)
    if not last:  # behind the comments at the top
        last = next((n for n, row in enumerate(rows) if row.strip() and not row.startswith("#")), len(rows))
    return "".join([*rows[:last], end, block, *rows[last:]])


def with_registry(text: str, expression: str) -> str:
    """The text whose default_registry() gets this expression: in the call, or in the variable the call is given.

    The last part of an environment variable's default is replaced, so that an override of the team's stays.
    """
    import libcst as cst

    module = parsed(text)
    names: set[str] = set()
    value = cst.parse_expression(expression)

    class Registry(cst.CSTTransformer):
        def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
            if not (isinstance(updated_node.func, cst.Name) and updated_node.func.value == "default_registry"):
                return updated_node
            host = next((a for a in updated_node.args if a.keyword is None or a.keyword.value == "host"), None)
            first = cst.Arg(value)
            if host is not None and isinstance(host.value, cst.Name):
                names.add(host.value.value)
                first = cst.Arg(host.value)
            others = [
                a for a in updated_node.args if a.keyword and a.keyword.value not in {"host", "host_from_cluster"}
            ]
            if not others:
                return updated_node.with_changes(args=[first])
            return updated_node.with_changes(args=[first.with_changes(comma=updated_node.args[0].comma), *others])

    module = module.visit(Registry())

    class Source(cst.CSTTransformer):
        def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
            target = updated_node.targets[0].target
            if not (isinstance(target, cst.Name) and target.value in names):
                return updated_node
            old = updated_node.value
            if isinstance(old, cst.Call) and len(old.args) == 2 and isinstance(old.args[1].value, cst.SimpleString):
                args = [old.args[0], old.args[1].with_changes(value=value)]
                return updated_node.with_changes(value=old.with_changes(args=args))
            return updated_node.with_changes(value=value) if isinstance(old, cst.SimpleString) else updated_node

    return module.visit(Source()).code


def with_value(text: str, name: str, expression: str) -> str:
    """The text in which the top-level variable has this value."""
    import libcst as cst

    value = cst.parse_expression(expression)

    class Value(cst.CSTTransformer):
        def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
            target = updated_node.targets[0].target
            same = isinstance(target, cst.Name) and target.value == name
            return updated_node.with_changes(value=value) if same else updated_node

    return parsed(text).visit(Value()).code
