"""The properties of devcontainer.json in the Dev Container Specification, and their JSON types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """A JSON type, with its words for messages."""

    STRING = "a string"
    BOOLEAN = "true or false"
    LIST = "a list"
    MAPPING = "a mapping"
    INTEGER = "a whole number"


_COMMAND = (Kind.STRING, Kind.LIST, Kind.MAPPING)
_LIFE = ("initialize", "onCreate", "updateContent", "postCreate", "postStart", "postAttach")

# From the reference: https://containers.dev/implementors/json_reference
PROPERTIES: dict[str, tuple[Kind, ...]] = {
    **{f"{moment}Command": _COMMAND for moment in _LIFE},
    **dict.fromkeys(
        ("$schema", "name", "image", "service", "workspaceFolder", "workspaceMount", "remoteUser", "containerUser"),
        (Kind.STRING,),
    ),
    **dict.fromkeys(("dockerFile", "context"), (Kind.STRING,)),  # the older form, before `build`
    **dict.fromkeys(("init", "privileged", "overrideCommand", "updateRemoteUserUID"), (Kind.BOOLEAN,)),
    **dict.fromkeys(
        ("capAdd", "securityOpt", "runArgs", "mounts", "forwardPorts", "overrideFeatureInstallOrder", "runServices"),
        (Kind.LIST,),
    ),
    **dict.fromkeys(
        ("build", "features", "containerEnv", "remoteEnv", "portsAttributes", "otherPortsAttributes"), (Kind.MAPPING,)
    ),
    **dict.fromkeys(("hostRequirements", "customizations", "secrets"), (Kind.MAPPING,)),
    "dockerComposeFile": (Kind.STRING, Kind.LIST),
    "appPort": (Kind.INTEGER, Kind.STRING, Kind.LIST),
    "waitFor": (Kind.STRING,),
    "shutdownAction": (Kind.STRING,),
    "userEnvProbe": (Kind.STRING,),
}
ENUMS: dict[str, tuple[str, ...]] = {
    "waitFor": tuple(f"{moment}Command" for moment in _LIFE[:-1]),
    "shutdownAction": ("none", "stopContainer", "stopCompose"),
    "userEnvProbe": ("none", "loginShell", "loginInteractiveShell", "interactiveShell"),
}
_TYPES: dict[Kind, type] = {
    Kind.STRING: str,
    Kind.BOOLEAN: bool,
    Kind.LIST: list,
    Kind.MAPPING: dict,
    Kind.INTEGER: int,
}
_BUILD_PROPERTIES = {"dockerfile", "context", "args", "target", "cacheFrom", "options"}
_PORT_ATTRIBUTES = {"onAutoForward", "elevateIfNeeded", "label", "requireLocalPort", "protocol"}


def errors(config: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each violation of the specification."""
    for key, value in config.items():
        kinds = PROPERTIES.get(key)
        if kinds is None:
            yield f"'{key}' is not a property of devcontainer.json"
        elif not any(_is(value, kind) for kind in kinds):
            yield f"'{key}' must be {' or '.join(kinds)}"
        elif key in ENUMS and value not in ENUMS[key]:
            yield f"'{key}' must be one of {', '.join(ENUMS[key])}"
        else:
            yield from _nested(key, value)
    if not any(key in config for key in ("image", "build", "dockerFile", "dockerComposeFile")):
        yield "one of 'image', 'build' or 'dockerComposeFile' must say how the container is built"


def _is(value: Any, kind: Kind) -> bool:
    if isinstance(value, bool):
        return kind is Kind.BOOLEAN
    return isinstance(value, _TYPES[kind])


def _nested(key: str, value: Any) -> Iterator[str]:
    if key in _STRING_LISTS:
        yield from (f"'{key}' holds {word!r}, which is not a string" for word in value if not isinstance(word, str))
    elif key in _NESTED:
        yield from _NESTED[key](value)


def _build(build: dict[str, Any]) -> Iterator[str]:
    yield from (f"'build.{word}' is not a property of build" for word in sorted(set(build) - _BUILD_PROPERTIES))
    if not isinstance(build.get("dockerfile"), str):
        yield "'build.dockerfile' must name the Dockerfile"


def _forward_ports(ports: list[Any]) -> Iterator[str]:
    yield from (f"'forwardPorts' holds {port!r}, which is not a valid port" for port in ports if not _is_port(port))


def _ports_attributes(by_port: dict[str, Any]) -> Iterator[str]:
    for port, attributes in by_port.items():
        yield from _port_attributes(port, attributes)


def _container_env(variables: dict[str, Any]) -> Iterator[str]:
    for name, text in variables.items():
        if not isinstance(text, str):
            yield f"'containerEnv.{name}' must be a string"


def _mounts(mounts: list[Any]) -> Iterator[str]:
    yield from (f"'mounts' holds {mount!r}" for mount in mounts if not isinstance(mount, str | dict))


_STRING_LISTS = {"capAdd", "securityOpt", "runArgs", "runServices", "overrideFeatureInstallOrder"}
_NESTED: dict[str, Callable[[Any], Iterator[str]]] = {
    "build": _build,
    "forwardPorts": _forward_ports,
    "portsAttributes": _ports_attributes,
    "containerEnv": _container_env,
    "mounts": _mounts,
}


def _port_attributes(port: str, attributes: Any) -> Iterator[str]:
    if not isinstance(attributes, dict):
        yield f"'portsAttributes.{port}' must be {Kind.MAPPING}"
        return
    yield from (
        f"'portsAttributes.{port}': '{word}' is not a known attribute"
        for word in sorted(set(attributes) - _PORT_ATTRIBUTES)
    )


def _is_port(value: Any) -> bool:
    if isinstance(value, str):
        host, _, number = value.rpartition(":")
        return bool(host) and number.isdigit()
    return _is(value, Kind.INTEGER) and 0 <= value <= 65535
