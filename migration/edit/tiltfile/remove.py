"""Remove from a Tiltfile what belongs to the local cluster: single statements and entries of lists, never more.

What would cost a function, a data structure that is used elsewhere, a build or a release is an error with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import libcst as cst

from migration.edit.tiltfile.entries import without_entries
from migration.edit.tiltfile.local import LocalCluster
from migration.edit.tiltfile.statements import Edited, Source, in_earlier, source_of
from migration.edit.tiltfile.syntax import UneditableTiltfile, called, defined, strings, used
from migration.edit.tiltfile.text import earlier_line

_BUILD = re.compile(r"build", re.IGNORECASE)
_DEPLOY = re.compile(r"^k8s_(yaml|custom_deploy)$|^helm|^docker_compose$|kustomize|deploy|_release", re.IGNORECASE)
_STRUCTURE = (cst.Dict, cst.List, cst.Set, cst.Tuple, cst.ListComp, cst.DictComp)
_FIX = "change this line by hand, then run this again"


@dataclass(frozen=True)
class _Unit:
    """A statement, or a condition. function: the function around it; block: of a condition, its branch or loop.

    nested: is it in a branch or a loop?
    """

    node: Any
    function: Any = None
    block: Any = None
    nested: bool = False

    @property
    def is_condition(self) -> bool:
        return self.block is not None


def remove_local(text: str, local: LocalCluster, must_stay: Callable[[str], bool], name: str = "Tiltfile") -> Edited:
    """The text without the statements and list entries of the local cluster, and without the calls that need them.

    must_stay: is this statement's text one that must stay, such as a release?
    Raises UneditableTiltfile for the first statement that cannot be removed.
    """
    shorter = without_entries(text, local, frozenset())
    removal = _Removal(source_of(shorter, name), local, must_stay, name)
    try:
        removal.mark()
    except UneditableTiltfile as why:
        line = earlier_line(text, shorter, why.line)
        raise UneditableTiltfile(line, why.reason, fix=why.fix, name=name, statement=why.statement) from None
    edited = removal.source.without(removal.doomed)
    resources = frozenset(resource for removed in edited.removed for resource in removed.resources)
    new = without_entries(edited.text, local, resources) if resources else edited.text
    return Edited(new, in_earlier(edited.removed, text, shorter))


class _Removal:
    """Decides which statements go."""

    def __init__(self, source: Source, local: LocalCluster, must_stay: Callable[[str], bool], name: str) -> None:
        self.source, self.local, self.must_stay, self.name = source, local, must_stay, name
        self.units = list(_units(source.module.body))
        self.doomed: list[Any] = []
        self._used = {id(unit.node): used(unit.node) for unit in self.units}

    def mark(self) -> None:
        """Mark what names the local cluster, and then what needs a name that is no longer defined."""
        for unit in self.units:
            if not self._is_doomed(unit) and any(self.local.is_named_in(text) for text in strings(unit.node)):
                self._doom(unit, "refers to the local cluster")
        while self._mark_users():
            pass

    def _mark_users(self) -> bool:
        lost = self._lost()
        has_users = False
        for unit in self.units:
            needs = self._used[id(unit.node)] & lost
            if needs and not self._is_doomed(unit):
                has_users = True
                if unit.function is not None:
                    self._fail(unit.node, f"{self._place(unit)} needs {', '.join(sorted(needs))}, which is removed")
                self._doom(unit, f"needs {', '.join(sorted(needs))}, which is removed")
        return has_users

    def _lost(self) -> set[str]:
        """The names that are no longer defined anywhere."""
        lost: set[str] = set()
        left: set[str] = set()
        for unit in self.units:
            (lost if self._is_doomed(unit) else left).update(defined(_line(unit.node)))
        return lost - left

    def _is_doomed(self, unit: _Unit) -> bool:
        return any(node is unit.node or node is unit.block for node in self.doomed)

    def _doom(self, unit: _Unit, why: str) -> None:
        """Mark the statement for removal, or raise if it cannot be removed."""
        if unit.is_condition:
            self._doom_branch(unit, why)
        elif self.must_stay(self._code(unit.node)):
            self._fail(unit.node, f"a release {why}")
        elif isinstance(unit.node, cst.Expr):
            self._doom_call(unit.node, why)
        elif isinstance(unit.node, cst.Assign) and unit.function is None:
            self._doom_assignment(unit, why)
        else:
            self._fail(unit.node, f"{self._place(unit)} {why}")

    def _doom_branch(self, unit: _Unit, why: str) -> None:
        """Mark a plain `if` that only calls or prints. Its condition can no longer be true."""
        inner = list(_units(unit.block.body.body)) if isinstance(unit.block, cst.If) else []
        is_plain = isinstance(unit.block, cst.If) and unit.block.orelse is None and not _defines(unit.block)
        parts = [part for part in inner if not part.is_condition]
        if not is_plain or not all(isinstance(part.node, cst.Expr | cst.Pass) for part in parts):
            self._fail(unit.node, f"the condition of a branch or a loop {why}")
        for part in parts:
            if self.must_stay(self._code(part.node)) or _works(part.node):
                self._fail(part.node, f"a release or a build is in a branch whose condition {why}")
        self.doomed.append(unit.block)

    def _doom_call(self, node: Any, why: str) -> None:
        function = called(node)
        is_path = not any(self.local.has_text(text) for text in strings(node))
        if _BUILD.search(function) or (_DEPLOY.search(function) and not (is_path and self._names_path(node))):
            self._fail(node, f"{function} {why}")
        self.doomed.append(node)

    def _names_path(self, node: Any) -> bool:
        """Does the call name a path that is deleted? Then it cannot work any more."""
        return any(self.local.is_named_in(text) for text in strings(node))

    def _doom_assignment(self, unit: _Unit, why: str) -> None:
        """Mark an assignment. A data structure that is used, and a variable with several values, are errors."""
        node = unit.node
        names = defined(_line(node))
        others = [other for other in self.units if other.node is not node]
        users = [other for other in others if self._used[id(other.node)] & names]
        is_one_of_several = unit.nested or any(defined(_line(other.node)) & names for other in others)
        if not names or (users and (is_one_of_several or isinstance(node.value, _STRUCTURE))):
            lines = ", which other statements use," if users else ""
            self._fail(node, f"{', '.join(sorted(names)) or 'an assignment'}{lines} {why}")
        self.doomed.append(node)

    def _place(self, unit: _Unit) -> str:
        if unit.function is not None:
            return f"the function {unit.function.name.value}"
        return "a statement that is not a call"

    def _code(self, node: Any) -> str:
        return self.source.module.code_for_node(node)

    def _fail(self, node: Any, reason: str) -> NoReturn:
        raise UneditableTiltfile(self.source.line(node), reason, fix=_FIX, name=self.name, statement=self._code(node))


def _line(node: Any) -> Any:
    """A part of a line as a line, which may define names."""
    return cst.SimpleStatementLine([node]) if isinstance(node, cst.BaseSmallStatement) else node


def _defines(block: Any) -> bool:
    return bool(defined(block)) or any(isinstance(node, cst.FunctionDef) for node in block.body.body)


def _works(node: Any) -> bool:
    """Does the statement build or deploy something?"""
    function = called(node)
    return bool(_BUILD.search(function) or _DEPLOY.search(function))


def _units(body: Iterable[Any], function: Any = None, nested: bool = False) -> Iterator[_Unit]:
    """Every statement and condition below these statements."""
    for statement in body:
        if isinstance(statement, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            yield from (_Unit(part, function, nested=nested) for part in statement.body)
        elif isinstance(statement, cst.FunctionDef):
            yield _Unit(statement.params, statement)
            yield from _units(_inside(statement.body), statement, nested)
        elif isinstance(statement, cst.If | cst.For):
            yield _Unit(statement.test if isinstance(statement, cst.If) else statement.iter, function, statement)
            yield from _units(_inside(statement.body), function, True)
            yield from _units(_other(statement.orelse), function, True)


def _other(other: Any) -> list[Any]:
    """The statements of an `else`; an `elif` is one statement."""
    if other is None:
        return []
    return [other] if isinstance(other, cst.If) else _inside(other.body)


def _inside(block: Any) -> list[Any]:
    return list(block.body) if isinstance(block, cst.IndentedBlock) else [block]
