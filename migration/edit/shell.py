"""A shell script as its top-level statements.

bash itself decides where a statement ends: `bash -n` must accept its lines. tree-sitter-bash shows what is in it. Of 690
scripts of a Debian machine tree-sitter-bash 0.25.1 cannot read 30 and cuts one in the wrong place without an error. So
its view of a whole script is only a hint, and a statement that it cannot read is kept or blocks, but is never taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from tasks.core.process.tool import Tool

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

# -p: no BASH_ENV, no SHELLOPTS. extglob: the script may set it before it uses its patterns; -n does not run `shopt`.
# LC_ALL: bash warns of a locale that is not installed, and a warning counts here.
_BASH = Tool(
    "bash",
    fix="install bash",
    base=("-p", "-n", "-O", "extglob"),
    env={"LC_ALL": "C"},
    drop=("POSIXLY_CORRECT",),
    timeout=30,
)
_DECLARING = frozenset({"variable_assignment", "variable_assignments", "declaration_command"})
SIMPLE = _DECLARING | {"command", "test_command", "unset_command"}
_MANY_LINES = frozenset({
    "ansi_c_string", "arithmetic_expansion", "array", "command_substitution", "expansion", "heredoc_redirect",
    "process_substitution", "raw_string", "string", "translated_string",
})  # fmt: skip
_WHOLE_FUNCTION = re.compile(
    r"(?:function[ \t]+([\w-]+)(?:[ \t]*\([ \t]*\))?|([\w-]+)[ \t]*\([ \t]*\))[ \t]*\{[ \t]*\n(.*)\n\}", re.DOTALL
)
_FUNCTION = re.compile(r"^\s*(?:function\s+([\w-]+)|([\w-]+)\s*\(\s*\))", re.MULTILINE)


@dataclass(frozen=True)
class Statement:
    """One or more whole lines of a script.

    first, last: lines, from 1; comments: the lines above it, each with its end; code: its own lines
    root: its syntax tree, None when it cannot be read
    """

    first: int
    last: int
    comments: str
    code: str
    root: Node | None = field(compare=False, repr=False)

    @property
    def text(self) -> str:
        """The statement below its comments."""
        return self.comments + self.code

    @property
    def begin(self) -> int:
        """The first line of the comments above it."""
        return self.first - self.comments.count("\n")

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The syntax trees of the statements in these lines; nothing when they cannot be read."""
        return tuple(n for n in self.root.named_children if n.type != "comment") if self.root else ()

    @cached_property
    def function(self) -> str:
        """The name of the function that it defines, when it does nothing else."""
        if self.root is None:
            return self._unread_function[0]
        names = [function_name(n) for n in self.nodes]
        return names[0] if len(names) == 1 else ""

    @cached_property
    def _unread_function(self) -> tuple[str, str]:
        """Name and body of a function that bash reads and tree-sitter-bash does not: all between `name() {` and `}`."""
        whole = _WHOLE_FUNCTION.fullmatch(self.code.rstrip())
        return (whole[1] or whole[2], whole[3]) if whole and self.root is None else ("", "")

    @cached_property
    def defines(self) -> frozenset[str]:
        """The names of all functions that it defines, at any depth; a guess where it cannot be read."""
        if self.root is None:
            return frozenset(first or second for first, second in _FUNCTION.findall(self.code))
        return frozenset(function_name(n) for n in walk(self.root)) - {""}

    @cached_property
    def assigned(self) -> frozenset[str]:
        """The variables that it sets, when it does nothing else."""
        if not self.nodes or any(n.type not in _DECLARING for n in self.nodes):
            return frozenset()
        assignments = (n for n in walk(self.root) if n.type == "variable_assignment")
        return frozenset(m[0] for n in assignments if (m := re.match(r"\w+", node_text(n))))

    @cached_property
    def without_comments(self) -> str:
        """Its code as bash reads it."""
        if self.root is None:
            return "\n".join(line for line in self.code.split("\n") if not line.lstrip().startswith("#"))
        return cut(self.root, (n for n in walk(self.root) if n.type == "comment"))

    @cached_property
    def without_documents(self) -> str:
        """Its code without comments and here-documents."""
        if self.root is None:
            return self.without_comments
        return cut(self.root, (n for n in walk(self.root) if n.type in {"comment", "heredoc_body", "heredoc_end"}))

    @cached_property
    def body(self) -> tuple[Statement, ...]:
        """The statements in the function that it defines."""
        if self.root is None:
            return _split(self._unread_function[1], self.first + 1) if self.function else ()
        inside = self.nodes[0].child_by_field_name("body") if self.function else None
        if inside is None:
            return ()
        code, line = node_text(inside), self.first + inside.start_point[0]
        return _split(code[1:-1] if code.startswith("{") else code, line)


@lru_cache(maxsize=16)
def statements(text: str) -> tuple[Statement, ...]:
    """The top-level statements of a script. Comments belong to the statement below them. CRLF is read as LF."""
    return _split(text.replace("\r\n", "\n"), 1)


