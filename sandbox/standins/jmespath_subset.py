"""The part of JMESPath that scripts use with `az --query`: fields, indexes, projections, filters, multi-selects, pipes.

Slices and the rarer functions are refused as invalid, never answered wrongly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Node = Callable[[Any], Any]


class InvalidQuery(ValueError):
    """The expression is not JMESPath, or uses a part that is not here."""


_TOKEN = re.compile(
    r"""\s*(?:(?P<id>[A-Za-z_]\w*) | "(?P<quoted>(?:[^"\\]|\\.)*)" | '(?P<raw>(?:[^'\\]|\\.)*)'
    | `(?P<literal>(?:[^`\\]|\\.)*)` | (?P<number>-?\d+) | (?P<op>\[\?|\[\]|\|\||&&|[<>=!]=|[.*@\[\]{}(),:|!<>&]))""",
    re.VERBOSE,
)
_POWER = {"|": 1, "||": 2, "&&": 3, "[]": 9, "*": 20, "[?": 21, ".": 40, "!": 45, "[": 55}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: _same(a, b),
    "!=": lambda a, b: not _same(a, b),
    "<": lambda a, b: a < b if _numbers(a, b) else None,
    ">": lambda a, b: a > b if _numbers(a, b) else None,
    "<=": lambda a, b: a <= b if _numbers(a, b) else None,
    ">=": lambda a, b: a >= b if _numbers(a, b) else None,
}
_POWER.update(dict.fromkeys(_COMPARE, 5))
_STOPS_PROJECTION = 10


def search(expression: str, data: Any) -> Any:
    """What the expression selects of the data; None where nothing matches. Raises InvalidQuery."""
    parser = _Parser(_tokens(expression))
    try:
        node = parser.expression(0)
        if parser.at[0] != "end":
            raise InvalidQuery(expression)
        return node(data)
    except (TypeError, AttributeError, ValueError) as why:  # a bad escape, or a function got a value of another type
        raise InvalidQuery(f"{expression}: {why}") from None


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            raise InvalidQuery(text)
        kind = str(match.lastgroup)
        found.append((kind, match[kind]) if kind != "op" else (match[kind], match[kind]))
        place = match.end()
    return [*found, ("end", "")]


class _Parser:
    """A top-down operator precedence parser whose nodes are functions of the current value."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._place = tokens, 0

    @property
    def at(self) -> tuple[str, str]:
        return self._tokens[self._place]

    def take(self, kind: str = "") -> str:
        got, text = self.at
        if kind and got != kind:
            raise InvalidQuery(f"expected {kind}, not {text or 'the end'}")
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return text

    def expression(self, binding: int) -> Node:
        left = self.prefix()
        while binding < _POWER.get(self.at[0], 0):
            left = self.infix(left)
        return left

    def prefix(self) -> Node:
        kind, text = self.at
        self.take()
        match kind:
            case "id" if self.at[0] == "(":
                return self.call(text)
            case "id":
                return _field(text)
            case "quoted":
                return _field(json.loads(f'"{text}"'))
            case "raw":
                return _constant(text.replace("\\'", "'"))
            case "literal":
                return _constant(_literal(text))
            case "@":
                return _self
            case "*":
                return _project(_values, self.projected(20))
            case "[":
                return self.bracket(_self, multi=True)
            case "[]":
                return _project(_flat, self.projected(9))
            case "[?":
                return self.filter(_self)
            case "{":
                return self.hash()
            case "!":
                negated = self.expression(45)
                return lambda v: not _true(negated(v))
            case "&":
                inner = self.expression(0)
                return lambda v: inner
            case "(":
                grouped = self.expression(0)
                self.take(")")
                return grouped
        raise InvalidQuery(f"unexpected {text or 'end'}")

    def infix(self, left: Node) -> Node:
        kind = self.take()
        match kind:
            case ".":
                if self.at[0] == "*":
                    self.take()
                    return _chain(left, _project(_values, self.projected(20)))
                return _chain(left, self.after_dot(40))
            case "|":
                return _chain(left, self.expression(1))
            case "||":
                other = self.expression(2)
                return lambda v: got if _true(got := left(v)) else other(v)
            case "&&":
                second = self.expression(3)
                return lambda v: second(v) if _true(got := left(v)) else got
            case "[":
                return self.bracket(left, multi=False)
            case "[]":
                return _chain(left, _project(_flat, self.projected(9)))
            case "[?":
                return self.filter(left)
        if kind not in _COMPARE:
            raise InvalidQuery(f"unexpected {kind}")
        compare, right = _COMPARE[kind], self.expression(5)
        return lambda v: compare(left(v), right(v))

    def after_dot(self, binding: int) -> Node:
        if self.at[0] == "[":
            self.take()
            return self.list()
        if self.at[0] == "{":
            self.take()
            return self.hash()
        if self.at[0] not in ("id", "quoted", "*"):
            raise InvalidQuery(f"unexpected {self.at[1] or 'end'} after a dot")
        return self.expression(binding)

    def projected(self, binding: int) -> Node:
        """The rest of the expression, that a projection applies to each element."""
        kind = self.at[0]
        if _POWER.get(kind, 0) < _STOPS_PROJECTION:
            return _self
        if kind == ".":
            self.take()
            return self.after_dot(binding)
        return self.expression(binding)

    def bracket(self, left: Node, *, multi: bool) -> Node:
        if self.at[0] == "number":
            index = int(self.take())
            self.take("]")
            return lambda v: _at(left(v), index)
        if self.at[0] == "*":
            self.take()
            self.take("]")
            return _chain(left, _project(_elements, self.projected(20)))
        if not multi:
            raise InvalidQuery(f"unexpected {self.at[1] or 'end'} in brackets")
        return self.list()

    def list(self) -> Node:
        parts = [self.expression(0)]
        while self.at[0] == ",":
            self.take()
            parts.append(self.expression(0))
        self.take("]")
        return lambda v: None if v is None else [part(v) for part in parts]

    def hash(self) -> Node:
        parts: dict[str, Node] = {}
        while True:
            key = self.take("id") if self.at[0] == "id" else json.loads(f'"{self.take("quoted")}"')
            self.take(":")
            parts[key] = self.expression(0)
            if self.at[0] != ",":
                break
            self.take()
        self.take("}")
        return lambda v: None if v is None else {key: part(v) for key, part in parts.items()}

    def filter(self, left: Node) -> Node:
        condition = self.expression(0)
        self.take("]")
        wanted: Node = lambda v: [one for one in v if _true(condition(one))] if isinstance(v, list) else None  # noqa: E731
        return _chain(left, _project(wanted, self.projected(21)))

    def call(self, name: str) -> Node:
        self.take("(")
        arguments: list[Node] = []
        while self.at[0] != ")":
            arguments.append(self.expression(0))
            if self.at[0] == ",":
                self.take()
        self.take(")")
        if name not in _FUNCTIONS:
            raise InvalidQuery(f"unknown function {name}()")
        function = _FUNCTIONS[name]
        return lambda v: function(*(argument(v) for argument in arguments))


def _self(value: Any) -> Any:
    return value


def _field(name: str) -> Node:
    return lambda v: v.get(name) if isinstance(v, dict) else None


def _constant(value: Any) -> Node:
    return lambda v: value


def _chain(first: Node, then: Node) -> Node:
    return lambda v: then(first(v))


def _project(elements: Node, each: Node) -> Node:
    def run(value: Any) -> Any:
        found = elements(value)
        return None if found is None else [got for one in found if (got := each(one)) is not None]

    return run


def _elements(value: Any) -> Any:
    return value if isinstance(value, list) else None


def _values(value: Any) -> Any:
    return list(value.values()) if isinstance(value, dict) else None


def _flat(value: Any) -> Any:
    if not isinstance(value, list):
        return None
    return [inner for one in value for inner in (one if isinstance(one, list) else [one])]


def _at(value: Any, index: int) -> Any:
    return value[index] if isinstance(value, list) and -len(value) <= index < len(value) else None


def _literal(text: str) -> Any:
    text = text.strip().replace("\\`", "`")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _true(value: Any) -> bool:
    return value not in (None, False, "", [], {}) or (isinstance(value, int) and not isinstance(value, bool))


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _numbers(*values: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "length": len,
    "contains": lambda where, what: what in where,
    "starts_with": lambda text, start: text.startswith(start),
    "ends_with": lambda text, end: text.endswith(end),
    "join": lambda glue, parts: glue.join(parts),
    "keys": list,
    "values": lambda value: list(value.values()),
    "sort": sorted,
    "sort_by": lambda items, key: sorted(items, key=key),
    "reverse": lambda value: value[::-1],
    "max": lambda items: max(items, default=None),
    "min": lambda items: min(items, default=None),
    "not_null": lambda *values: next((v for v in values if v is not None), None),
    "to_string": lambda value: value if isinstance(value, str) else json.dumps(value, separators=(",", ":")),
    "to_number": lambda value: float(value) if "." in str(value) else int(value),
}
