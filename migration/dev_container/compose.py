"""The service of a dev container in its Docker Compose files: https://docs.docker.com/reference/compose-file/"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from tasks.core.errors import Trouble
from tasks.core.yaml.bounded import loader

Read = Callable[[str], bytes | None]
_VARIABLE = re.compile(r"\$\{\w+(?::?-([^}]*))?\}")


def service_of(paths: list[str], name: str, read: Read) -> dict[str, Any]:
    """The service, merged from these files in their order. Raises Trouble when a file or the service does not exist."""
    merged: dict[str, Any] = {}
    found = False
    for path in paths:
        services = _services(path, read)
        if name in services:
            found = True
            merged = _merged(merged, _extended(services, name, path, read))
    if not found:
        what = f"no Compose file of the dev container has the service '{name}': {', '.join(paths)}"
        raise Trouble(what, fix="correct `service` in devcontainer.json")
    return merged


def resolved(text: object) -> str:
    """The text with the defaults of its variables; a variable without a default stays."""
    return _VARIABLE.sub(lambda match: match[0] if match[1] is None else match[1], str(text or ""))


def _services(path: str, read: Read) -> dict[str, Any]:
    import yaml

    data = read(path)
    if data is None:
        raise Trouble(f"the Compose file {path} does not exist", fix="correct `dockerComposeFile` in devcontainer.json")
    try:
        content = yaml.load(data, Loader=_compose_loader())
    except yaml.YAMLError as why:
        raise Trouble(f"{path} is not YAML: {str(why).splitlines()[0]}", fix=f"correct {path}") from None
    services = content.get("services") if isinstance(content, dict) else None
    named = services if isinstance(services, dict) else {}
    return {str(key): value if isinstance(value, dict) else {} for key, value in named.items()}


def _extended(services: dict[str, Any], name: str, path: str, read: Read, level: int = 0) -> dict[str, Any]:
    """The service with what it takes over by `extends`."""
    service = services.get(name, {})
    extends = service.get("extends")
    if not extends or level > 10:
        return dict(service)
    other = {"service": extends} if isinstance(extends, str) else extends
    file = other.get("file")
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), str(file))) if file else path
    below = _services(place, read) if file else services
    return _merged(_extended(below, str(other.get("service")), place, read, level + 1), service)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    build = {**_build(below), **_build(above)}
    return {**below, **above, **({"build": build} if build else {})}


def _build(service: dict[str, Any]) -> dict[str, Any]:
    build = service.get("build")
    if isinstance(build, str):
        return {"context": build}
    return dict(build) if isinstance(build, dict) else {}


@cache
def _compose_loader() -> Any:
    """A loader that reads `!reset` and `!override` of Compose as the values behind them."""

    def construct(reader: Any, _: str, node: Any) -> Any:
        kinds = {"mapping": reader.construct_mapping, "sequence": reader.construct_sequence}
        return kinds[node.id](node, deep=True) if node.id in kinds else reader.construct_scalar(node)

    kind: Any = type("ComposeLoader", (loader(),), {})
    kind.add_multi_constructor("!", construct)
    return kind
