"""The edits by which a devcontainer.json needs no local cluster and gets what the tunnel needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from migration.edit import mounts
from migration.edit.jsonc import Jsonc
from migration.mapping import DevContainer
from tasks.core.errors import Trouble

_Document = dict[str, Any]
_TYPES: dict[str, type] = {
    "features": dict, "containerEnv": dict, "remoteEnv": dict, "portsAttributes": dict, "build": dict, "runArgs": list, "capAdd": list, "mounts": list, "forwardPorts": list,
}  # fmt: skip


class Action(StrEnum):
    """What an edit does with a member."""

    APPEND = "append"
    DROP = "drop"
    REMOVE = "remove"
    REPLACE = "replace"
    SET = "set"


@dataclass(frozen=True)
class Edit:
    """One edit of the member at this path of keys. value: the entries to append, the entry to drop, or the new value."""

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
            case Action.REPLACE:
                document.replace(self.keys, self.value)
            case Action.SET:
                document.set(self.keys, self.value)


def edits_for(now: _Document, wanted: _Document, rules: DevContainer) -> list[Edit]:
    """The edits that the document needs. wanted: the suite's own devcontainer.json. Raises Trouble for a wrong type."""
    check_types(now)
    arguments = now.get("runArgs", [])
    elsewhere = mounts.of_arguments(arguments)
    wanted_mounts = [m for m in wanted.get("mounts", []) if mounts.parts(m)["target"] not in elsewhere]
    removed_mounts, added_mounts = mounts.exchanged(now.get("mounts", []), wanted_mounts)
    added = {
        "runArgs": _added_arguments(now, wanted.get("runArgs", [])),
        "capAdd": _added_capabilities(now, wanted.get("capAdd", [])),
        "forwardPorts": [p for p in wanted.get("forwardPorts", []) if not _spellings(p) & _texts(now, "forwardPorts")],
        "mounts": added_mounts,
    }
    return [
        *_removed_members("features", now, rules.drop_features),
        *_removed_ports(now, rules.drop_ports),
        *_removed_members("containerEnv", now, rules.drop_env),
        *_removed_members("remoteEnv", now, rules.drop_env),
        *(Edit(Action.DROP, ("mounts",), mount) for mount in removed_mounts),
        *(Edit(Action.APPEND, (key,), values) for key, values in added.items() if values),
        *_set_members(now, wanted),
    ]


def check_types(now: _Document) -> None:
    """Raises Trouble when a member that is read has another type than the specification says."""
    for key, kind in _TYPES.items():
        if not isinstance(now.get(key, kind()), kind):
            raise Trouble(f"`{key}` is not {'a list' if kind is list else 'an object'}", fix="fix devcontainer.json")


def _removed_members(group: str, now: _Document, patterns: Iterable[str]) -> Iterator[Edit]:
    for name in now.get(group, {}):
        if any(re.search(pattern, name) for pattern in patterns):
            yield Edit(Action.REMOVE, (group, name))


def _removed_ports(now: _Document, ports: Iterable[int]) -> Iterator[Edit]:
    for port in ports:
        for entry in now.get("forwardPorts", []):
            if str(entry) in _spellings(port):
                yield Edit(Action.DROP, ("forwardPorts",), entry)
        if str(port) in now.get("portsAttributes", {}):
            yield Edit(Action.REMOVE, ("portsAttributes", str(port)))


def _spellings(port: int) -> set[str]:
    return {str(port), f"localhost:{port}"}


def _texts(now: _Document, key: str) -> set[str]:
    return {str(value) for value in now.get(key, [])}


def _is_privileged(now: _Document) -> bool:
    """Does the container have all capabilities and devices?"""
    return now.get("privileged") is True or "--privileged" in now.get("runArgs", [])


def _added_capabilities(now: _Document, wanted: list[str]) -> list[str]:
    """The capabilities that neither capAdd nor an argument of `docker run` gives."""
    words = " ".join(map(str, now.get("runArgs", []))).upper()
    by_argument = re.findall(r"--CAP-ADD[= ](\S+)", words)
    given = {name.upper().removeprefix("CAP_") for name in [*_texts(now, "capAdd"), *by_argument]}
    return [] if _is_privileged(now) or "ALL" in given else [name for name in wanted if name not in given]


def _added_arguments(now: _Document, wanted: list[str]) -> list[str]:
    """The arguments of `docker run` that are not given yet; a flag and its value may be two entries."""
    words = [str(argument) for argument in now.get("runArgs", [])]
    flags = {"--hostname" if word == "-h" else word.partition("=")[0] for word in words}
    devices = {word.removeprefix("--device=").partition(":")[0] for word in words}
    shares_name = re.search(r"--net(?:work)?[= ]container:|--uts[= ]host", " ".join(words))  # refuse a --hostname

    def is_given(argument: str) -> bool:
        if argument.startswith("--device="):  # it may be given repeatedly
            return _is_privileged(now) or argument.removeprefix("--device=") in devices
        flag = argument.partition("=")[0]
        return flag in flags or (flag == "--hostname" and shares_name is not None)

    return [argument for argument in wanted if not is_given(argument)]


def _set_members(now: _Document, wanted: _Document) -> Iterator[Edit]:
    for group in ("containerEnv", "portsAttributes"):
        given = {*now.get(group, {}), *(now.get("remoteEnv", {}) if group == "containerEnv" else {})}
        for key, value in wanted.get(group, {}).items():
            if key not in given:
                yield Edit(Action.SET, (group, key), value)
    given_otherwise = {"remoteUser": "containerUser" in now, "init": "--init" in now.get("runArgs", [])}
    for key in ("remoteUser", "init", "updateContentCommand", "postCreateCommand"):
        if key in wanted and key not in now and not given_otherwise.get(key):
            yield Edit(Action.SET, (key,), wanted[key])
