"""The variables that a file assigns, and what paths are after their expansion."""

from __future__ import annotations

import re

from migration.references import path_idioms as idioms
from migration.references.path_idioms import HERE, ROOT, UNKNOWN

_QUOTES = "\"'`"
_MAX_DEPTH = 5  # of variables whose values use other variables


class Variables:
    """The values by name; the first assignment counts, since later ones often depend on conditions."""

    def __init__(self, text: str) -> None:
        self.values: dict[str, str] = {}
        for name, value in idioms.ASSIGNMENT.findall(text):
            self.values.setdefault(name, value.split(" #")[0].strip().rstrip(",;"))

    def using(self, names: set[str]) -> set[str]:
        """These names, and those whose values use them, through up to three assignments."""
        words = {name: set(re.findall(r"\w+", value)) - {name} for name, value in self.values.items()}
        for _ in range(3):
            names = names | {name for name in words if words[name] & names}
        return names

    def expand(self, text: str, depth: int = 0) -> str:
        """Replace each variable by its value, its default, or UNKNOWN."""
        if depth > _MAX_DEPTH or ("$" not in text and "{" not in text):
            return text

        def value_of(match: re.Match[str]) -> str:
            in_braces = match[5]
            name = match[1] or match[3] or match[4] or in_braces
            value, default = self.values.get(name), match[2]
            if value is not None and not re.search(rf"\$\{{?{name}\b", value):  # X="${X:-default}" uses itself
                return self.path_of(value, depth + 1)
            if default:
                return self.path_of(default, depth + 1)
            return value if in_braces and value is not None else UNKNOWN

        return idioms.VARIABLE.sub(value_of, text)

    def path_of(self, value: str, depth: int) -> str:
        """The path that an assigned value means: without quotes, its operands joined, its variables expanded."""
        value = self.replace_idioms(value)
        if any(quote in value for quote in _QUOTES):
            join = idioms.JOIN.search(value)
            if join:
                return self._joined(join.group(1), "/", depth)
            if idioms.CHAIN.fullmatch(value):
                return self._joined(value, separator_of(value), depth)
        value = value.strip()
        if value[:1] in _QUOTES and value[-1:] == value[:1]:
            value = value[1:-1]
        elif " " in value:
            value = value.split()[0].strip("\"';")
        return self.expand(value, depth)

    def _joined(self, operands: str, separator: str, depth: int) -> str:
        return separator.join(self.operand(match.group(), depth) for match in idioms.OPERANDS.finditer(operands))

    def operand(self, text: str, depth: int = 0) -> str:
        """The value of one operand of a composed path: a string or a name."""
        literal = text.lstrip("fru") if text[-1:] in _QUOTES else text
        if literal[:1] in _QUOTES:
            return self.expand(literal[1:-1], depth)
        if literal in (HERE, ROOT, UNKNOWN):
            return literal
        value = self.values.get(literal)
        return self.path_of(value, depth + 1) if value is not None and depth < _MAX_DEPTH - 1 else UNKNOWN

    def replace_idioms(self, text: str) -> str:
        """Replace the idioms for the file's folder and for the root by HERE and ROOT."""
        text = idioms.DIRNAME.sub(HERE, text)
        text = idioms.PARENTS.sub(_parents, text)
        text = idioms.TOPLEVEL.sub(ROOT, text)
        for _ in range(2):  # $(cd "$(cd a && pwd)/b" && pwd)
            text = idioms.CD_PWD.sub(lambda match: self.expand(match[1]), text)
        return text


def separator_of(chain: str) -> str:
    """What joins the operands of a chain: `a + b` joins by nothing, `a / b` by a slash."""
    without_strings = re.sub(idioms.STRING, "", chain)
    return "" if "+" in without_strings else "/"


def _parents(match: re.Match[str]) -> str:
    index, attributes = match[1], match[2]
    return HERE + "/.." * (int(index) if index else attributes.count(".parent"))
