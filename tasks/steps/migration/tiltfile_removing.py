"""What is taken out of a Tiltfile, by libcst: a branch, a call, what belongs to the local cluster. The rest keeps every byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tasks.steps.migration.tiltfile_names import Local, assigned, defined, parsed, plain, resource_names, strings, used


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
            return cst.RemoveFromParent() if switch in assigned(updated_node) else updated_node

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
        if any(local.says(s) for s in strings(one, outside_lists=True)):
            if keep(module.code_for_node(one)):
                stuck.append((lines[one].start.line, "a release names something local"))
            else:
                gone.append(one)
    while True:  # what needs a name that went goes too, if nothing else needs it
        left = [s for s in body if s not in gone]
        lost = {n for s in gone for n in defined(s)} - {n for s in left for n in defined(s)}
        users = [s for s in left if used(s) & lost]
        movable = [s for s in users if not keep(module.code_for_node(s))]
        if not movable:
            stuck += [(lines[s].start.line, f"needs {', '.join(sorted(used(s) & lost))}, which goes") for s in users]
            break
        gone += movable
    if stuck:
        return text, stuck
    resources = {n for s in gone for n in resource_names(s)}

    class Entries(cst.CSTTransformer):
        def leave_List(self, original_node: cst.List, updated_node: cst.List) -> Any:
            rows = [
                e
                for e in updated_node.elements
                if not (
                    isinstance(e.value, cst.SimpleString)
                    and (plain(e.value) in resources or local.says(plain(e.value)))
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
    """The entries that are left; the last one ends as the old last one did."""
    last = old.elements[-1]
    if not rows or rows[-1] is last:
        return rows
    return [*rows[:-1], rows[-1].with_changes(comma=last.comma)]


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
