"""What a dev container is built from, and the user that it has."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from migration.dev_container.compose import Read, resolved, service_of
from migration.dev_container.hooks import Hooks, folder_of
from migration.edit.dockerfile import is_official
from migration.edit.dockerfile_syntax import Dockerfile

_IMAGES_OF_THE_SPEC = re.compile(r"mcr\.microsoft\.com/(?:vscode/)?devcontainers/([\w-]+)")
_THEIR_USERS = {"typescript-node": "node", "javascript-node": "node", "universal": "codespace"}  # the others: vscode
_IN_LABEL = re.compile(r"devcontainer\.metadata.*?remoteUser\\?\"\s*:\s*\\?\"([\w-]+)", re.DOTALL)


@dataclass(frozen=True)
class Build:
    """An image that is built. dockerfile, context: paths in core, the root is empty; target: the stage"""

    dockerfile: str
    context: str
    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def is_inside(self) -> bool:
        """Are Dockerfile and context files of core, without a variable in their names?"""
        return not any(p.startswith(("..", "/")) or "$" in p or "://" in p for p in (self.dockerfile, self.context))


@dataclass(frozen=True)
class Base:
    """image: of a container without a build; service: of Compose, with the files that define it"""

    image: str = ""
    build: Build | None = None
    service: str = ""
    compose_files: tuple[str, ...] = ()
    compose: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def dockerfile(self, read: Read) -> Dockerfile | None:
        """The Dockerfile that it is built from; None when core does not have it."""
        data = read(self.build.dockerfile) if self.build and self.build.is_inside else None
        if self.build is None or data is None:
            return None
        return Dockerfile(data.decode("utf-8", "surrogateescape"), self.build.arguments)


def base_of(path: str, config: Mapping[str, Any], read: Read) -> Base:
    """What the dev container in this file is built from. Raises Trouble when its Compose files do not say it."""
    folder = posixpath.dirname(path)
    if config.get("dockerComposeFile"):
        return _from_compose(folder, config, read)
    build = config.get("build") if isinstance(config.get("build"), dict) else {}
    name = (build or {}).get("dockerfile") or config.get("dockerFile")
    if isinstance(name, str):
        options = build or {}
        context = str(options.get("context") or config.get("context") or ".")
        found = Build(_path(folder, name), _path(folder, context), str(options.get("target") or ""), _texts(options))
        return Base(build=found)
    return Base(image=str(config.get("image") or ""))


def _from_compose(folder: str, config: Mapping[str, Any], read: Read) -> Base:
    named = config["dockerComposeFile"]
    names = named if isinstance(named, list) else [named]
    files = [_path(folder, str(name)) for name in names]
    service = str(config.get("service") or "")
    found = service_of(files, service, read)
    build = found.get("build")
    base = Base(service=service, compose_files=tuple(files), compose=found, image=resolved(found.get("image")))
    if not build or "dockerfile_inline" in build:
        return base
    context = _path(posixpath.dirname(files[0]), resolved(build.get("context") or "."))
    dockerfile = _path(context, resolved(build.get("dockerfile") or "Dockerfile"))
    target = resolved(build.get("target"))
    return Base("", Build(dockerfile, context, target, _texts(build)), service, tuple(files), found)


def hooks_of(config: Mapping[str, Any], base: Base, has_folder: Callable[[str], bool]) -> Hooks:
    """The commands of the container, and where they run."""
    return Hooks(config, folder_of(config, list(_mounts_of_core(base)), has_folder))


def _mounts_of_core(base: Base) -> Iterator[str]:
    """Where Compose mounts the root of core in the container."""
    volumes = base.compose.get("volumes")
    for volume in volumes if isinstance(volumes, list) else []:
        short = str(volume).split(":")
        source, target = (
            (volume.get("source"), volume.get("target"))
            if isinstance(volume, dict)
            else (short[0], short[-1 if len(short) < 3 else 1])
        )
        if str(source).startswith(".") and not _path(posixpath.dirname(base.compose_files[0]), str(source)):
            yield str(target)


def user_of(config: Mapping[str, Any], base: Base, read: Read) -> str:
    """The user in whose name tools and terminals run in the container; empty when only the image knows.

    The order is that of the specification: https://containers.dev/implementors/json_reference/#remoteuser
    """
    named = config.get("remoteUser") or _from_metadata(base, read)
    named = named or config.get("containerUser") or _run_argument(config) or base.compose.get("user")
    name = str(named or _from_image(base, read)).partition(":")[0]
    if name == "0":
        return "root"
    return name if re.fullmatch(r"[a-z_][\w-]*", name, re.IGNORECASE) else ""


def home_of(user: str) -> str:
    """The user's home in the container."""
    return "/root" if user == "root" else f"/home/{user}"


def _from_metadata(base: Base, read: Read) -> str:
    """The remoteUser in the image's metadata: that of a LABEL, or that of the images of the specification."""
    dockerfile = base.dockerfile(read)
    label = _IN_LABEL.search(dockerfile.text) if dockerfile else None
    if label:
        return label[1]
    found = _IMAGES_OF_THE_SPEC.match(_image(base, read))
    return _THEIR_USERS.get(found[1], "vscode") if found else ""


def _from_image(base: Base, read: Read) -> str:
    dockerfile = base.dockerfile(read)
    user = dockerfile.user(base.build.target) if dockerfile and base.build else ""
    return user or ("root" if is_official(_image(base, read)) else "")


def _image(base: Base, read: Read) -> str:
    """The image at the bottom."""
    dockerfile = base.dockerfile(read)
    if base.build is None:
        return base.image
    return dockerfile.base(base.build.target) if dockerfile else ""


def _run_argument(config: Mapping[str, Any]) -> str:
    """The user in the arguments of `docker run`: -u NAME, --user NAME, --user=NAME."""
    arguments = [str(a) for a in config.get("runArgs") or []]
    for argument, following in pairwise([*arguments, ""]):
        if argument.startswith("--user="):
            return argument.partition("=")[2]
        if argument in {"-u", "--user"}:
            return following
    return ""


def _texts(options: Mapping[str, Any]) -> dict[str, str]:
    """The arguments of a build: an object, or a list of NAME=VALUE."""
    given = options.get("args") or {}
    pairs = given.items() if isinstance(given, dict) else (str(item).partition("=")[::2] for item in given)
    return {str(name): resolved(value) for name, value in pairs if value is not None}


def _path(folder: str, name: str) -> str:
    """The path in core; the root is empty."""
    path = posixpath.normpath(posixpath.join(folder, name))
    return "" if path == "." else path
