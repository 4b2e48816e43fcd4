"""YAML files that people write: read strictly, every error with file and line."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core import regular_file
from tasks.core.errors import Trouble
from tasks.core.yaml.bounded import INVALID, loader

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A mapping read from a file."""

    path: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict, repr=False)
    """The line, from 1, of each key path. An item of a list has its place as key: `0`, `1` ..."""

    def where(self, keys: KeyPath) -> str:
        """Return `file:line` of the key path, or of the nearest parent that has a line."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return f"{self.path}:{self.lines[keys[:end]]}"
        return str(self.path)


def read(path: Path) -> Document:
    """Return the file's mapping, empty for an empty file. Raises Trouble for what cannot be read."""
    import yaml

    text = _text(path)
    lines: dict[KeyPath, int] = {}
    try:
        node = yaml.compose(text, Loader=loader())
        data = _Reader(path, lines).plain(node, ()) if node is not None else {}
    except yaml.MarkedYAMLError as why:
        mark = why.problem_mark or why.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise Trouble(f"{place}: {why.problem or why.context}", fix=_fix(text, mark.line if mark else None)) from None
    except yaml.YAMLError as why:
        raise Trouble(
            f"{path} is not YAML: {str(why).splitlines()[0]}",
            fix=f"restore it: git checkout -- {shlex.quote(str(path))}",
        ) from None
    if not isinstance(data, dict):
        raise Trouble(f"{path}:1: a mapping is expected (key: value)", fix=f"correct {path}")
    return Document(path, data, lines)


def _text(path: Path) -> str:
    try:
        return regular_file.text(path)
    except FileNotFoundError:
        raise Trouble(
            f"{path} is missing",
            fix=f"git checkout -- {shlex.quote(str(path))}, or copy it from the suite's repository",
        ) from None
    except UnicodeDecodeError:
        raise Trouble(
            f"{path} is not text in UTF-8", fix=f"restore it: git checkout -- {shlex.quote(str(path))}"
        ) from None
    except OSError as why:
        raise Trouble(f"cannot read {path}: {why.strerror}", fix=f"look at the owner of {path}") from None


def _fix(text: str, number: int | None) -> str:
    """How to correct the line of this number, counted from 0."""
    line = "" if number is None else "".join(text.split("\n")[number : number + 1])
    return "correct the line (YAML allows no tabs for indentation)" if "\t" in line else "correct the line"


def value(text: str) -> Any:
    """Return a value of the environment: YAML when it looks like a list or a mapping, else the text itself."""
    if text.startswith(("[", "{")):
        import yaml

        try:
            return yaml.load(text, Loader=loader())
        except yaml.YAMLError:
            return text
    return text


@dataclass(frozen=True)
class _Reader:
    """Turns the nodes of one file into data, and notes the line of each key."""

    path: Path
    lines: dict[KeyPath, int]

    def plain(self, node: Any, at: KeyPath) -> Any:
        """The node as data. Raises Trouble for what a person can write wrongly in valid YAML."""
        import yaml

        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*at, str(number))) for number, item in enumerate(node.value)]
        try:
            return _scalar(node)
        except INVALID as why:  # it looks like a date or a number but is not valid: 2024-13-45
            reason = f": {why}" if isinstance(why, ValueError) else ""
            raise Trouble(
                f"{self._place(node)}: '{node.value}' is not a valid value{reason}", fix="put it in quotes"
            ) from None

    def _mapping(self, node: Any, at: KeyPath) -> dict[str, Any]:
        import yaml

        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise Trouble(f"{self._place(key_node)}: a key must be a word", fix=f"correct {self.path}")
            key = str(key_node.value)
            if key in data:
                raise Trouble(f"{self._place(key_node)}: the key '{key}' is here twice", fix="remove one of them")
            self.lines[(*at, key)] = key_node.start_mark.line + 1
            data[key] = self.plain(value_node, (*at, key))
        return data

    def _item(self, node: Any, at: KeyPath) -> Any:
        self.lines[at] = node.start_mark.line + 1
        return self.plain(node, at)

    def _place(self, node: Any) -> str:
        return f"{self.path}:{node.start_mark.line + 1}"


def _scalar(node: Any) -> Any:
    import yaml

    reader = yaml.SafeLoader("")
    try:
        value = reader.construct_object(node, deep=True)
    finally:
        reader.dispose()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is expected")
    return value
