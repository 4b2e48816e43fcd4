"""The properties of devcontainer.json and their types, as its published schema has them.

The schema: https://github.com/devcontainers/spec/blob/main/schemas/devContainer.base.schema.json
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, ValidationError

from tasks.core import shape

_Command = str | list[str] | dict[str, str | list[str]]
_Port = Annotated[int, Meta(ge=0, le=65535)] | Annotated[str, Meta(pattern=r"^[a-z0-9-]+:\d{1,5}$")]
_Size = Annotated[str, Meta(pattern=r"^\d+([tgmk]b)?$")]
_Count = Annotated[int, Meta(ge=1)]
_MOMENTS = ("initialize", "onCreate", "updateContent", "postCreate", "postStart", "postAttach")


class _Closed(Struct, forbid_unknown_fields=True):
    """A mapping that holds nothing else."""


class _BuildOptions(_Closed):
    target: str = ""
    args: dict[str, str] = {}
    cacheFrom: str | list[str] = ""
    options: list[str] = []


class _Build(_BuildOptions, kw_only=True):
    dockerfile: str
    context: str = ""


class _Mount(_Closed):
    type: Literal["bind", "volume"]
    target: str
    source: str = ""


class _PortAttributes(_Closed):  # the published schema accepts other names here, and so any misspelling
    onAutoForward: Literal["notify", "openBrowser", "openBrowserOnce", "openPreview", "silent", "ignore"] = "notify"
    elevateIfNeeded: bool = False
    label: str = ""
    requireLocalPort: bool = False
    protocol: Literal["http", "https"] = "http"


class _OtherPortsAttributes(_PortAttributes):
    onAutoForward: Literal["notify", "openBrowser", "openPreview", "silent", "ignore"] = "notify"


class _Gpu(_Closed):
    cores: _Count = 1
    memory: _Size = ""


class _HostRequirements(_Closed):
    cpus: _Count = 1
    memory: _Size = ""
    storage: _Size = ""
    gpu: bool | Literal["optional"] | _Gpu = False


class _Secret(_Closed):
    description: str = ""
    documentationUrl: str = ""


PROPERTIES: dict[str, Any] = {
    **{f"{moment}Command": _Command for moment in _MOMENTS},
    **dict.fromkeys(("$schema", "name", "image", "service", "workspaceFolder", "workspaceMount"), str),
    **dict.fromkeys(("remoteUser", "containerUser"), str),
    **dict.fromkeys(("dockerFile", "context"), str),  # the older form, before `build`
    **dict.fromkeys(("init", "privileged", "overrideCommand", "updateRemoteUserUID"), bool),
    **dict.fromkeys(("capAdd", "securityOpt", "runArgs", "overrideFeatureInstallOrder", "runServices"), list[str]),
    **dict.fromkeys(("features", "customizations", "additionalProperties"), dict[str, Any]),
    "containerEnv": dict[str, str],
    "remoteEnv": dict[str, str | None],
    "mounts": list[str | _Mount],
    "forwardPorts": list[_Port],
    "portsAttributes": dict[str, _PortAttributes],
    "otherPortsAttributes": _OtherPortsAttributes,
    "hostRequirements": _HostRequirements,
    "secrets": dict[Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], _Secret],
    "dockerComposeFile": str | list[str],
    "appPort": int | str | list[int | str],
    "waitFor": Literal[tuple(f"{moment}Command" for moment in _MOMENTS[:-1])],
    "shutdownAction": Literal["none", "stopContainer", "stopCompose"],
    "userEnvProbe": Literal["none", "loginShell", "loginInteractiveShell", "interactiveShell"],
}
_SOURCES = ("image", "build", "dockerFile", "dockerComposeFile")


def errors(config: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each property that violates the specification."""
    for key, value in config.items():
        if key == "build":
            yield from _wrong(key, value, _BuildOptions if "dockerFile" in config else _Build)
        elif key in PROPERTIES:
            yield from _wrong(key, value, PROPERTIES[key])
        else:
            yield f"'{key}' is not a property of devcontainer.json"
    yield from _container(config)


def _wrong(key: str, value: Any, type_: Any) -> Iterator[str]:
    try:
        shape.convert(value, type_)
    except ValidationError as why:
        yield f"'{key}': {str(why)[:1].lower()}{str(why)[1:]}"


def _container(config: dict[str, Any]) -> Iterator[str]:
    """Check what says how the container is made."""
    given = {key for key in _SOURCES if key in config}
    if not given:
        yield "one of 'image', 'build' or 'dockerComposeFile' must say how the container is built"
    elif len(given) > 1 and given != {"build", "dockerFile"}:
        yield f"only one of {', '.join(repr(key) for key in _SOURCES if key in given)} can say how the container is built"
    if "dockerComposeFile" in config:
        yield from (f"'{key}' must be given too" for key in ("service", "workspaceFolder") if key not in config)