def walk(node: Node | None) -> Iterator[Node]:
    """The node and all nodes below it, in the order of the source."""
    waiting = [node] if node is not None else []
    while waiting:  # not recursive: `a && b && c` is as deep as it is long
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


def node_text(node: Node) -> str:
    """The source of the node."""
    return (node.text or b"").decode("utf-8", "surrogateescape")


def function_name(node: Node) -> str:
    """The name of the function that the node defines."""
    name = node.child_by_field_name("name") if node.type == "function_definition" else None
    return node_text(name) if name else ""


def cut(node: Node, gaps: Iterable[Node]) -> str:
    """The source of the node without that of some nodes in it, given in the order of the source."""
    source, base, kept, place = node.text or b"", node.start_byte, b"", 0
    for gap in gaps:
        kept += source[place : max(gap.start_byte - base, place)]
        place = max(gap.end_byte - base, place)
    return (kept + source[place:]).decode("utf-8", "surrogateescape")


def _split(text: str, line: int) -> tuple[Statement, ...]:
    """The statements of the text. line: the number of its first line."""
    lines = text.split("\n")  # not splitlines(): bash ends no line at U+2028 or a form feed
    hints: list[int] | None = None
    found: list[Statement] = []
    begin = start = 0
    while start < len(lines):
        if not lines[start].strip() or lines[start].lstrip().startswith("#"):
            start += 1
            continue
        if hints is None:
            hints = [start + n for n in _ends(_parse("\n".join(lines[start:])))]
        end, root = _statement(lines, start, hints)
        if root is None:
            hints = None  # those below it may be wrong too
        comments, code = "".join(f"{row}\n" for row in lines[begin:start]), "\n".join(lines[start : end + 1])
        found.append(Statement(line + start, line + end, comments, code, root))
        begin = start = end + 1
    return tuple(found)


def _statement(lines: list[str], start: int, hints: list[int]) -> tuple[int, Node | None]:
    """The last line of the statement that begins here, and its tree. What bash does not accept goes to the end."""
    rest = range(start, len(lines))
    end, root = max(n for n in rest if lines[n].strip()), None
    for candidates in ([h for h in hints if h >= start], rest):  # each line only where the hints do not help
        accepted = next((c for c in candidates if _complete(lines[start : c + 1], c == rest[-1])), None)
        if accepted is None:
            continue
        end, root = accepted, _readable("\n".join(lines[start : accepted + 1]))
        if root is not None:
            break
    return end, root


def _complete(lines: list[str], last: bool) -> bool:
    """Does bash read these lines as complete statements? last: nothing follows them."""
    if re.search(r"(?<!\\)(\\\\)*\\$", lines[-1]) and not last:
        return False  # continued in the next line, about which `bash -n` says nothing
    done = _BASH[()].call(stdin="\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
    return done.exit == 0 and not done.stderr  # a here-document without its end is only a warning


@lru_cache(maxsize=1)
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _parse(code: str) -> Node:
    return _parser().parse(code.encode("utf-8", "surrogateescape")).root_node


def _ends(root: Node) -> list[int]:
    """The lines, from 0, in which tree-sitter-bash sees a top-level statement end."""
    ends = (n.end_point for n in root.named_children if n.type != "comment")
    return sorted({row - (column == 0) for row, column in ends})


def _readable(code: str) -> Node | None:
    """The tree of the code, when it can be relied on."""
    root = _parse(code)
    lines = code.split("\n")
    right = not root.has_error and all(_document_ends(n, lines) and _line_ends(n) for n in walk(root))
    return root if right else None


def _document_ends(node: Node, lines: list[str]) -> bool:
    """Does a here-document end where bash ends it? True for any other node.

    tree-sitter-bash accepts an indented end mark after `<<` (bash: only tabs, only after `<<-`). That it takes `;` into the
    mark of `<<EOF; x`, and that it reads one here-document in a line, are errors in its tree.
    https://github.com/tree-sitter/tree-sitter-bash/issues/346
    """
    if node.type != "heredoc_redirect":
        return True
    parts = {child.type: child for child in node.children}
    mark, end = parts.get("heredoc_start"), parts.get("heredoc_end")
    if mark is None or end is None:
        return False
    first_line = [n for n in node.children if n.type not in {"heredoc_body", "heredoc_end"}]
    if any(n.end_point[0] != mark.start_point[0] for n in first_line):
        return False  # `<<EOF ||` takes the lines of the text for commands
    word = re.sub(r"[\\'\"]", "", node_text(mark))
    rows = lines[mark.start_point[0] + 1 : end.start_point[0] + 1]
    if "<<-" in parts:
        rows = [row.lstrip("\t") for row in rows]
    return word in rows and rows.index(word) == len(rows) - 1


def _line_ends(node: Node) -> bool:
    """Does a simple command end with its line? True for any other node.

    tree-sitter-bash can take the lines between two `[ ... ]` for words of one command.
    https://github.com/tree-sitter/tree-sitter-bash/issues/316
    """
    if node.type not in SIMPLE:
        return True
    bare = cut(node, (n for n in walk(node) if n.type in _MANY_LINES))
    return re.search(r"(?<![\\|&])\n", re.sub(r"[ \t]+\n", "\n", bare)) is None
