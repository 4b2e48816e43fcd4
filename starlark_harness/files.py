"""The files that a Tiltfile reads: paths relative to the executing file, YAML and JSON decoded as in Tilt."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from starlark_harness.model import Refusal
from tasks.core import strict_json
from tasks.core.yaml.bounded import loader


class Files:
    """folder: returns the folder of the executing file; watched: receives every path that is read."""

    def __init__(self, folder: Callable[[], Path], watched: list[str]) -> None:
        self.folder, self.watched = folder, watched

    def absolute(self, path: str) -> str:
        """The normalized absolute path, relative to the executing file."""
        return os.path.normpath(self.folder() / path)

    def paths(self, value: Any, parameter: str) -> tuple[str, ...]:
        """A path or a list of paths, absolute."""
        return tuple(self.absolute(p) for p in strings(value, parameter))

    def text(self, path: str, default: Any = None) -> str | None:
        """The file's text; None if it does not exist and there is a default."""
        place = self.absolute(path)
        self.watched.append(place)
        try:
            return Path(place).read_text()
        except FileNotFoundError:
            if default is not None:
                return None
            raise Refusal(f"open {place}: no such file or directory") from None
        except OSError as why:
            raise Refusal(f"read {place}: {str(why.strerror).lower()}") from None

    def read_file(self, file_path: str, default: Any = None) -> Any:
        text = self.text(file_path, default)
        return default if text is None else text

    def read_yaml(self, paths: str, default: Any = None) -> Any:
        text = self.text(paths, default)
        return default if text is None else decode_yaml(text, paths)

    def read_json(self, paths: str, default: Any = None) -> Any:
        text = self.text(paths, default)
        return default if text is None else decode_json(text)

    def watch_file(self, file_path: str) -> None:
        self.watched.append(self.absolute(file_path))

    def listdir(self, directory: str, recursive: bool = False) -> list[str]:
        place = Path(self.absolute(directory))
        entries = place.rglob("*") if recursive else place.iterdir()
        return sorted(str(p) for p in entries if p.is_file())

    def exists(self, path: str) -> bool:
        return os.path.exists(self.absolute(path))

    def abspath(self, path: str) -> str:
        return self.absolute(path)

    def realpath(self, path: str) -> str:
        return os.path.realpath(self.absolute(path))

    def relpath(self, targpath: str, basepath: str = "") -> str:
        return os.path.relpath(self.absolute(targpath), self.absolute(basepath or "."))


def join(path: str, *paths: str) -> str:
    """Go's filepath.Join. Unlike in Python, an absolute later part does not discard the earlier ones."""
    parts = [p for p in (path, *paths) if p]
    return posixpath.normpath("/".join(parts)) if parts else ""


def decode_yaml(text: str, name: str = "") -> Any:
    """Decode one document; None if it is empty. A stream is an error. Keys become strings: Tilt converts YAML to JSON."""
    documents = decode_yaml_stream(text, name)
    if len(documents) > 1:
        raise Refusal(
            "expected a yaml document but found a yaml stream (documents separated by `---`). "
            "use decode_yaml_stream instead to decode a yaml stream"
        )
    return documents[0] if documents else None


def decode_yaml_stream(text: str, name: str = "") -> list[Any]:
    """Decode all documents that are not empty."""
    try:
        return [_plain(d) for d in yaml.load_all(text, Loader=loader()) if d is not None]
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)
        problem = getattr(why, "problem", None) or str(why).splitlines()[0]
        raise Refusal(
            f"error parsing YAML from {name or 'string'}: error converting YAML to JSON: "
            f"yaml: line {mark.line + 1 if mark else 1}: {problem}"
        ) from None


def decode_json(text: str) -> Any:
    """Decode a JSON document."""
    try:
        return strict_json.loads(text)
    except ValueError as why:
        raise Refusal(f"error parsing JSON: {why}") from None


def encode_yaml(value: Any) -> str:
    """Encode as YAML with sorted keys."""
    return str(yaml.safe_dump(value, sort_keys=True))


def strings(value: Any, parameter: str) -> tuple[str, ...]:
    """A string or a list of strings as a tuple. Raises Refusal for anything else."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise Refusal(
        f'for parameter "{parameter}": value should be a string or List or Tuple of strings, but is of type {type(value).__name__}'
    )


def environment(value: Any, parameter: str) -> dict[str, str]:
    """A dict of strings. Raises Refusal for other values, as Tilt does for a number."""
    for item in value.values() if isinstance(value, dict) else ():
        if not isinstance(item, str):
            kind = {"int": "starlark.Int", "bool": "starlark.Bool"}.get(type(item).__name__, type(item).__name__)
            raise Refusal(f'for parameter "{parameter}": value is not a string: {kind} ({item})')
    return dict(value or {})


def argv(value: Any, parameter: str) -> tuple[str, ...]:
    """The argv of a command: text is run by `sh -c`, a list directly."""
    if isinstance(value, str):
        return ("sh", "-c", value) if value else ()
    return strings(value, parameter)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)  # for example a date


def _key(key: Any) -> str:
    return (
        {True: "true", False: "false", None: "null"}.get(key, str(key))
        if isinstance(key, (bool, type(None)))
        else str(key)
    )


def shown(value: Any) -> str:
    """A value as Starlark prints it inside a list or dict: strings in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(k)}: {shown(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(v) for v in value) + "]"
    return str(value)


def quote(words: Iterable[str]) -> str:
    """Quote words for a shell."""
    import shlex

    return shlex.join(words)
