"""What is taken out of a Tiltfile, by libcst: a branch, a call, what belongs to the local cluster. The rest keeps every byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from migration.edit.tiltfile.names import Local, defined, parsed, plain, resource_names, strings, used


@dataclass
class _Row:
    """A statement at the top level. first: as it was read; now: what is left of it, None when it goes."""

    first: Any
    now: Any


def without_local(text: str, local: Local, keep: Callable[[str], bool]) -> tuple[str, list[tuple[int, str]]]:
    """The text without statements and list entries of the local cluster, and what could not be taken out (line, why).

    Of an `if` or a loop only what is local goes; the rest of it stays.
    keep: is this statement's text one that must stay, such as a release?
    """
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    module = parsed(text)
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    lines = wrapper.resolve(PositionProvider)
    rows = [_Row(one, one) for one in module.body]
    stuck: list[tuple[int, str]] = []

    def take(row: _Row, bad: Callable[[Any], bool], why: str) -> None:
        rest, held = _rest(row.now, bad, lambda node: keep(module.code_for_node(node)))
        if held is None:
            row.now = rest
        else:
            stuck.append((lines[held if held in lines else row.first].start.line, why))

    def says_local(node: Any) -> bool:
        return any(local.says(s) for s in strings(node, outside_lists=True))

    for row in rows:
        if says_local(row.now):
            take(row, says_local, f"{_what(row.now)} names something local")
    while not stuck:  # what needs a name that went goes too, if nothing else needs it
        left = [r for r in rows if r.now is not None]
        lost = {n for r in rows for n in defined(r.first)} - {n for r in left for n in defined(r.now)}
        users = [r for r in left if used(r.now) & lost]
        if not users:
            break
        for row in users:
            names = ", ".join(sorted(used(row.now) & lost))
            take(row, lambda node, lost=lost: bool(used(node) & lost), f"needs {names}, which goes")  # type: ignore[misc]
    if stuck:
        return text, stuck
    resources = {n for r in rows for n in resource_names(r.first)}
    resources -= {n for r in rows if r.now is not None for n in resource_names(r.now)}

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

    return module.with_changes(body=_with_headings(rows)).visit(Entries()).code, []


def _what(node: Any) -> str:
    import libcst as cst

    return "a branch or a loop" if isinstance(node, cst.If | cst.For) else "a release"


def _rest(node: Any, bad: Callable[[Any], bool], keep: Callable[[Any], bool]) -> tuple[Any, Any]:
    """What is left of a statement without the bad ones in it (None: nothing), and the part that cannot be taken out."""
    import libcst as cst

    if not isinstance(node, cst.If | cst.For):
        return (node, node) if keep(node) else (None, None)
    headers, parts = _parts(node)
    if any(bad(h) for h in headers):  # a condition that can never hold any more takes its branch with it
        plain_if = isinstance(node, cst.If) and node.orelse is None and len(headers) == 1
        return (None, None) if plain_if and not keep(node) else (node, node)
    hit = [p for p in parts if bad(p)]
    if all(p in hit or _is_idle(p) for p in parts):
        return (node, node) if keep(node) else (None, None)
    for part in hit:
        if keep(part) or not _is_call(part):
            return node, part

    class Without(cst.CSTTransformer):
        def leave_SimpleStatementLine(self, original_node: Any, updated_node: Any) -> Any:
            return cst.RemoveFromParent() if any(original_node is p for p in hit) else updated_node

        def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
            return cst.RemoveFromParent() if updated_node.orelse is None and _is_empty(updated_node) else updated_node

        def leave_Else(self, original_node: cst.Else, updated_node: cst.Else) -> Any:
            return cst.RemoveFromParent() if _is_empty(updated_node) else updated_node

        def leave_For(self, original_node: cst.For, updated_node: cst.For) -> Any:
            return cst.RemoveFromParent() if _is_empty(updated_node) else updated_node

    return node.visit(Without()), None


def _parts(node: Any) -> tuple[list[Any], list[Any]]:
    """The conditions and the statements in an `if` or a loop, of those inside of it too."""
    import libcst as cst

    headers = [node.test] if isinstance(node, cst.If) else [node.iter]
    parts: list[Any] = []
    below = list(node.body.body) if isinstance(node.body, cst.IndentedBlock) else [node.body]
    rest = node.orelse
    if isinstance(rest, cst.If):
        below.append(rest)
    elif rest is not None:
        below += list(rest.body.body) if isinstance(rest.body, cst.IndentedBlock) else [rest.body]
    for one in below:
        if isinstance(one, cst.If | cst.For):
            more, inner = _parts(one)
            headers += more
            parts += inner
        else:
            parts.append(one)
    return headers, parts


def _is_call(node: Any) -> bool:
    import libcst as cst

    return isinstance(node, cst.SimpleStatementLine) and all(isinstance(s, cst.Expr) for s in node.body)


def _is_idle(node: Any) -> bool:
    """Does the statement do nothing, or only print?"""
    import libcst as cst

    def idle(small: Any) -> bool:
        call = small.value if isinstance(small, cst.Expr) else None
        return isinstance(small, cst.Pass) or (
            isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value == "print"
        )

    return isinstance(node, cst.SimpleStatementLine) and all(idle(s) for s in node.body)


def _is_empty(node: Any) -> bool:
    import libcst as cst

    return isinstance(node.body, cst.IndentedBlock) and not node.body.body


def _with_headings(rows: list[_Row]) -> list[Any]:
    """The statements that stay. A banner of comments above one that goes stays, set above the next."""
    found: list[Any] = []
    banner: list[Any] = []
    for row in rows:
        if row.now is None:
            lines = list(row.first.leading_lines)
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
        one = row.now
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
