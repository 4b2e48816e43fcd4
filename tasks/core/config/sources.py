"""Where settings come from: settings.yaml, settings.local.yaml, .env, the environment; later ones win.

Nothing here knows a setting: the struct to fill is an argument. A group of it with `overrides_add` only grows: what
settings.yaml has there stays.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard, TypeVar, get_args, get_origin

import msgspec

from tasks.core import regular_file, shape
from tasks.core.cli.names import nearest
from tasks.core.errors import Refused, Trouble
from tasks.core.repository import SETTINGS, config_folder
from tasks.core.yaml import strict
from tasks.core.yaml.strict import Document, KeyPath

PREFIX = "REMOTE_DEV_"
NOT_SETTINGS = {"REMOTE_DEV_STATE"}
_UNUSABLE = re.compile("[\0\ud800-\udbff]")  # the other halves are bytes of the environment that are not UTF-8
Group = TypeVar("Group", bound=msgspec.Struct)


def load(kind: type[Group], root: Path, environment: Mapping[str, str]) -> Group:
    """Read all sources of this repository and environment into the struct. Lists are replaced whole.

    Raises Trouble with file and line, or the variable, and the nearest known key. Raises Refused for an override that
    would remove something from a group that only grows.
    """
    folder = root / config_folder(root)
    base = strict.read(folder / "settings.yaml")
    known_keys(base, kind)
    documents, data, origins = [base], base.data, {}
    local = folder / "settings.local.yaml"
    if local.exists():
        document = strict.read(local)
        known_keys(document, kind)
        documents.append(document)
        data = _merge(kind, data, document.data, str(local))
        origins = {".".join(keys): document.where(keys) for keys, _ in _leaves(document.data)}
    for name, source, text in _variables(root, environment):
        keys = _key_path(kind, name, source)
        data = _merge(kind, data, _nested(keys, _typed(kind, keys, text)), f"{name} ({source})")
        origins[".".join(keys)] = f"{name} ({source})"
    return convert(data, kind, documents, origins, extra={"_root": str(root), "_origins": origins})


def convert(
    data: dict[str, Any],
    kind: type[Group],
    documents: list[Document],
    origins: Mapping[str, str] | None = None,
    extra: dict[str, Any] | None = None,
) -> Group:
    """Return the struct from the merged data. Raises Trouble, with its place, for a wrong type.

    origins: where a key path was overridden, as it is shown; extra: what is not in the data, and not checked
    """
    for keys in _unusable(data):
        place = (origins or {}).get(".".join(keys)) or _place(documents, keys)
        raise Trouble(
            f"{place}: {'.'.join(keys)}: it holds a character that no file name and no argument can have",
            fix=f"correct {'.'.join(keys)}",
        )
    try:
        return shape.convert({**data, **(extra or {})}, kind, strict=False)
    except msgspec.ValidationError as why:
        keys, reason = _complaint(str(why))
        place = (origins or {}).get(".".join(keys)) or _place(documents, keys)
        variable = f", or unset {place.split()[0]}" if place.startswith(PREFIX) else ""
        raise Trouble(
            f"{place}: {'.'.join(keys)}: {reason}",
            fix=f"correct {'.'.join(keys) or documents[0].path.name}{variable}",
        ) from None


def _unusable(data: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    """The key paths of texts with a NUL or half a surrogate pair, which YAML can write as escapes."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _unusable(value, (*at, str(key)))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _unusable(value, (*at, str(number)))
    elif isinstance(data, str) and _UNUSABLE.search(data):
        yield at


def _complaint(said: str) -> tuple[KeyPath, str]:
    """The key path and the reason in a sentence of msgspec, such as `Expected `int`, got `str` - at `$.tilt.port``.

    msgspec 0.22 has no fields for them; tests/tasks/core/config/test_settings.py holds each form.
    """
    path = re.search(r" - at `\$\.?([^`]*)`", said)
    words = re.split(r"[.\[\]]+", path[1].replace("[...]", "")) if path else []
    keys = tuple(word for word in words if word)
    reason = said.split(" - at ")[0].replace("`", "'")
    missing = re.search(r"missing required field '([^']+)'", reason)
    if missing:
        return (*keys, missing[1]), "this key is missing"
    return keys, reason[:1].lower() + reason[1:]


def _place(documents: list[Document], keys: KeyPath) -> str:
    """File and line of the key in the last document that has a line for it, else the first file."""
    for document in reversed(documents):
        if document.where(keys) != str(document.path):
            return document.where(keys)
    return str(documents[0].path)


