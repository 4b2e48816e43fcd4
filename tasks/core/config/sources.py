"""Where settings come from: settings.yaml, settings.local.yaml, .env, the environment; later wins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from tasks.core.cli.names import nearest
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.yaml import strict
from tasks.core.yaml.strict import Document, KeyPath

PREFIX = "REMOTE_DEV_"
NOT_SETTINGS = {"REMOTE_DEV_STATE"}


def load(root: Path, environment: Mapping[str, str]) -> Settings:
    """Read all sources of this repository and environment; later ones win, lists are replaced whole."""
    base = strict.read(root / "config" / "settings.yaml")
    known_keys(base, Settings)
    data: dict[str, Any] = base.data
    origins: dict[str, str] = {}
    documents = [base]
    local = root / "config" / "settings.local.yaml"
    if local.exists():
        document = strict.read(local)
        known_keys(document, Settings)
        documents.append(document)
        data = _merge(data, document.data)
        origins.update({".".join(keys): document.where(keys) for keys, _ in _leaves(document.data)})
    for source, variables in (("file .env", _dotenv(root / ".env")), ("environment", environment)):
        for name, text in sorted(variables.items()):
            if not name.startswith(PREFIX) or name in NOT_SETTINGS:
                continue
            keys = _key_path(name, source)
            data = _merge(data, _nested(keys, _typed(keys, text)))
            origins[".".join(keys)] = f"{name} ({source})"
    loaded: Settings = convert(data, Settings, documents, origins, extra={"_root": str(root), "_origins": origins})
    return loaded


def convert(
    data: dict[str, Any],
    kind: type[Any],
    documents: list[Document],
    origins: Mapping[str, str] | None = None,
    extra: dict[str, Any] | None = None,
) -> Any:
    """The struct from the merged data; a wrong type is a Trouble with its place."""
    try:
        return msgspec.convert({**data, **(extra or {})}, kind, strict=False)
    except msgspec.ValidationError as why:
        text = str(why)
        keys = _path_in(text)
        reason = text.split(" - at ")[0].replace("`", "'")
        missing = re.search(r"missing required field '([^']+)'", reason)
        if missing:
            keys = (*keys, missing.group(1))
            reason = "this key is missing"
        place = (origins or {}).get(".".join(keys)) or next(
            (d.where(keys) for d in reversed(documents) if d.where(keys) != str(d.path)), str(documents[0].path)
        )
        variable = f", or unset {place.split()[0]}" if place.startswith(PREFIX) else ""
        raise Trouble(
            f"{place}: {'.'.join(keys)}: {_lower(reason)}",
            fix=f"correct {'.'.join(keys) or documents[0].path.name}{variable}",
        ) from None


def known_keys(document: Document, kind: Any, at: KeyPath = (), data: Any = None) -> None:
    """Refuse a key that the struct does not know, with file, line and the nearest known key."""
    value = document.data if data is None else data
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        fields = _fields(kind)
        for key, below in value.items():
            if key not in fields:
                raise _unknown(document.where((*at, key)), (*at, key), list(fields))
            known_keys(document, fields[key], (*at, key), below if below is not None else {})
        return
    for inner, items in _inside(kind, value):
        for key, below in items:
            known_keys(document, inner, (*at, key), below if below is not None else {})


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The keys of a struct with their types. msgspec reads the annotations anew each time it is asked."""
    return {f.encode_name: f.type for f in msgspec.structs.fields(kind) if not f.encode_name.startswith("_")}


def _inside(kind: Any, value: Any) -> Iterator[tuple[Any, list[tuple[str, Any]]]]:
    origin, args = get_origin(kind), get_args(kind)
    if origin is list and isinstance(value, list):
        yield args[0], [(str(i), v) for i, v in enumerate(value)]
    elif origin is dict and isinstance(value, dict):
        yield args[1], [(str(k), v) for k, v in value.items()]


def _key_path(name: str, source: str) -> KeyPath:
    keys = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
    kind: Any = Settings
    for number, key in enumerate(keys):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            fields = _fields(kind)
            if key not in fields:
                raise _unknown(f"{name} ({source})", keys[: number + 1], list(fields))
            kind = fields[key]
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            raise Trouble(f"{name} ({source}): {'.'.join(keys[:number])} has nothing below it", fix=f"unset {name}")
    return keys


def _typed(keys: KeyPath, text: str) -> Any:
    kind: Any = Settings
    for key in keys:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            kind = {f.encode_name: f.type for f in msgspec.structs.fields(kind)}[key]
        else:
            kind = get_args(kind)[1]
    found = strict.value(text)
    if get_origin(kind) is list and isinstance(found, str):
        return [part.strip() for part in text.split(",") if part.strip()]
    return found


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return {k: v for k, v in dotenv_values(path, interpolate=False).items() if v is not None}
    except (OSError, UnicodeDecodeError) as why:
        raise Trouble(f"cannot read {path}: {why}", fix=f"mend {path}") from None


def _unknown(place: str, keys: KeyPath, known: list[str]) -> Trouble:
    near = nearest(keys[-1], known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(known))}"
    return Trouble(f"{place}: the key '{'.'.join(keys)}' is not known", fix=hint)


def _path_in(text: str) -> KeyPath:
    found = re.search(r" - at `\$\.?([^`]*)`", text)
    if not found:
        return ()
    return tuple(part for part in re.split(r"[.\[\]]+", found.group(1).replace("[...]", "")) if part)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _nested(keys: KeyPath, value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def _leaves(data: dict[str, Any], at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key), value


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
