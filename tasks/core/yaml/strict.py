"""YAML files that people write: read strictly, every complaint with its file and line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core.errors import Trouble

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A mapping read from a file. `lines` tells the line (from 1) of each key path; list places count as `0`, `1` ..."""

    path: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict, repr=False)

    def where(self, keys: KeyPath) -> str:
        """`file:line` of the key path, or of the nearest parent that has a line."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return f"{self.path}:{self.lines[keys[:end]]}"
        return str(self.path)


def read(path: Path) -> Document:
    """The file's mapping; empty for an empty file. Raises Trouble for what cannot be read, in one line."""
    import yaml

    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise Trouble(
            f"{path} is missing", fix=f"git checkout {path.name}, or copy it from the suite's repository"
        ) from None
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not text in UTF-8", fix=f"restore it: git checkout -- {path}") from None
    except OSError as why:
        raise Trouble(f"cannot read {path}: {why.strerror}", fix=f"look at the owner of {path}") from None
    try:
        node = yaml.compose(text, Loader=loader())
        lines: dict[KeyPath, int] = {}
        data = _plain(node, (), lines, path) if node is not None else {}
    except yaml.MarkedYAMLError as why:
        mark = why.problem_mark or why.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise Trouble(
            f"{place}: {why.problem or why.context}", fix="mend the line (YAML knows no tabs for indentation)"
        ) from None
    except RecursionError:  # an alias to itself, or a thousand brackets
        raise Trouble(
            f"{path} is nested too deeply", fix=f"mend {path}, or restore it: git checkout -- {path}"
        ) from None
    except yaml.YAMLError as why:
        raise Trouble(
            f"{path} is not YAML: {str(why).splitlines()[0]}", fix=f"restore it: git checkout -- {path}"
        ) from None
    if not isinstance(data, dict):
        raise Trouble(f"{path}:1: a mapping is expected (key: value)", fix=f"mend {path}")
    return Document(path, data, lines)


def value(text: str) -> Any:
    """A value from the environment: YAML where it looks like a list or mapping, else the text itself."""
    if text.startswith(("[", "{")):
        import yaml

        try:
            return yaml.load(text, Loader=loader())
        except (yaml.YAMLError, ValueError, RecursionError):
            return text
    return text


def loader() -> Any:
    """The safe loader, in C where this PyYAML has it: ten times as fast."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _plain(node: Any, at: KeyPath, lines: dict[KeyPath, int], path: Path) -> Any:
    import yaml

    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise Trouble(f"{path}:{key_node.start_mark.line + 1}: a key must be a word", fix=f"mend {path}")
            key = str(key_node.value)
            if key in found:
                raise Trouble(
                    f"{path}:{key_node.start_mark.line + 1}: the key '{key}' stands here twice",
                    fix="remove one of them",
                )
            lines[(*at, key)] = key_node.start_mark.line + 1
            found[key] = _plain(value_node, (*at, key), lines, path)
        return found
    if isinstance(node, yaml.SequenceNode):
        places = []
        for number, item in enumerate(node.value):
            lines[(*at, str(number))] = item.start_mark.line + 1
            places.append(_plain(item, (*at, str(number)), lines, path))
        return places
    try:
        return _scalar(node)
    except ValueError as why:  # looks like a date or a number, and is none: 2024-13-45
        raise Trouble(
            f"{path}:{node.start_mark.line + 1}: '{node.value}' is no value: {why}", fix="put it in quotes"
        ) from None


def _scalar(node: Any) -> Any:
    import yaml

    reader = yaml.SafeLoader("")
    try:
        return reader.construct_object(node, deep=True)
    finally:
        reader.dispose()