def known_keys(document: Document, kind: Any, at: KeyPath = (), data: Any = None) -> None:
    """Raise Trouble for a key that the struct does not have, with file, line and the nearest known key."""
    value = document.data if data is None else data
    for key, inner, below in _children(document, kind, at, value):
        known_keys(document, inner, (*at, key), below if below is not None else {})


def _children(document: Document, kind: Any, at: KeyPath, value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each key below the value, with its type and its value. Raises Trouble for a key that the struct does not have."""
    origin, args = get_origin(kind), get_args(kind)
    if _is_struct(kind) and isinstance(value, dict):
        fields = _fields(kind)
        for key, below in value.items():
            if key not in fields:
                raise _unknown(document.where((*at, key)), (*at, key), list(fields))
            yield key, fields[key], below
    elif origin is list and isinstance(value, list):
        for number, item in enumerate(value):
            yield str(number), args[0], item
    elif origin is dict and isinstance(value, dict):
        for key, below in value.items():
            yield str(key), args[1], below


def _is_struct(kind: Any) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The keys of a struct with their types. Cached, because msgspec evaluates the annotations at each call."""
    return {f.encode_name: f.type for f in msgspec.structs.fields(kind) if not f.encode_name.startswith("_")}


def _variables(root: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(name, source, text) of each variable that is a setting; those of the environment last, because they win."""
    for source, variables in (("file .env", _dotenv(root / ".env")), ("environment", environment)):
        for name, text in sorted(variables.items()):
            if name.startswith(PREFIX) and name not in NOT_SETTINGS:
                yield name, source, text


def _key_path(kind: Any, name: str, source: str) -> KeyPath:
    """The key path that a variable names. Raises Trouble for one that does not exist."""
    keys = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
    for number, key in enumerate(keys):
        if _is_struct(kind):
            fields = _fields(kind)
            if key not in fields:
                raise _unknown(f"{name} ({source})", keys[: number + 1], list(fields))
            kind = fields[key]
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            raise Trouble(f"{name} ({source}): {'.'.join(keys[:number])} has nothing below it", fix=f"unset {name}")
    return keys


def _typed(kind: Any, keys: KeyPath, text: str) -> Any:
    """The text of a variable as its key path expects it: a list may be written with commas."""
    for key in keys:
        kind = _fields(kind)[key] if _is_struct(kind) else get_args(kind)[1]
    value = strict.value(text)
    if get_origin(kind) is list and isinstance(value, str):
        return [part.strip() for part in text.split(",") if part.strip()]
    return value


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        values = dotenv_values(stream=io.StringIO(regular_file.text(path)), interpolate=False)
        return {name: text for name, text in values.items() if text is not None}
    except (OSError, UnicodeDecodeError) as why:
        raise Trouble(f"cannot read {path}: {why}", fix=f"correct {path}") from None


def _unknown(place: str, keys: KeyPath, known: list[str]) -> Trouble:
    near = nearest(keys[-1], known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(known))}"
    return Trouble(f"{place}: the key '{'.'.join(keys)}' is not known", fix=hint)


def _merge(kind: Any, below: dict[str, Any], above: dict[str, Any], place: str) -> dict[str, Any]:
    """Both mappings as one, values of `above` first. kind: the type of both; place: where `above` is written."""
    only_grows = _is_struct(kind) and getattr(kind, "overrides_add", False)
    merged = dict(below)
    for key, value in above.items():
        old, inner = merged.get(key), _below(kind, key)
        if only_grows and key in merged:
            merged[key] = _grown(old, value, key, place)
        elif isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(inner, old, value, place)
        else:
            merged[key] = value
    return merged


def _grown(old: Any, value: Any, key: str, place: str) -> Any:
    """What was there and what the override adds; the override itself when it has another type, which is then reported."""
    if isinstance(old, list) and isinstance(value, list):
        return [*old, *(item for item in value if item not in old)]
    if not (isinstance(old, dict) and isinstance(value, dict)):
        return value
    changed = next((name for name in value if name in old and value[name] != old[name]), None)
    if changed is not None:
        raise Refused(
            f"{place}: {key}: '{changed}' is '{old[changed]}' in {SETTINGS}, and an override may only add",
            fix=f"remove it from {place}; to change it, edit {SETTINGS}",
        )
    return {**old, **value}


def _below(kind: Any, key: str) -> Any:
    """The type of the values at this key; None when it is not known."""
    return _fields(kind).get(key) if _is_struct(kind) else None


def _nested(keys: KeyPath, value: Any) -> dict[str, Any]:
    """The mapping that holds this value at this key path."""
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def _leaves(data: dict[str, Any], at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key), value
