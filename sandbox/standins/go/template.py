"""Go's text/template as Helm uses it: parse a file once, execute it with data. The caller supplies the functions.

Values are Python objects: dict, list, str, int, float, bool, None. A method is a callable in the data. A missing key is
None, which prints nothing (like Helm's `missingkey=zero`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Functions = dict[str, Callable[..., Any]]


class TemplateError(Exception):
    """A template that cannot be parsed or executed, with the position in Go's format."""


@dataclass(frozen=True)
class _Token:
    kind: str  # text, or of an action: word, string, number, field, variable, or the character itself
    text: str
    place: int  # offset in the file


_ACTION = re.compile(
    r"""\s+ | (?P<comment>/\*.*?\*/) | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)') | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<field>\.[A-Za-z_]\w*) | (?P<variable>\$\w*) | (?P<word>[A-Za-z_]\w*) | (?P<mark>:=|[.=|(),])""",
    re.VERBOSE | re.DOTALL,
)
_OPEN = re.compile(r"\{\{(-\s)?")


@dataclass
class Node:
    """A piece of a template. kind: text, action, if, range, with, template, define, else, end, break, continue."""

    kind: str
    place: int
    text: str = ""
    pipe: Pipe | None = None
    body: list[Node] = field(default_factory=list)
    other: list[Node] = field(default_factory=list)


@dataclass
class Pipe:
    """A pipeline `$a, $b := command | command`. Each command is a list of operands."""

    commands: list[list[Operand]]
    variables: list[str] = field(default_factory=list)
    declares: bool = True


@dataclass(frozen=True)
class Operand:
    """An operand. kind: literal, dot, variable, function, pipe; fields: the field names that follow it."""

    kind: str
    value: Any
    fields: tuple[str, ...]
    place: int


