"""Edits of JSON with comments: what is not changed keeps every byte. json-five reads, the text is spliced."""

from __future__ import annotations

import json
import re
from typing import Any

from tasks.core.errors import Trouble

_NOISE = re.compile(r'("(?:[^"\\\\\n]|\\\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:[^"\\\\\n]|\\\\.)*")|,(?=\s*[}\]])')


def plain(text: str, name: str) -> dict[str, Any]:
    """The content as plain values, without json-five where JSON with comments and last commas is all there is to it."""
    bare = _NOISE.sub(lambda m: m[1] or " ", text.removeprefix("\ufeff"))
    try:
        found = json.loads(_LAST_COMMA.sub(lambda m: m[1] or "", bare))
    except ValueError:
        found = Jsonc(text, name).plain()
    except RecursionError:
        raise Trouble(f"{name} is nested too deeply", fix=f"mend {name}") from None
    if not isinstance(found, dict):
        raise Trouble(f"{name} is not an object", fix=f"mend {name}")
    return found


class Jsonc:
    """A JSONC text whose objects and lists can get and lose members."""

    def __init__(self, text: str, name: str) -> None:
        """Raises Trouble with the place when the text cannot be read."""
        self.name = name
        self._bom = "\ufeff" if text.startswith("\ufeff") else ""
        self.text = text.removeprefix("\ufeff")
        self._parse()

    def _parse(self) -> None:
        from json5.loader import ModelLoader, loads  # 30 ms: only when such a file is edited
        from json5.utils import JSON5DecodeError

        try:
            self._root = loads(self.text, loader=ModelLoader()).value
        except (JSON5DecodeError, ValueError, RecursionError) as why:
            raise Trouble(
                f"{self.name} cannot be read: {(str(why).splitlines() or ['no value'])[0][:200]}",
                fix=f"mend {self.name}",
            ) from None
        starts = [0]
        for line in self.text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        self._starts = starts

    def whole(self) -> str:
        """The text with its byte order mark."""
        return self._bom + self.text

    def plain(self) -> Any:
        """The content as plain Python values."""
        import json5

        return json5.loads(self.text)

    def has(self, *path: str) -> bool:
        """Is there a member at this path of keys?"""
        return self._at(path) is not None

    def set(self, path: tuple[str, ...], value: Any) -> None:
        """Add the member; an existing one keeps its value. Objects on the way are made."""
        if self._at(path) is not None:
            return
        parent = self._at(path[:-1])
        if parent is None:
            self.set(path[:-1], {path[-1]: value})
            return
        self._add(
            parent,
            [k for k, _ in self._members(parent)],
            f"{json.dumps(path[-1])}: {json.dumps(value, ensure_ascii=False)}",
        )

    def append(self, path: tuple[str, ...], values: list[Any]) -> None:
        """Add the values to the list at this path, which is made when absent; one that is there is not added again."""
        found = self._at(path)
        if found is None:
            if values:
                self.set(path, values)
            return
        for value in values:
            node = self._at(path)
            if value not in [self._value(n) for n in node.values]:
                self._add(node, list(node.values), json.dumps(value, ensure_ascii=False))

    def remove(self, *path: str) -> None:
        """Take the member away, with the comment behind it."""
        while (parent := self._at(path[:-1])) is not None:  # a key that is there twice goes twice
            found = next(((k, v) for k, v in self._members(parent) if self._value(k) == path[-1]), None)
            if found is None:
                return
            self._cut(self._span(found[0])[0], self._span(found[1])[1])

    def drop(self, path: tuple[str, ...], value: Any) -> None:
        """Take the value out of the list at this path."""
        found = self._at(path)
        for node in found.values if found is not None else []:
            if self._value(node) == value:
                self._cut(*self._span(node))
                return

    def _at(self, path: tuple[str, ...]) -> Any:
        node = self._root
        for part in path:
            # Of a key that is there twice the last one counts.
            node = next((v for k, v in reversed(self._members(node)) if self._value(k) == part), None)
            if node is None:
                return None
        return node

    @staticmethod
    def _members(node: Any) -> list[tuple[Any, Any]]:
        return [(kv.key, kv.value) for kv in getattr(node, "key_value_pairs", [])]

    def _value(self, node: Any) -> Any:
        start, end = self._span(node)
        import json5

        text = self.text[start:end]
        bare = re.fullmatch(r"[A-Za-z_$][\w$]*", text) and text not in {"true", "false", "null", "NaN", "Infinity"}
        return text if bare else json5.loads(text)

    def _span(self, node: Any) -> tuple[int, int]:
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _add(self, parent: Any, members: list[Any], text: str) -> None:
        start, end = self._span(parent)
        kids = [v for _, v in self._members(parent)] or list(getattr(parent, "values", []))
        if not kids:
            self._fill(start, end, text)
            return
        last = self._span(kids[-1])[1]
        after = self._skip(last)
        comma = self.text[after : after + 1] == ","
        first = self._span(members[0])[0]
        line = self.text.rfind("\n", 0, first) + 1
        indent = self.text[line:first]
        if "\n" not in self.text[start:end] or indent.strip():  # all in one line
            self._splice(last, after + 1 if comma else last, f", {text}")
            return
        stop = self._line_end(after + 1 if comma else last)
        ending = "\r\n" if self.text[stop - 1 : stop + 1] == "\r\n" else "\n"
        stop -= 1 if ending == "\r\n" else 0
        self._splice(stop, stop, f"{ending}{indent}{text}" + ("," if comma else ""), parse=comma)
        if not comma:
            self._splice(last, last, ",")

    def _fill(self, start: int, end: int, text: str) -> None:
        """Put the first member into an empty object or list, behind the comments that are there."""
        inside = self.text[start + 1 : end - 1]
        if not inside.strip():
            self._splice(start + 1, end - 1, f" {text} " if self.text[start] == "{" else text)
            return
        line = self.text.rfind("\n", 0, end - 1) + 1
        indent = self.text[line : end - 1]
        if line <= start or indent.strip():  # the bracket is not alone in its line
            self._splice(end - 1, end - 1, f" {text} ")
            return
        ending = "\r\n" if self.text[line - 2 : line] == "\r\n" else "\n"
        step = "\t" if indent.startswith("\t") else "  "
        self._splice(line, line, f"{indent}{step}{text}{ending}")

    def _cut(self, start: int, end: int) -> None:
        after = self._skip(end)
        had_comma = self.text[after : after + 1] == ","
        stop = after + 1 if had_comma else end
        line = self.text.rfind("\n", 0, start) + 1
        rest = self._line_end(stop)
        alone = not self.text[line:start].strip() and self._skip(stop, rest) >= rest
        if alone:
            start, stop = line, min(rest + 1, len(self.text))
        elif had_comma:
            while self.text[stop : stop + 1] == " ":
                stop += 1
        if not had_comma:
            before = self._comma_before(start)
            if before is not None:
                self._splice(start, stop, "", parse=False)
                self._splice(before, before + 1, "")
                return
        self._splice(start, stop, "")

    def _comma_before(self, place: int) -> int | None:
        """The comma that would be left over, if only blanks and comments stand between it and the place."""
        for at in range(place - 1, -1, -1):
            if self.text[at] == "," and self._skip(at + 1, place) >= place:
                return at
            if self.text[at] in "[{":
                return None
        return None

    def _line_end(self, place: int) -> int:
        found = self.text.find("\n", place)
        return len(self.text) if found < 0 else found

    def _skip(self, place: int, end: int | None = None) -> int:
        """The next place that is neither blank nor comment."""
        stop = len(self.text) if end is None else end
        while place < stop:
            if self.text[place].isspace():
                place += 1
            elif self.text.startswith("//", place):
                place = self._line_end(place)
            elif self.text.startswith("/*", place):
                place = self.text.index("*/", place) + 2
            else:
                break
        return place

    def _splice(self, start: int, end: int, text: str, *, parse: bool = True) -> None:
        self.text = self.text[:start] + text + self.text[end:]
        if parse:
            self._parse()
