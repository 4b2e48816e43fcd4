"""What a Tiltfile says, read by libcst, which takes Starlark for the Python it looks like."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core.errors import Trouble

if TYPE_CHECKING:
    import libcst as cst

_LISTS = {"ignore", "deps", "only", "resource_deps", "trigger", "watch"}  # arguments that list things and run nothing


@dataclass(frozen=True)
class Local:
    """What tells that something belongs to the local cluster or to a path that goes.

    words: texts such as a registry's host; goes: is this path one that goes?
    """

    words: tuple[str, ...]
    goes: Callable[[str], bool]

    def says(self, text: str) -> bool:
        """Does this string literal?"""
        return any(w in text for w in self.words) or any(self.goes(t) for t in paths_in(text))


def paths_in(text: str) -> list[str]:
    """The path-like parts of a string."""
    return [t.removeprefix("./").rstrip(".,:") for t in re.findall(r"[\w.@*/-]*/[\w.@*/-]*", text)]


def parsed(text: str, name: str = "Tiltfile") -> cst.Module:
    """The syntax tree. Raises Trouble with the line and the reason."""
    import libcst as cst  # 100 ms: only when a Tiltfile is edited

    try:
        return cst.parse_module(text)
    except cst.ParserSyntaxError as why:
        line, reason = why.raw_line, why.message.splitlines()[0][:160]
        if "tokenizer" in reason:  # which tells no line
            try:
                compile(text, name, "exec", flags=ast.PyCF_ONLY_AST)
            except SyntaxError as told:
                line, reason = told.lineno or line, told.msg
        raise Trouble(f"{name}:{line}: {reason}", fix="mend the line; `tilt alpha tiltfile-result` says more") from None


def calls(text: str, name: str) -> list[tuple[int, str]]:
    """Line and text of each call of this function."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    module = parsed(text)
    places = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    found: list[tuple[int, str]] = []

    class Calls(cst.CSTVisitor):
        def visit_Call(self, node: cst.Call) -> None:
            if isinstance(node.func, cst.Name) and node.func.value == name:
                found.append((places[node].start.line, module.code_for_node(node)))

    module.visit(Calls())
    return found


def strings(node: Any, *, outside_lists: bool) -> list[str]:
    """The string literals of a statement; those of a plain list of paths only when asked for. Documentation is none."""
    import libcst as cst

    found: list[str] = []

    class Strings(cst.CSTVisitor):
        def __init__(self) -> None:
            self.names: list[str] = []

        def visit_Arg(self, node: cst.Arg) -> None:
            self.names.append(node.keyword.value if node.keyword else "")

        def leave_Arg(self, original_node: cst.Arg) -> None:
            self.names.pop()

        def visit_Expr(self, node: cst.Expr) -> bool:
            return not isinstance(node.value, cst.SimpleString)

        def visit_SimpleString(self, node: cst.SimpleString) -> None:
            if not (outside_lists and self.names and self.names[-1] in _LISTS):
                found.append(plain(node))

    node.visit(Strings())
    return found


def plain(node: Any) -> str:
    """The content of a string literal."""
    return str(node.value)[len(node.prefix) + len(node.quote) : -len(node.quote)]


def assigned(node: Any) -> set[str]:
    """Names that a statement assigns to."""
    import libcst as cst

    found = set()
    for small in getattr(node, "body", []) if isinstance(node, cst.SimpleStatementLine) else []:
        if isinstance(small, cst.Assign):
            found |= {t.target.value for t in small.targets if isinstance(t.target, cst.Name)}
    return found


def defined(node: Any) -> set[str]:
    """Names that a top-level statement defines: assignments, functions, what load() brings; in a branch or loop as well."""
    import libcst as cst

    if isinstance(node, cst.FunctionDef):
        return {node.name.value}
    if isinstance(node, cst.If | cst.For | cst.Else):
        found = {node.target.value} if isinstance(node, cst.For) and isinstance(node.target, cst.Name) else set()
        below = [*node.body.body, *([node.orelse] if not isinstance(node, cst.Else) and node.orelse else [])]
        return found.union(*(defined(one) for one in below))
    found = assigned(node)
    if isinstance(node, cst.SimpleStatementLine):
        for small in node.body:
            call = small.value if isinstance(small, cst.Expr) else None
            if isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value == "load":
                for arg in call.args[1:]:
                    if arg.keyword is not None:
                        found.add(arg.keyword.value)
                    elif isinstance(arg.value, cst.SimpleString):
                        found.add(plain(arg.value))
    return found


def used(node: Any) -> set[str]:
    """Names that a statement needs from elsewhere."""
    import libcst as cst

    found: set[str] = set()
    own = defined(node)

    class Names(cst.CSTVisitor):
        def visit_Name(self, node: cst.Name) -> None:
            found.add(node.value)

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

    node.visit(Names())
    return found - own


def resource_names(node: Any) -> set[str]:
    """The names of resources that a removed statement declared."""
    import libcst as cst

    found: set[str] = set()

    class Calls(cst.CSTVisitor):
        def visit_Call(self, node: cst.Call) -> None:
            name = node.func.value if isinstance(node.func, cst.Name) else ""
            first = node.args[0].value if node.args else None
            if name.endswith("_resource") and isinstance(first, cst.SimpleString):
                found.add(plain(first))

    node.visit(Calls())
    return found
