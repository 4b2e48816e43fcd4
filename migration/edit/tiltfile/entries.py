"""Remove single strings from lists: names of the local cluster, deleted paths, removed resources."""

from __future__ import annotations

import re
from typing import Any

import libcst as cst

from migration.edit.tiltfile.local import LocalCluster
from migration.edit.tiltfile.syntax import LIST_ARGUMENTS, content, parse

_LISTING_NAME = re.compile(
    r"context|cluster|regist|ignore|deps|only|watch|path|resource|file|dir|host|allow", re.IGNORECASE
)


def without_entries(text: str, local: LocalCluster, resources: frozenset[str]) -> str:
    """The text whose lists do not name the local cluster, deleted paths, or these resources.

    Only lists whose name says that they list such things lose entries: the words of a command must stay together.
    """
    return parse(text).visit(_WithoutEntries(local, resources)).code


class _WithoutEntries(cst.CSTTransformer):
    def __init__(self, local: LocalCluster, resources: frozenset[str]) -> None:
        super().__init__()
        self.local, self.resources = local, resources
        self._names: list[str] = []  # of the variables, keys and arguments around the node; empty for a positional one

    def visit_Assign(self, node: cst.Assign) -> None:
        target = node.targets[0].target
        self._names.append(target.value if isinstance(target, cst.Name) else "")

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
        self._names.pop()
        return updated_node

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._names.append(node.target.value if isinstance(node.target, cst.Name) else "")

    def leave_AugAssign(self, original_node: cst.AugAssign, updated_node: cst.AugAssign) -> Any:
        self._names.pop()
        return updated_node

    def visit_Arg(self, node: cst.Arg) -> None:
        self._names.append(node.keyword.value if node.keyword else "")

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:
        self._names.pop()
        return updated_node

    def visit_DictElement(self, node: cst.DictElement) -> None:
        self._names.append(content(node.key) if isinstance(node.key, cst.SimpleString) else "")

    def leave_DictElement(self, original_node: cst.DictElement, updated_node: cst.DictElement) -> Any:
        self._names.pop()
        return updated_node

    def leave_List(self, original_node: cst.List, updated_node: cst.List) -> Any:
        kept: list[Any] = [element for element in updated_node.elements if not self._is_removed(element.value)]
        if len(kept) == len(updated_node.elements) or not self._may_lose(updated_node):
            return updated_node
        last = updated_node.elements[-1]
        if kept and kept[-1] is not last:  # the new last entry ends like the old one, with or without a comma
            kept[-1] = kept[-1].with_changes(comma=last.comma)
        if not kept:
            return updated_node.with_changes(
                elements=[], lbracket=cst.LeftSquareBracket(), rbracket=cst.RightSquareBracket()
            )
        return updated_node.with_changes(elements=kept)

    def _may_lose(self, node: cst.List) -> bool:
        """Is this a list of names, not the words of a command?"""
        name = self._names[-1] if self._names else ""
        if name in LIST_ARGUMENTS or _LISTING_NAME.search(name):
            return True
        strings = [content(element.value) for element in node.elements if isinstance(element.value, cst.SimpleString)]
        return bool(self.resources) and not any(text.startswith("-") for text in strings)

    def _is_removed(self, value: cst.BaseExpression) -> bool:
        if not isinstance(value, cst.SimpleString):
            return False
        return content(value) in self.resources or self.local.is_named_in(content(value))
