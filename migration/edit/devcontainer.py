"""The edits by which a devcontainer.json needs no local cluster and gets what the tunnel needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from migration.edit.jsonc import Jsonc
from migration.mapping import DevContainer
from tasks.core.errors import Trouble

_Document = dict[str, Any]
_TYPES: dict[str, type] = {
    "features": dict, "containerEnv": dict, "portsAttributes": dict, "runArgs": list, "capAdd": list, "mounts": list, "forwardPorts": list,
}  # fmt: skip


class Action(StrEnum):
    """What an edit does with a member."""

    APPEND = "append"
    DROP = "drop"
    REMOVE = "remove"
    SET = "set"


@dataclass(frozen=True)
class Edit:
    """One edit of the member at this path of keys. value: the entries to append, the entry to drop, or what to set."""

    action: Action
    keys: tuple[str, ...]
    value: Any = None

    def apply(self, document: Jsonc) -> None:
        """Do it."""
        match self.action:
            case Action.APPEND:
                document.append(self.keys, self.value)
            case Action.DROP:
                document.drop(self.keys, self.value)
            case Action.REMOVE:
                document.remove(*self.keys)
            case Action.SET:
                document.set(self.keys, self.value)


def edits_for(now: _Document, wanted: _Document, rules: DevContainer) -> list[Edit]:
    """The edits that the document needs. wanted: the suite's own devcontainer.json. Raises Trouble for a wrong type."""
    _check_types(now)
    removed_mounts, added_mounts = _mounts(now.get("mounts", []), wanted.get("mounts", []))
    added = {
        "runArgs": _added_arguments(now.get("runArgs", []), wanted.get("runArgs", [])),
        "capAdd": _added(now, wanted, "capAdd"),
        "forwardPorts": _added(now, wanted, "forwardPorts"),
        "mounts": added_mounts,
    }
    return [
        *_removed_members("features", now, rules.drop_features),
        *_removed_ports(now, rules.drop_ports),
        *_removed_members("containerEnv", now, rules.drop_env),
        *(Edit(Action.DROP, ("mounts",), mount) for mount in removed_mounts),
        *(Edit(Action.APPEND, (key,), values) for key, values in added.items() if values),
        *_set_members(now, wanted),
    ]


def _check_types(now: _Document) -> None:
    for key, kind in _TYPES.items():
        if not isinstance(now.get(key, kind()), kind):
            raise Trouble(f"`{key}` is not {'a list' if kind is list else 'an object'}", fix="fix devcontainer.json")


def _removed_members(group: str, now: _Document, patterns: Iterable[str]) -> Iterator[Edit]:
    for name in now.get(group, {}):
        if any(re.search(pattern, name) for pattern in patterns):
            yield Edit(Action.REMOVE, (group, name))


def _removed_ports(now: _Document, ports: Iterable[int]) -> Iterator[Edit]:
    for port in ports:
        spellings = (port, str(port), f"localhost:{port}")
        for entry in now.get("forwardPorts", []):
            if entry in spellings:
                yield Edit(Action.DROP, ("forwardPorts",), entry)
        if str(port) in now.get("portsAttributes", {}):
            yield Edit(Action.REMOVE, ("portsAttributes", str(port)))


def _added(now: _Document, wanted: _Document, key: str) -> list[Any]:
    return [value for value in wanted.get(key, []) if value not in now.get(key, [])]


def _added_arguments(now: list[Any], wanted: list[str]) -> list[str]:
    """The arguments of `docker run` that are not given yet; a flag and its value may be two entries."""
    flags = {str(argument).partition("=")[0] for argument in now}
    devices = {str(argument).removeprefix("--device=") for argument in now}

    def is_given(argument: str) -> bool:
        if argument in now or argument.removeprefix("--device=") in devices:
            return True
        return "device" not in argument and argument.partition("=")[0] in flags  # --device may be given repeatedly

    return [argument for argument in wanted if not is_given(argument)]


def _mounts(now: list[Any], wanted: list[Any]) -> tuple[list[Any], list[Any]]:
    """Replace shared volumes by those of this workspace: two containers with one ~/.kube would switch each other's cluster.

    The first list is to be dropped, the second to be added.
    """
    by_target = {_target(mount): mount for mount in now}
    shared: list[Any] = []
    added: list[Any] = []
    for mount in wanted:
        existing = by_target.get(_target(mount))
        if existing is None:
            added.append(mount)
        elif "devcontainerId" not in str(existing):
            shared.append(existing)
            added.append(mount)
    return shared, added


def _target(mount: object) -> str:
    """The path in the container: {"target": "/a"}, "source=x,target=/a,type=volume" or "source=x,dst=/a"."""
    if isinstance(mount, dict):
        return str(mount.get("target", ""))
    targets = (part.partition("=")[2] for part in str(mount).split(",") if part.startswith(("target=", "dst=")))
    return next(targets, str(mount))


def _set_members(now: _Document, wanted: _Document) -> Iterator[Edit]:
    for group in ("containerEnv", "portsAttributes"):
        for key, value in wanted.get(group, {}).items():
            if key not in now.get(group, {}):
                yield Edit(Action.SET, (group, key), value)
    for key in ("remoteUser", "init", "updateContentCommand", "postCreateCommand"):
        if key in wanted and key not in now:
            yield Edit(Action.SET, (key,), wanted[key])
