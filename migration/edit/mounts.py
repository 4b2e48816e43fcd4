"""The mounts of a dev container, compared by what they mean: a string and an object can be the same mount."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

_NAMES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_WITHOUT_MEANING = {"consistency"}  # only a hint for Docker on a Mac
PER_WORKSPACE = "devcontainerId"


def parts(mount: object) -> dict[str, str]:
    """{"target": "/a"}, "source=x,target=/a,type=volume" or "source=x,dst=/a" by the names of its parts."""
    pairs = mount.items() if isinstance(mount, dict) else (part.partition("=")[::2] for part in str(mount).split(","))
    named = {_NAMES.get(str(key).strip(), str(key).strip()): str(value).strip() for key, value in pairs}
    named = {key: value for key, value in named.items() if key not in _WITHOUT_MEANING}
    return {"type": "volume", **named, "target": named.get("target", str(mount)).rstrip("/")}


def is_shared(mount: object) -> bool:
    """Do all clones of the repository use the same volume or folder?"""
    return PER_WORKSPACE not in parts(mount).get("source", "")


def described(mount: object) -> str:
    """A mount for a sentence."""
    named = parts(mount)
    kind = "folder of the host" if named["type"] == "bind" else named["type"]
    return f"the {kind} {named.get('source', '')} at {named['target']}"


def exchanged(now: list[Any], wanted: list[Any]) -> tuple[list[Any], list[Any]]:
    """Replace shared volumes by those of this workspace: two containers with one ~/.kube would switch each other's cluster.

    The first list is to be dropped, the second to be added.
    """
    by_target = {parts(mount)["target"]: mount for mount in now}

    def is_given(mount: object) -> bool:
        existing = by_target.get(parts(mount)["target"])
        return existing is not None and (not is_shared(existing) or parts(existing) == parts(mount))

    added = [mount for mount in wanted if not is_given(mount)]
    shared = [by_target[target] for target in (parts(mount)["target"] for mount in added) if target in by_target]
    return shared, added


def of_arguments(arguments: Iterable[Any]) -> dict[str, str]:
    """The mounts in the arguments of `docker run` (-v, --volume, --mount): what is mounted, by its place."""
    words = [str(argument) for argument in arguments]
    found: dict[str, str] = {}
    for word, following in pairwise([*words, ""]):
        flag, has_value, value = word.partition("=")
        value = value if has_value else following
        if flag in {"-v", "--volume"} and ":" in value:
            source, target = value.split(":")[:2]
            found[target.rstrip("/")] = source
        elif flag == "--mount":
            found[parts(value)["target"]] = parts(value).get("source", "")
    return found
