"""Edit JSON with comments; what is not changed keeps every byte.

json-five says where each member is; the text itself is edited, because its model writer does not keep all comments.
Dev containers use JSON with comments and trailing commas: https://containers.dev/implementors/json_reference/
"""

from __future__ import annotations

import json
import re
from typing import Any

from tasks.core.errors import Trouble

_STRING = r'("(?:[^"\\\n]|\\.)*")'  # matched first, so that nothing inside a string is taken for a comment or comma
_COMMENT = re.compile(_STRING + r"|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(_STRING + r"|,(?=\s*[}\]])")  # [1, 2,] and {"a": 1,}
_BARE_KEY = re.compile(r"[A-Za-z_$][\w$]*")  # {name: 1}, which JSON5 allows
_JSON5_WORDS = {"true", "false", "null", "NaN", "Infinity"}


def plain(text: str, name: str) -> dict[str, Any]:
    """The content as plain values. json-five, which is slow, reads only what is more than JSON with comments."""
    without_comments = _COMMENT.sub(lambda match: match[1] or " ", text.removeprefix("\ufeff"))
    try:
        content = json.loads(_TRAILING_COMMA.sub(lambda match: match[1] or "", without_comments))
    except ValueError:
        content = Jsonc(text, name).plain()
    except RecursionError:
        raise Trouble(f"{name} is nested too deeply", fix=f"fix {name}") from None
    if not isinstance(content, dict):
        raise Trouble(f"{name} is not an object", fix=f"fix {name}")
    return content