class Template:
    """One file: its nodes and the templates it defines."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source
        self.defines: dict[str, list[Node]] = {}
        self._pieces = list(self._split())
        self._at = 0
        self.nodes, end = self._block(())
        if end:
            raise TemplateError(f"parse error at ({self.where(end.place)}): unexpected {{{{{end.kind}}}}}")

    def where(self, place: int) -> str:
        """`name:line:column` of an offset. Go counts columns from 0."""
        line = self.source.count("\n", 0, place) + 1
        return f"{self.name}:{line}:{place - (self.source.rfind(chr(10), 0, place) + 1)}"

    def _split(self) -> Any:
        place = 0
        trim = False
        while True:
            start = _OPEN.search(self.source, place)
            text = self.source[place : start.start() if start else len(self.source)]
            text = text.lstrip() if trim else text
            if start and start[1]:
                text = text.rstrip()
            if text:
                yield Node("text", place, text)
            if not start:
                return
            tokens, place, trim = self._tokens(start.end())
            if tokens:
                yield tokens

    def _tokens(self, place: int) -> tuple[list[_Token], int, bool]:
        tokens: list[_Token] = []
        while True:
            close = re.compile(r"(\s-)?\}\}").match(self.source, place)
            if close:
                return tokens, close.end(), bool(close[1])
            match = _ACTION.match(self.source, place)
            if not match:
                line = self.source.count("\n", 0, place) + 1
                what = self.source[place : place + 1] or "EOF"
                raise TemplateError(f"parse error at ({self.name}:{line}): unexpected {what!r} in command")
            kind = match.lastgroup
            if kind and kind != "comment":
                spaced = tokens and place > 0 and not self.source[place - 1].isspace()
                tokens.append(_Token(match[0] if kind == "mark" else kind, match[0], place if not spaced else -place))
            place = match.end()

    def _block(self, ends: tuple[str, ...]) -> tuple[list[Node], Node | None]:
        nodes: list[Node] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, Node):
                nodes.append(piece)
                continue
            node = self._action(piece)
            if node.kind in ("end", "else"):
                if node.kind not in ends:
                    raise TemplateError(f"parse error at ({self.where(node.place)}): unexpected {{{{{node.kind}}}}}")
                return nodes, node
            if node.kind != "define":
                nodes.append(node)
        if ends:
            line = self.source.count("\n") + 1
            raise TemplateError(f"parse error at ({self.name}:{line}): unexpected EOF")
        return nodes, None

    def _action(self, tokens: list[_Token]) -> Node:
        reader = _Reader(self, tokens)
        first = tokens[0]
        word = first.text if first.kind == "word" else ""
        place = abs(first.place)
        if word in ("if", "range", "with"):
            reader.take()
            return self._branch(Node(word, place, pipe=reader.pipe()))
        if word == "else":
            reader.take()
            rest = reader.at
            if rest is not None and rest.text in ("if", "with"):
                reader.take()
                return Node("else", place, text=rest.text, pipe=reader.pipe())
            return Node("else", place)
        if word in ("end", "break", "continue"):
            return Node(word, place)
        if word in ("define", "block"):
            reader.take()
            name = _unquoted(reader.take().text)
            pipe = reader.pipe() if word == "block" else None
            body, _ = self._block(("end",))
            self.defines[name] = body
            return Node("template", place, name, pipe) if word == "block" else Node("define", place)
        if word == "template":
            reader.take()
            name = _unquoted(reader.take().text)
            return Node("template", place, name, reader.pipe() if reader.at else None)
        return Node("action", place, pipe=reader.pipe())

    def _branch(self, node: Node) -> Node:
        node.body, end = self._block(("end", "else"))
        if end and end.kind == "else":
            if end.pipe:
                node.other = [self._branch(Node(end.text, end.place, pipe=end.pipe))]
            else:
                node.other, _ = self._block(("end",))
        return node


class _Reader:
    """The tokens of one action. A negative place marks a token without a blank before it."""

    def __init__(self, template: Template, tokens: list[_Token]) -> None:
        self.template, self.tokens, self.index = template, tokens, 0

    @property
    def at(self) -> _Token | None:
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    def take(self) -> _Token:
        token = self.at
        if token is None:
            raise self.error("missing value for command")
        self.index += 1
        return token

    def error(self, text: str) -> TemplateError:
        line = self.template.source.count("\n", 0, abs(self.tokens[0].place)) + 1
        return TemplateError(f"parse error at ({self.template.name}:{line}): {text}")

    def pipe(self) -> Pipe:
        variables, declares, start = [], True, self.index
        while self.at and self.at.kind == "variable":
            variables.append(self.take().text)
            if self.at and self.at.kind in (":=", "="):
                declares = self.take().kind == ":="
                break
            if not (self.at and self.at.kind == ","):
                variables, self.index = [], start
                break
            self.take()
        else:
            variables, self.index = [], start
        commands = [self.command()]
        while self.at and self.at.kind == "|":
            self.take()
            commands.append(self.command())
        return Pipe(commands, variables, declares)

    def command(self) -> list[Operand]:
        operands = []
        while self.at and self.at.kind not in ("|", ")"):
            operands.append(self.operand())
        if not operands:
            raise self.error("missing value for command")
        return operands

    def operand(self) -> Operand:
        token = self.take()
        place = abs(token.place)
        kind, value = self.term(token)
        fields: tuple[str, ...] = (token.text[1:],) if token.kind == "field" else ()
        while self.at and self.at.kind == "field" and self.at.place < 0:
            fields += (self.take().text[1:],)
        return Operand(kind, value, fields, place)

    def term(self, token: _Token) -> tuple[str, Any]:
        """The kind and the value of an operand without the fields that follow it."""
        match token.kind:
            case "string":
                return "literal", _unquoted(token.text)
            case "number":
                return "literal", float(token.text) if "." in token.text else int(token.text)
            case "field" | ".":
                return "dot", None
            case "variable":
                return "variable", token.text
            case "(":
                inner = self.pipe()
                if self.take().kind != ")":
                    raise self.error("unclosed left paren")
                return "pipe", inner
            case "word" if token.text in _CONSTANTS:
                return "literal", _CONSTANTS[token.text]
            case "word":
                return "function", token.text
        raise self.error(f"unexpected {token.text!r} in operand")


_CONSTANTS = {"true": True, "false": False, "nil": None}


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), text[1:-1])
