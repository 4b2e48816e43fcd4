"""Edits of a Tiltfile by libcst, which reads Starlark as the Python it looks like: what is not changed keeps every byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
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
        reason = why.message.splitlines()[0][:160]
        raise Trouble(
            f"{name}:{why.raw_line}: {reason}", fix="mend the line; `tilt alpha tiltfile-result` says more"
        ) from None


def resolved(text: str, switch: str) -> str:
    """The text with the variable `switch` taken as true: its branches stay, the others go, and so does the variable."""
    import libcst as cst

    def known(test: cst.BaseExpression) -> bool | None:
        if isinstance(test, cst.Name) and test.value == switch:
            return True
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            inner = known(test.expression)
            return None if inner is None else not inner
        return None

    class Resolve(cst.CSTTransformer):
        def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
            found = known(updated_node.test)
            if found is None:
                return updated_node
            if found:
                return _unwrapped(updated_node.body, updated_node.leading_lines)
            rest = updated_node.orelse
            if rest is None:
                return cst.RemoveFromParent()
            if isinstance(rest, cst.Else):
                return _unwrapped(rest.body, updated_node.leading_lines)
            return rest.with_changes(leading_lines=updated_node.leading_lines)

        def leave_IfExp(self, original_node: cst.IfExp, updated_node: cst.IfExp) -> Any:
            found = known(updated_node.test)
            if found is None:
                return updated_node
            return updated_node.body if found else updated_node.orelse

        def leave_SimpleStatementLine(self, original_node: Any, updated_node: Any) -> Any:
            return cst.RemoveFromParent() if switch in _assigned(updated_node) else updated_node

        def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> Any:
            return updated_node

    module = parsed(text).visit(Resolve())

    class Rest(cst.CSTTransformer):
        def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> Any:
            return updated_node.with_changes(value="True") if updated_node.value == switch else updated_node

    return module.visit(Rest()).code


def _unwrapped(body: Any, leading: Sequence[Any]) -> Any:
    import libcst as cst

    if not isinstance(body, cst.IndentedBlock):
        return cst.FlattenSentinel([cst.SimpleStatementLine(body.body, leading_lines=leading)])
    rows: list[Any] = list(body.body)
    rows[0] = rows[0].with_changes(leading_lines=[*leading, *rows[0].leading_lines])
    return cst.FlattenSentinel(rows)


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


def without_local(text: str, local: Local, keep: Callable[[str], bool]) -> tuple[str, list[tuple[int, str]]]:
    """The text without statements and list entries of the local cluster, and what could not be taken out (line, why).

    keep: is this statement's text one that must stay, such as a release?
    """
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    module = parsed(text)
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    lines = wrapper.resolve(PositionProvider)
    body = list(module.body)
    gone: list[Any] = []
    stuck: list[tuple[int, str]] = []
    for one in body:
        if any(local.says(s) for s in _strings(one, outside_lists=True)):
            if keep(module.code_for_node(one)):
                stuck.append((lines[one].start.line, "a release names something local"))
            else:
                gone.append(one)
    while True:  # what needs a name that went goes too, if nothing else needs it
        left = [s for s in body if s not in gone]
        lost = {n for s in gone for n in _defined(s)} - {n for s in left for n in _defined(s)}
        users = [s for s in left if _used(s) & lost]
        movable = [s for s in users if not keep(module.code_for_node(s))]
        if not movable:
            stuck += [(lines[s].start.line, f"needs {', '.join(sorted(_used(s) & lost))}, which goes") for s in users]
            break
        gone += movable
    if stuck:
        return text, stuck
    resources = {n for s in gone for n in _resource_names(s)}

    class Entries(cst.CSTTransformer):
        def leave_List(self, original_node: cst.List, updated_node: cst.List) -> Any:
            rows = [
                e
                for e in updated_node.elements
                if not (
                    isinstance(e.value, cst.SimpleString)
                    and (_plain(e.value) in resources or local.says(_plain(e.value)))
                )
            ]
            return (
                updated_node
                if len(rows) == len(updated_node.elements)
                else updated_node.with_changes(elements=_relisted(updated_node, rows))
            )

    kept = _with_headings(body, gone)
    return module.with_changes(body=kept).visit(Entries()).code, []


def _with_headings(body: list[Any], gone: list[Any]) -> list[Any]:
    """The statements that stay. A banner of comments above one that goes stays, set above the next."""
    found: list[Any] = []
    banner: list[Any] = []
    for one in body:
        if one in gone:
            lines = list(one.leading_lines)
            cut = next(
                (
                    n
                    for n in range(len(lines) - 1, -1, -1)
                    if lines[n].comment and set(lines[n].comment.value) <= set("# -=")
                ),
                -1,
            )
            if cut >= 0 and not banner:
                banner = lines[: cut + 1]
            continue
        if banner:
            own = list(one.leading_lines)
            has_own = any(ln.comment and set(ln.comment.value) <= set("# -=") for ln in own)
            one = one if has_own else one.with_changes(leading_lines=[*banner, *own])
            banner = []
        found.append(one)
    return found


def _relisted(old: Any, rows: list[Any]) -> list[Any]:
    import libcst as cst

    if not rows:
        return []
    last = old.elements[-1]
    fixed = list(rows)
    if fixed[-1] is not last:
        fixed[-1] = fixed[-1].with_changes(comma=last.comma)
    if fixed[0] is not old.elements[0] and isinstance(old.elements[0], cst.Element):
        pass  # the blanks before the first entry belong to the bracket, not to the entry
    return fixed


def _plain(node: Any) -> str:
    return str(node.value)[len(node.prefix) + len(node.quote) : -len(node.quote)]


def _strings(node: Any, *, outside_lists: bool) -> list[str]:
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
                found.append(_plain(node))

    node.visit(Strings())
    return found


def _assigned(node: Any) -> set[str]:
    import libcst as cst

    found = set()
    for small in getattr(node, "body", []) if isinstance(node, cst.SimpleStatementLine) else []:
        if isinstance(small, cst.Assign):
            found |= {t.target.value for t in small.targets if isinstance(t.target, cst.Name)}
    return found


def _defined(node: Any) -> set[str]:
    """Names that a top-level statement defines: assignments, functions, what load() brings."""
    import libcst as cst

    if isinstance(node, cst.FunctionDef):
        return {node.name.value}
    found = _assigned(node)
    if isinstance(node, cst.SimpleStatementLine):
        for small in node.body:
            call = small.value if isinstance(small, cst.Expr) else None
            if isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value == "load":
                for arg in call.args[1:]:
                    if arg.keyword is not None:
                        found.add(arg.keyword.value)
                    elif isinstance(arg.value, cst.SimpleString):
                        found.add(_plain(arg.value))
    return found


def _used(node: Any) -> set[str]:
    import libcst as cst

    found: set[str] = set()
    own = _defined(node)

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


def _resource_names(node: Any) -> set[str]:
    """The names of resources that a removed statement declared."""
    import libcst as cst

    found: set[str] = set()

    class Calls(cst.CSTVisitor):
        def visit_Call(self, node: cst.Call) -> None:
            name = node.func.value if isinstance(node.func, cst.Name) else ""
            first = node.args[0].value if node.args else None
            if name.endswith("_resource") and isinstance(first, cst.SimpleString):
                found.add(_plain(first))

    node.visit(Calls())
    return found


def with_lines(text: str, lines: Iterable[str], *, after_loads: bool) -> str:
    """The text with these lines behind its last load() at the top level, or at its end."""
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
            and _defined(one)
            and not _assigned(one)
        ):
            last = places[one].end.line
    rows = text.splitlines(keepends=True)
    if not last:  # behind the comments at the top
        last = next((n for n, row in enumerate(rows) if row.strip() and not row.startswith("#")), len(rows))
    return "".join([*rows[:last], end, block, *rows[last:]])


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
            if host is not None and isinstance(host.value, cst.Name):
                names.add(host.value.value)
                first = host.with_changes(
                    keyword=None, equal=cst.MaybeSentinel.DEFAULT, comma=cst.MaybeSentinel.DEFAULT
                )
                return updated_node.with_changes(args=[first])
            return updated_node.with_changes(args=[cst.Arg(value)])

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


def without_calls(text: str, names: set[str]) -> str:
    """The text without statements that are nothing but a call of one of these functions; comments above them stay."""
    import libcst as cst

    def goes(one: Any) -> bool:
        small = one.body[0] if isinstance(one, cst.SimpleStatementLine) and len(one.body) == 1 else None
        call = small.value if isinstance(small, cst.Expr) else None
        return isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value in names

    class Calls(cst.CSTTransformer):
        def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> Any:
            return updated_node.with_changes(body=_but(updated_node.body))

        def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> Any:
            return updated_node.with_changes(body=_but(updated_node.body))

    def _but(body: Sequence[Any]) -> list[Any]:
        found: list[Any] = []
        carried: list[Any] = []
        for one in body:
            if goes(one):
                carried += one.leading_lines
                continue
            found.append(one.with_changes(leading_lines=[*carried, *one.leading_lines]) if carried else one)
            carried = []
        return found

    return parsed(text).visit(Calls()).code


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
