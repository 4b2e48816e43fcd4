"""Remove from a Tiltfile, with libcst: what belongs to the local cluster, and single calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import libcst as cst

from migration.edit.tiltfile.local import LocalCluster
from migration.edit.tiltfile.syntax import (
    UneditableTiltfile,
    content,
    defined,
    parse,
    positions,
    resource_names,
    strings,
    used,
)

Test = Callable[[Any], bool]


@dataclass
class _Statement:
    """A statement at the top level. original: as it was read; remaining: what stays of it, None for nothing."""

    original: cst.CSTNode
    remaining: cst.CSTNode | None


class _Removal(NamedTuple):
    """What remains of a statement after a removal, or the part that cannot be removed."""

    remaining: Any
    stuck: cst.CSTNode | None = None


def remove_local(text: str, local: LocalCluster, must_stay: Callable[[str], bool]) -> str:
    """The text without the statements and list entries of the local cluster, and without what needs them.

    Of a branch or a loop only the local part is removed.
    must_stay: is this statement's text one that must stay, such as a release?
    Raises UneditableTiltfile for the first part that cannot be removed.
    """
    tiltfile = _Tiltfile(parse(text), must_stay)
    tiltfile.remove_local(local)
    while tiltfile.remove_users():
        pass
    body = _keep_banners(tiltfile.statements)
    entries = _RemoveEntries(local, tiltfile.removed_resources())
    return tiltfile.module.with_changes(body=body).visit(entries).code


class _Tiltfile:
    """The statements at the top level, from which parts are removed."""

    def __init__(self, module: cst.Module, must_stay: Callable[[str], bool]) -> None:
        self.module = module
        self.statements = [_Statement(statement, statement) for statement in module.body]
        self._lines = positions(module)
        self._must_stay: Test = lambda node: must_stay(module.code_for_node(node))

    def remove_local(self, local: LocalCluster) -> None:
        """Remove what names the local cluster."""

        def is_local(node: cst.CSTNode) -> bool:
            return any(local.is_named_in(text) for text in strings(node))

        for statement in self.statements:
            if is_local(statement.original):
                is_block = isinstance(statement.original, cst.If | cst.For)
                what = "a branch or a loop" if is_block else "a release"
                self._remove(statement, is_local, f"{what} refers to the local cluster")

    def remove_users(self) -> bool:
        """Remove what uses a name that is no longer defined. Was there anything?"""
        remaining = [statement.remaining for statement in self.statements if statement.remaining is not None]
        lost = _names(defined, [statement.original for statement in self.statements]) - _names(defined, remaining)
        has_users = False
        for statement in self.statements:
            if statement.remaining is None:
                continue
            names = used(statement.remaining) & lost
            if names:
                has_users = True
                reason = f"needs {', '.join(sorted(names))}, which is removed"
                self._remove(statement, lambda node: bool(used(node) & lost), reason)
        return has_users

    def _remove(self, statement: _Statement, is_removed: Test, reason: str) -> None:
        remaining, stuck = _remove_from(statement.remaining, is_removed, self._must_stay)
        if stuck is not None:
            # A node that an earlier removal has changed has no position: show that of the statement.
            position = self._lines[stuck if stuck in self._lines else statement.original]
            fix = "change this line by hand, then run this again"
            raise UneditableTiltfile(position.start.line, reason, fix=fix)
        statement.remaining = remaining

    def removed_resources(self) -> set[str]:
        """The resources that are no longer declared."""
        before = [statement.original for statement in self.statements]
        after = [statement.remaining for statement in self.statements if statement.remaining is not None]
        return _names(resource_names, before) - _names(resource_names, after)


def _names(names_in: Callable[[cst.CSTNode], set[str]], nodes: Iterable[cst.CSTNode]) -> set[str]:
    return {name for node in nodes for name in names_in(node)}


def _remove_from(node: Any, is_removed: Test, must_stay: Test) -> _Removal:
    """Remove the whole statement, or the parts of a branch or loop that `is_removed` names."""
    whole = _Removal(None, node if must_stay(node) else None)
    if not isinstance(node, cst.If | cst.For):
        return whole
    headers, parts = _parts(node)
    if any(is_removed(header) for header in headers):
        # The condition can no longer be true: a plain `if` is removed, anything else is not understood well enough.
        return whole if _is_plain_if(node, headers) else _Removal(None, node)
    removed = [part for part in parts if is_removed(part)]
    has_other_parts = any(part not in removed and not _is_idle(part) for part in parts)
    return _remove_parts(node, removed, must_stay) if has_other_parts else whole


def _is_plain_if(node: cst.If | cst.For, headers: list[Any]) -> bool:
    return isinstance(node, cst.If) and node.orelse is None and len(headers) == 1


def _remove_parts(node: cst.If | cst.For, removed: list[Any], must_stay: Test) -> _Removal:
    for part in removed:
        if must_stay(part) or not _is_expression(part):
            return _Removal(None, part)
    return _Removal(node.visit(_RemoveParts(removed)))


class _RemoveParts(cst.CSTTransformer):
    """Removes these lines, and the branches and loops that are empty without them."""

    def __init__(self, removed: Sequence[cst.CSTNode]) -> None:
        super().__init__()
        self.removed = removed

    def leave_SimpleStatementLine(self, original_node: Any, updated_node: Any) -> Any:
        return cst.RemoveFromParent() if any(original_node is part for part in self.removed) else updated_node

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> Any:
        return cst.RemoveFromParent() if updated_node.orelse is None and _is_empty(updated_node) else updated_node

    def leave_Else(self, original_node: cst.Else, updated_node: cst.Else) -> Any:
        return cst.RemoveFromParent() if _is_empty(updated_node) else updated_node

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> Any:
        return cst.RemoveFromParent() if _is_empty(updated_node) else updated_node


def _parts(node: cst.If | cst.For) -> tuple[list[Any], list[Any]]:
    """The conditions and the statements of a branch or loop, also of those inside it."""
    headers: list[Any] = [node.test if isinstance(node, cst.If) else node.iter]
    parts: list[Any] = []
    for statement in _statements(node):
        if isinstance(statement, cst.If | cst.For):
            inner_headers, inner_parts = _parts(statement)
            headers += inner_headers
            parts += inner_parts
        else:
            parts.append(statement)
    return headers, parts


def _statements(node: cst.If | cst.For) -> list[Any]:
    """The statements in the body and in `else`; an `elif` is one statement."""
    other = node.orelse
    if other is None:
        return _body(node)
    return [*_body(node), *([other] if isinstance(other, cst.If) else _body(other))]


def _body(node: cst.If | cst.For | cst.Else) -> list[Any]:
    return list(node.body.body) if isinstance(node.body, cst.IndentedBlock) else [node.body]


def _is_expression(node: cst.CSTNode) -> bool:
    """A line of calls only, which defines nothing."""
    return isinstance(node, cst.SimpleStatementLine) and all(isinstance(part, cst.Expr) for part in node.body)


def _is_idle(node: cst.CSTNode) -> bool:
    """Does the statement do nothing, or only print?"""
    if not isinstance(node, cst.SimpleStatementLine):
        return False
    return all(isinstance(part, cst.Pass) or _called(part) == "print" for part in node.body)


def _called(part: cst.CSTNode) -> str:
    """The name of the function that the line calls; empty for anything else."""
    call = part.value if isinstance(part, cst.Expr) else None
    return call.func.value if isinstance(call, cst.Call) and isinstance(call.func, cst.Name) else ""


def _is_empty(node: Any) -> bool:
    return isinstance(node.body, cst.IndentedBlock) and not node.body.body


def _keep_banners(statements: list[_Statement]) -> list[Any]:
    """The remaining statements. A banner of comments above a removed one is kept above the next one without a banner.

    A banner ends with a line such as `# -----`.
    """
    kept: list[Any] = []
    banner: list[Any] = []
    for statement in statements:
        node: Any = statement.remaining
        if node is None:
            banner = banner or _banner_above(statement.original)
            continue
        if banner and not any(_is_rule(line) for line in node.leading_lines):
            node = node.with_changes(leading_lines=[*banner, *node.leading_lines])
        banner = []
        kept.append(node)
    return kept


def _banner_above(statement: Any) -> list[Any]:
    lines = list(statement.leading_lines)
    while lines and not _is_rule(lines[-1]):
        lines.pop()
    return lines


def _is_rule(line: cst.EmptyLine) -> bool:
    """Is this a comment that only draws a line?"""
    return line.comment is not None and set(line.comment.value) <= set("# -=")


class _RemoveEntries(cst.CSTTransformer):
    """Removes the strings from lists that name the local cluster or a removed resource."""

    def __init__(self, local: LocalCluster, resources: set[str]) -> None:
        super().__init__()
        self.local, self.resources = local, resources

    def leave_List(self, original_node: cst.List, updated_node: cst.List) -> Any:
        kept: list[Any] = [element for element in updated_node.elements if not self._is_removed(element.value)]
        if len(kept) == len(updated_node.elements):
            return updated_node
        last = updated_node.elements[-1]
        if kept and kept[-1] is not last:  # the new last entry ends like the old one, with or without a comma
            kept[-1] = kept[-1].with_changes(comma=last.comma)
        return updated_node.with_changes(elements=kept)

    def _is_removed(self, value: cst.BaseExpression) -> bool:
        if not isinstance(value, cst.SimpleString):
            return False
        return content(value) in self.resources or self.local.is_named_in(content(value))


def remove_calls(text: str, function: str) -> str:
    """The text without the lines that only call this function; the comments above them stay."""
    return parse(text).visit(_RemoveCalls(function)).code


class _RemoveCalls(cst.CSTTransformer):
    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> Any:
        return updated_node.with_changes(body=self._kept(updated_node.body))

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> Any:
        return updated_node.with_changes(body=self._kept(updated_node.body))

    def _kept(self, body: Sequence[Any]) -> list[Any]:
        kept: list[Any] = []
        comments: list[Any] = []
        for statement in body:
            if self._is_removed(statement):
                comments += statement.leading_lines
                continue
            if comments:
                statement = statement.with_changes(leading_lines=[*comments, *statement.leading_lines])
                comments = []
            kept.append(statement)
        return kept

    def _is_removed(self, statement: cst.CSTNode) -> bool:
        if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
            return False
        return _called(statement.body[0]) == self.function