class Jsonc:
    """A text of JSON with comments whose objects and lists can get and lose members."""

    def __init__(self, text: str, name: str, obsolete: re.Pattern[str] | None = None) -> None:
        """Raises Trouble with the place when the text cannot be read.

        obsolete: a comment above a removed member that matches is removed with it
        """
        self.name, self._obsolete = name, obsolete
        self._byte_order_mark = "\ufeff" if text.startswith("\ufeff") else ""
        self.text = text.removeprefix("\ufeff")
        self._parse()

    def _parse(self) -> None:
        from json5.loader import ModelLoader, loads  # 30 ms: only when such a file is edited
        from json5.utils import JSON5DecodeError

        try:
            self._root = loads(self.text, loader=ModelLoader()).value
        except (JSON5DecodeError, ValueError, RecursionError) as why:
            raise Trouble(
                f"{self.name} cannot be parsed: {(str(why).splitlines() or ['no value'])[0][:200]}",
                fix=f"fix {self.name}",
            ) from None
        self._line_starts = [0]
        for line in self.text.split("\n"):
            self._line_starts.append(self._line_starts[-1] + len(line) + 1)

    def whole(self) -> str:
        """The text with its byte order mark."""
        return self._byte_order_mark + self.text

    def plain(self) -> Any:
        """The content as plain Python values."""
        import json5

        return json5.loads(self.text)

    def has(self, *path: str) -> bool:
        """Does this path of keys exist?"""
        return self._at(path) is not None

    def set(self, path: tuple[str, ...], value: Any) -> None:
        """Add the member, with the objects above it; an existing member keeps its value."""
        if self._at(path) is not None:
            return
        parent = self._at(path[:-1])
        if parent is None:
            self.set(path[:-1], {path[-1]: value})
            return
        keys = [key for key, _ in self._members(parent)]
        self._add(parent, keys, f"{json.dumps(path[-1])}: {json.dumps(value, ensure_ascii=False)}")

    def replace(self, path: tuple[str, ...], value: Any) -> None:
        """Give the member at this path another value."""
        node = self._at(path)
        if node is not None and self._value(node) != value:
            self._splice(*self._span(node), json.dumps(value, ensure_ascii=False))

    def exchange(self, old: str, new: str, value: Any) -> None:
        """Put another member, with its name and value, in the place of a member of the root."""
        for key, node in self._members(self._root):
            if self._value(key) == old:
                text = f"{json.dumps(new)}: {json.dumps(value, ensure_ascii=False)}"
                self._splice(self._span(key)[0], self._span(node)[1], text)
                return

    def append(self, path: tuple[str, ...], values: list[Any]) -> None:
        """Add the values that the list at this path lacks. A list that does not exist is created."""
        if self._at(path) is None:
            if values:
                self.set(path, values)
            return
        for value in values:
            node = self._at(path)
            if value not in [self._value(element) for element in node.values]:
                self._add(node, list(node.values), json.dumps(value, ensure_ascii=False))

    def remove(self, *path: str) -> None:
        """Remove the member, with the comment behind it. A duplicate key is removed each time it occurs."""
        while (parent := self._at(path[:-1])) is not None:
            members = self._members(parent)
            member = next(((key, value) for key, value in members if self._value(key) == path[-1]), None)
            if member is None:
                return
            key, value = member
            self._cut(self._span(key)[0], self._span(value)[1])

    def drop(self, path: tuple[str, ...], value: Any) -> None:
        """Remove the value from the list at this path."""
        elements = self._at(path)
        for element in elements.values if elements is not None else []:
            if self._value(element) == value:
                self._cut(*self._span(element))
                return

    def _at(self, path: tuple[str, ...]) -> Any:
        node = self._root
        for part in path:
            # Of a duplicate key the last one counts, as in every JSON reader.
            members = reversed(self._members(node))
            node = next((value for key, value in members if self._value(key) == part), None)
            if node is None:
                return None
        return node

    @staticmethod
    def _members(node: Any) -> list[tuple[Any, Any]]:
        return [(pair.key, pair.value) for pair in getattr(node, "key_value_pairs", [])]

    def _value(self, node: Any) -> Any:
        start, end = self._span(node)
        import json5

        text = self.text[start:end]
        is_bare_key = _BARE_KEY.fullmatch(text) and text not in _JSON5_WORDS
        return text if is_bare_key else json5.loads(text)

    def _span(self, node: Any) -> tuple[int, int]:
        return (
            self._line_starts[node.lineno - 1] + node.col_offset,
            self._line_starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _add(self, parent: Any, members: list[Any], text: str) -> None:
        """Add the text behind the last member, in the style of the others. members: keys, or elements of a list."""
        start, end = self._span(parent)
        values = [value for _, value in self._members(parent)] or list(getattr(parent, "values", []))
        if not values:
            self._fill(start, end, text)
            return
        last_end = self._span(values[-1])[1]
        after = self._skip(last_end)
        has_comma = self.text[after : after + 1] == ","
        place = after + 1 if has_comma else last_end
        indent = self._indent_before(self._span(members[0])[0])
        stop = self._line_end(place)
        is_last_of_line = stop < end and self._skip(place, stop) == stop  # else a bracket or half a comment follows
        if indent.strip() or not is_last_of_line:
            self._splice(place, place, f" {text}" if has_comma else f", {text}")
        else:
            self._add_line(place, last_end, indent + text, has_comma)

    def _indent_before(self, place: int) -> str:
        return self.text[self.text.rfind("\n", 0, place) + 1 : place]

    def _add_line(self, place: int, last_end: int, line: str, has_comma: bool) -> None:
        """Add a line below that of `place`; the last member gets a comma if it has none."""
        stop = self._line_end(place)
        line_end = "\n"
        if self.text[stop - 1 : stop + 1] == "\r\n":
            line_end, stop = "\r\n", stop - 1
        self._splice(stop, stop, f"{line_end}{line}" + ("," if has_comma else ""), parse=has_comma)
        if not has_comma:
            self._splice(last_end, last_end, ",")

    def _fill(self, start: int, end: int, text: str) -> None:
        """Add the first member of an empty object or list, behind its comments."""
        inside = self.text[start + 1 : end - 1]
        if not inside.strip():
            self._splice(start + 1, end - 1, f" {text} " if self.text[start] == "{" else text)
            return
        line = self.text.rfind("\n", 0, end - 1) + 1
        indent = self.text[line : end - 1]
        if line <= start or indent.strip():  # the bracket is not alone in its line
            self._splice(end - 1, end - 1, f" {text} ")
            return
        line_end = "\r\n" if self.text[line - 2 : line] == "\r\n" else "\n"
        step = "\t" if indent.startswith("\t") else "  "
        self._splice(line, line, f"{indent}{step}{text}{line_end}")

    def _cut(self, start: int, end: int) -> None:
        """Remove the text and its comma; of a member that is alone in its lines also the comment behind it."""
        after = self._skip(end)
        has_comma = self.text[after : after + 1] == ","
        stop = after + 1 if has_comma else end
        line = self.text.rfind("\n", 0, start) + 1
        line_end = self._line_end(stop)
        is_alone = not self.text[line:start].strip() and self._skip(stop, line_end) == line_end
        if is_alone:
            start, stop = self._with_comment_above(line), min(line_end + 1, len(self.text))
        elif has_comma:
            while self.text[stop : stop + 1] == " ":
                stop += 1
        comma_before = None if has_comma else self._comma_before(start)
        if comma_before is None:
            self._splice(start, stop, "")
        else:  # the last member: the comma of the one before it would be left over
            self._splice(start, stop, "", parse=False)
            self._splice(comma_before, comma_before + 1, "")

    def _with_comment_above(self, line: int) -> int:
        """The start of the obsolete comment above the line that starts here; else the start of the line."""
        lines = self.text[:line].splitlines(keepends=True)
        first = next((n for n in range(len(lines) - 1, -1, -1) if not lines[n].lstrip().startswith("//")), -1) + 1
        texts = [text.strip().removeprefix("//").strip() for text in lines[first:]]
        matching = (n for n, text in enumerate(texts) if self._obsolete is not None and self._obsolete.search(text))
        top = next(matching, len(texts))
        while 0 < top < len(texts) and texts[top][:1].islower():  # it continues the sentence of the line above it
            top -= 1
        return line - sum(map(len, lines[first + top :]))

    def _comma_before(self, place: int) -> int | None:
        """The comma before the place, if only blanks and comments are between them."""
        for at in range(place - 1, -1, -1):
            if self.text[at] == "," and self._skip(at + 1, place) >= place:
                return at
            if self.text[at] in "[{":
                return None
        return None

    def _line_end(self, place: int) -> int:
        newline = self.text.find("\n", place)
        return len(self.text) if newline < 0 else newline

    def _skip(self, place: int, end: int | None = None) -> int:
        """The next place that is neither blank nor in a comment."""
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
