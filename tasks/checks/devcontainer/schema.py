"""What devcontainer.json may hold: the properties of the Dev Container Specification and their JSON types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TEXT, TRUTH, LIST, MAP, NUMBER = "a text", "true or false", "a list", "a mapping", "a whole number"
_COMMAND = (TEXT, LIST, MAP)
_LIFE = ("initialize", "onCreate", "updateContent", "postCreate", "postStart", "postAttach")

# After the reference at containers.dev/implementors/json_reference, written down here in the suite's own form.
PROPERTIES: dict[str, tuple[str, ...]] = {
    **{f"{moment}Command": _COMMAND for moment in _LIFE},
    **dict.fromkeys(
        ("$schema", "name", "image", "service", "workspaceFolder", "workspaceMount", "remoteUser", "containerUser"),
        (TEXT,),
    ),
    **dict.fromkeys(("dockerFile", "context"), (TEXT,)),  # the older form, before `build`
    **dict.fromkeys(("init", "privileged", "overrideCommand", "updateRemoteUserUID"), (TRUTH,)),
    **dict.fromkeys(
        ("capAdd", "securityOpt", "runArgs", "mounts", "forwardPorts", "overrideFeatureInstallOrder", "runServices"),
        (LIST,),
    ),
    **dict.fromkeys(
        ("build", "features", "containerEnv", "remoteEnv", "portsAttributes", "otherPortsAttributes"), (MAP,)
    ),
    **dict.fromkeys(("hostRequirements", "customizations", "secrets"), (MAP,)),
    "dockerComposeFile": (TEXT, LIST),
    "appPort": (NUMBER, TEXT, LIST),
    "waitFor": (TEXT,),
    "shutdownAction": (TEXT,),
    "userEnvProbe": (TEXT,),
}
WORDS: dict[str, tuple[str, ...]] = {
    "waitFor": tuple(f"{moment}Command" for moment in _LIFE[:-1]),
    "shutdownAction": ("none", "stopContainer", "stopCompose"),
    "userEnvProbe": ("none", "loginShell", "loginInteractiveShell", "interactiveShell"),
}
_TYPES: dict[str, type] = {TEXT: str, TRUTH: bool, LIST: list, MAP: dict, NUMBER: int}
_BUILD = {"dockerfile", "context", "args", "target", "cacheFrom", "options"}
_PORT = {"onAutoForward", "elevateIfNeeded", "label", "requireLocalPort", "protocol"}


def wrong(found: dict[str, Any]) -> Iterator[str]:
    """What does not fit the specification, one sentence each; nothing when all of it fits."""
    for key, value in found.items():
        kinds = PROPERTIES.get(key)
        if kinds is None:
            yield f"'{key}' is no property of devcontainer.json"
        elif not any(_is(value, kind) for kind in kinds):
            yield f"'{key}' must be {' or '.join(kinds)}"
        elif key in WORDS and value not in WORDS[key]:
            yield f"'{key}' must be one of {', '.join(WORDS[key])}"
        else:
            yield from _inside(key, value)
    if not any(key in found for key in ("image", "build", "dockerFile", "dockerComposeFile")):
        yield "one of 'image', 'build' or 'dockerComposeFile' must say what the container is made of"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == TRUTH
    return isinstance(value, _TYPES[kind])


def _inside(key: str, value: Any) -> Iterator[str]:
    if key == "build":
        yield from (f"'build.{word}' is no property of build" for word in sorted(set(value) - _BUILD))
        if not isinstance(value.get("dockerfile"), str):
            yield "'build.dockerfile' must name the Dockerfile"
    if key == "forwardPorts":
        yield from (f"'forwardPorts' holds {port!r}, which is no port" for port in value if not _port(port))
    if key == "portsAttributes":
        for port, about in value.items():
            extra = sorted(set(about) - _PORT) if isinstance(about, dict) else ["not a mapping"]
            yield from (f"'portsAttributes.{port}': {word} is not known" for word in extra)
    if key in {"capAdd", "securityOpt", "runArgs", "runServices", "overrideFeatureInstallOrder"}:
        yield from (f"'{key}' holds {word!r}, which is no text" for word in value if not isinstance(word, str))
    if key == "containerEnv":
        yield from (f"'{key}.{name}' must be a text" for name, text in value.items() if not isinstance(text, str))
    if key == "mounts":
        yield from (f"'mounts' holds {mount!r}" for mount in value if not isinstance(mount, str | dict))


def _port(value: Any) -> bool:
    if isinstance(value, str):
        host, _, number = value.rpartition(":")
        return bool(host) and number.isdigit()
    return _is(value, NUMBER) and 0 <= value <= 65535
