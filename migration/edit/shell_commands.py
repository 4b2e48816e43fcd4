"""The simple commands in a statement of a shell script: those of an `if`, a loop, a list, a subshell, one by one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from migration.edit.shell import SIMPLE, Statement, cut, node_text, statements, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_OF_SIMPLE = frozenset({"pipeline", "negated_command", "redirected_statement"})
_REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect", "comment"})
# They change nothing but the shell that runs them. log, warn, die and have are functions of the scripts to be migrated.
_READING = frozenset({
    ":", "basename", "break", "cat", "cd", "continue", "cut", "date", "die", "dirname", "echo", "error", "exit", "false",
    "grep", "have", "head", "hostname", "id", "info", "local", "log", "printf", "pwd", "read", "readlink", "realpath",
    "return", "shift", "sleep", "sort", "tail", "test", "tr", "true", "type", "uname", "warn", "wc", "which", "whoami",
})  # fmt: skip
_CALLING = frozenset({"builtin", "command", "coproc", "eval", "time", "trap"})  # builtins that may call a function


_GIVEN_TO_A_SHELL = re.compile(r"\b(?:(?:ba|da|z)?sh\s+(?:-\w+\s+)*-\w*c|eval|su\s.*-c)\s+([\"'])(.*)\1", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A simple command or a pipeline of them. first, last: its lines in the script; text: without here-documents."""

    first: int
    last: int
    text: str
    node: Node = field(compare=False, repr=False)

    @cached_property
    def only_reads(self) -> bool:
        """Does it only test, print or set a shell variable, in its substitutions as well?"""
        return all(_only_reads(n) for n in _own_nodes(self.node))

    @property
    def sources(self) -> str:
        """The file that it reads into the shell, as it is written; empty for any other command."""
        found = re.fullmatch(r"(?:source|\.)\s+(\S.*)", self.text)
        return found[1] if found and self.node.type == "command" else ""

    @cached_property
    def inner(self) -> tuple[Command, ...]:
        """The commands in the text that it gives to a shell: those of `bash -c "a && b"` or `eval "a; b"`."""
        found = _GIVEN_TO_A_SHELL.search(self.text)
        return tuple(c for s in statements(found[2]) for c in commands(s)) if found else ()

    @property
    def changes_folder(self) -> bool:
        """Does it change the folder in which the commands below it run?"""
        above = self.node.parent
        while above is not None and above.type not in {"subshell", "command_substitution"}:
            above = above.parent
        return above is None and re.match(r"(?:cd|pushd)\b", self.text) is not None

    def calls(self, functions: Collection[str]) -> set[str]:
        """Which of these functions it may call."""
        return _called(_own_nodes(self.node), functions)


def commands(statement: Statement) -> list[Command]:
    """The commands of a statement in their order, those of substitutions in a loop's head or a `case` as well."""
    nodes = (simple for node in statement.nodes for simple in _simple_commands(node))
    return [Command(statement.first + n.start_point[0], statement.first + n.end_point[0], _text(n), n) for n in nodes]


def called(statement: Statement, functions: Collection[str]) -> set[str]:
    """Which of these functions the statement may call."""
    if statement.root is None:
        return {name for name in functions if mentions(name, statement.code)}
    return _called(walk(statement.root), functions)


def mentions(function: str, code: str) -> bool:
    """Is this word in the code?"""
    return re.search(rf"(?<![\w$./-]){re.escape(function)}(?![\w/-]|\(\))", code) is not None


def reads(variable: str, code: str) -> bool:
    """May the code read this variable? A bare word may be one in an arithmetic expression."""
    return re.search(rf"\$\{{?[#!]?{variable}\b|(?<![\w./$-]){variable}(?!\w|\+?=(?!=))", code) is not None


def _simple_commands(node: Node) -> Iterator[Node]:
    if not _is_simple(node):
        for child in node.named_children:
            yield from _simple_commands(child)
        return
    yield node
    for document in (n for n in walk(node) if n.type == "heredoc_redirect"):
        for other in _beside(document):
            yield from _simple_commands(other)


def _is_simple(node: Node) -> bool:
    if node.type in _OF_SIMPLE:
        return all(_is_simple(child) for child in node.named_children if child.type not in _REDIRECTS)
    return node.type in SIMPLE


def _beside(node: Node) -> list[Node]:
    """Other commands in a here-document's node: tree-sitter-bash puts `&& x` and `| x` behind `<<EOF` there."""
    if node.type != "heredoc_redirect":
        return []
    loops = [n for n in node.named_children if n.type == "pipeline" and not _is_simple(n)]
    return [*loops, *node.children_by_field_name("right")]


def _own_nodes(node: Node) -> Iterator[Node]:
    """The nodes of a command, without those of the other commands in its here-document's node."""
    yield node
    others = {other.id for other in _beside(node)}
    for child in node.children:
        if child.id not in others:
            yield from _own_nodes(child)


def _text(node: Node) -> str:
    gaps: list[Node] = []
    for part in (n for d in walk(node) if d.type == "heredoc_redirect" for n in d.children):
        if part.type in {"heredoc_body", "heredoc_end", "&&", "||"} or (part.parent and part in _beside(part.parent)):
            gaps.append(part)
    return cut(node, gaps).strip()


def _called(nodes: Iterable[Node], functions: Collection[str]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        name, text = _command_name(node), node_text(node)
        declares = node.type in {"declaration_command", "unset_command"} and re.search(r"\s-\w*[fF]", text)
        if name in functions or name in _CALLING or declares:  # `retry f 3`: a function can call its argument
            found |= {function for function in functions if mentions(function, text)}
    return found


def _command_name(node: Node) -> str:
    name = node.child_by_field_name("name") if node.type == "command" else None
    return node_text(name) if name else ""


def _only_reads(node: Node) -> bool:
    text = node_text(node)
    if node.type == "command":
        return _command_name(node) in {*_READING, ""} or text.startswith("command -v ")
    if node.type == "declaration_command":
        return re.match(r"export\b|\w+ -\w*x", text) is None
    if node.type == "file_redirect":  # to a file, other than 2>&1 and >/dev/null
        return re.match(r"\d*(?:<|>&\s*[\d-]|&?>>?\s*/dev/null$)", text) is not None
    return True
