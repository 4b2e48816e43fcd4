"""Remove statements from a Tiltfile with the comments that belong to them, and record what was removed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import libcst as cst

from migration.edit.tiltfile.syntax import called, parse, positions, resource_names
from migration.edit.tiltfile.text import earlier_line

_WORDS_LENGTH = 60
_INSIDE = 20  # so many characters of a statement are enough to find it in the line that holds it
_RULE = re.compile(r"[-=#*_~]{3}|[─━═]{2}")


@dataclass(frozen=True)
class Removed:
    """A statement that an edit removes: its lines before the edit, its first words, the resources that it declares."""

    first: int
    last: int
    words: str
    resources: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The statement in one line."""
        lines = f"line {self.first}" if self.first == self.last else f"lines {self.first}-{self.last}"
        return f"{lines} `{self.words}`"


class Edited(NamedTuple):
    """The text after an edit, and what the edit removed."""

    text: str
    removed: tuple[Removed, ...] = ()


class _Pruned(NamedTuple):
    """What remains of a body, and the comments that have no statement below them any more."""

    body: list[Any]
    comments: list[Any]


@lru_cache(maxsize=8)
def source_of(text: str, name: str = "Tiltfile") -> Source:
    """The parsed Tiltfile."""
    return Source(text, name)


class Source:
    """A parsed Tiltfile with the positions of its nodes."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.module = parse(text, name)
        self._positions = positions(self.module)

    def line(self, node: cst.CSTNode) -> int:
        """The line where the node begins."""
        return int(self._positions[node].start.line)

    def last_line(self, node: cst.CSTNode) -> int:
        """The line where the node ends. A block ends with its last statement, not with the blank lines below it."""
        body = getattr(node, "body", None)
        other = getattr(node, "orelse", None)
        if other is not None:
            return self.last_line(other)
        if isinstance(body, cst.IndentedBlock) and body.body:
            return self.last_line(body.body[-1])
        end = self._positions[node].end
        return int(end.line if end.column else max(end.line - 1, self.line(node)))

    def removed(self, node: cst.CSTNode) -> Removed:
        """The record of a removed node."""
        words = self.module.code_for_node(node.with_changes(leading_lines=[]) if _has_comments(node) else node)
        words = " ".join(words.split())
        shown = words if len(words) <= _WORDS_LENGTH else words[: _WORDS_LENGTH - 3] + "..."
        return Removed(self.line(node), self.last_line(node), shown, tuple(sorted(resource_names(node))))

    def without(self, doomed: Iterable[cst.CSTNode]) -> Edited:
        """The text without these statements, or parts of a line with several statements.

        A branch or loop that is empty without them is removed too; a function keeps a `pass`.
        """
        pruner = _Pruner(doomed)
        if not pruner.doomed:
            return Edited(self.text)
        body, comments = pruner.prune(self.module.body)
        header = list(self.module.header)
        if self.module.body and any(node is self.module.body[0] for node in pruner.removed):
            header = _without_last_comment(header)
        footer = [*comments, *self.module.footer]
        text = self.module.with_changes(header=header, body=body, footer=footer).code
        return Edited(text, outermost(self.removed(node) for node in pruner.removed))


def _has_comments(node: cst.CSTNode) -> bool:
    return hasattr(node, "leading_lines")


def outermost(removed: Iterable[Removed]) -> tuple[Removed, ...]:
    """The records in their order, without those that are inside another one."""
    kept: list[Removed] = []
    for record in sorted(set(removed), key=lambda record: (record.first, -record.last, -len(record.words))):
        is_inside = bool(kept) and record.last <= kept[-1].last and record.words[:_INSIDE] in kept[-1].words
        if not kept or record.first > kept[-1].last or not (is_inside or record.first > kept[-1].first):
            kept.append(record)
    return tuple(kept)


class _Pruner:
    """Removes statements from bodies. removed: the statements that were removed, also those that became empty."""

    def __init__(self, doomed: Iterable[cst.CSTNode]) -> None:
        self._nodes = list(doomed)  # keeps them alive, so that their ids stay theirs
        self.doomed = {id(node) for node in self._nodes}
        self.removed: list[cst.CSTNode] = []

    def prune(self, body: Sequence[Any]) -> _Pruned:
        kept: list[Any] = []
        waiting: list[Any] = []
        for statement in body:
            remaining = self._remaining(statement)
            if remaining is None:
                self.removed.append(statement)
                waiting = _joined(waiting, _staying_comments(statement))
                continue
            if waiting:
                remaining = remaining.with_changes(leading_lines=_joined(waiting, remaining.leading_lines))
                waiting = []
            kept.append(remaining)
        return _Pruned(kept, [] if _has_rule(waiting) else waiting)

    def _remaining(self, statement: Any) -> Any:
        """The statement without its doomed parts; None for nothing."""
        if id(statement) in self.doomed:
            return None
        if isinstance(statement, cst.SimpleStatementLine):
            return self._remaining_line(statement)
        if isinstance(statement, cst.If):
            return self._remaining_if(statement)
        if isinstance(statement, cst.For | cst.FunctionDef | cst.Else):
            return self._remaining_block(statement)
        return statement

    def _remaining_line(self, line: Any) -> Any:
        kept = [part for part in line.body if id(part) not in self.doomed]
        if len(kept) == len(line.body):
            return line
        self.removed += [part for part in line.body if id(part) in self.doomed]
        if not kept:
            return None
        kept[-1] = kept[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        return line.with_changes(body=kept)

    def _body(self, block: Any) -> Any:
        """The remaining body of a block; None when nothing is left that does anything."""
        if isinstance(block, cst.IndentedBlock):
            body, comments = self.prune(block.body)
            if all(before is after for before, after in zip(block.body, body, strict=False)) and len(body) == len(
                block.body
            ):
                return block
            if all(is_idle(statement) for statement in body):
                return None
            return block.with_changes(body=body, footer=[*comments, *block.footer])
        return self._remaining_line(block)

    def _remaining_block(self, block: Any) -> Any:
        body = self._body(block.body)
        if body is block.body:
            return block
        if body is None and not isinstance(block, cst.FunctionDef):
            return None
        return block.with_changes(body=_passing(block.body) if body is None else body)

    def _remaining_if(self, branch: cst.If) -> Any:
        body = self._body(branch.body)
        other = None if branch.orelse is None else self._remaining(branch.orelse)
        if body is branch.body and other is branch.orelse:
            return branch
        if body is None and other is None:
            return None
        if other is None and branch.orelse is not None:
            self.removed.append(branch.orelse)
        return branch.with_changes(body=_passing(branch.body) if body is None else body, orelse=other)


def _passing(block: Any) -> Any:
    """The block with `pass` alone."""
    if isinstance(block, cst.IndentedBlock):
        return block.with_changes(body=[cst.SimpleStatementLine([cst.Pass()])])
    return block.with_changes(body=[cst.Pass()])


def is_idle(statement: cst.CSTNode) -> bool:
    """Does the statement do nothing, or only print?"""
    if not isinstance(statement, cst.SimpleStatementLine | cst.SimpleStatementSuite):
        return False
    return all(isinstance(part, cst.Pass) or called(part) == "print" for part in statement.body)


def _staying_comments(statement: Any) -> list[Any]:
    """The comments above a removed statement that are not about it.

    They are a section's header, which ends with a line such as `# -----`, and what an empty line separates from the
    statement.
    """
    lines = list(statement.leading_lines)
    while lines and lines[-1].comment is not None and not _is_rule(lines[-1]):
        lines.pop()
    return lines if any(line.comment is not None for line in lines) else []


def _without_last_comment(header: list[Any]) -> list[Any]:
    """The comments at the top of the file, without those that an empty line shows to be the first statement's own."""
    rest = list(header)
    while rest and rest[-1].comment is not None and not _is_rule(rest[-1]):
        rest.pop()
    return rest if rest else header


def _joined(above: Sequence[Any], below: Sequence[Any]) -> list[Any]:
    """Both groups of comments. The header of a section that became empty goes when another section follows."""
    if _has_rule(above) and _has_rule(below):
        return list(below)
    if above and below and above[-1].comment is not None and not _is_rule(above[-1]) and below[0].comment is not None:
        return [*above, cst.EmptyLine(indent=False), *below]
    return [*above, *below]


def _has_rule(lines: Iterable[Any]) -> bool:
    return any(_is_rule(line) for line in lines)


def _is_rule(line: cst.EmptyLine) -> bool:
    """Is this a comment that draws a line, such as `# ----- images -----`?"""
    return line.comment is not None and _RULE.search(line.comment.value) is not None


def in_earlier(records: Iterable[Removed], earlier: str, text: str) -> tuple[Removed, ...]:
    """The records of an edit of `text` with the lines of the text before an earlier edit."""
    lines = partial(earlier_line, earlier, text)
    return tuple(replace(record, first=lines(record.first), last=lines(record.last)) for record in records)
