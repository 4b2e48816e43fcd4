"""DC-15: the dev container's image has the pinned tools. An image that was only named is built from a Dockerfile then."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import replace
from typing import Any

from migration import carried_suite
from migration.dev_container.base import Base, Build, base_of, home_of
from migration.dev_container.choice import Choice, choose, note_none
from migration.dev_container.user import user_or_block
from migration.edit import dockerfile as edit
from migration.edit.dockerfile_syntax import Dockerfile
from migration.edit.jsonc import Jsonc, plain
from migration.mapping import glob
from migration.model import Reason
from migration.phases.written_files import write_own
from migration.simulation import Draft
from tasks.core.errors import Trouble

_TEMPLATE = ".devcontainer/Dockerfile"
_SAY = "install telepresence, kubelogin, iptables and sshfs in it yourself"


def add_tools(draft: Draft) -> None:
    """Add telepresence, kubelogin, iptables and sshfs to the dev container's image, pinned and verified."""
    choice = choose(draft)
    if not choice.path:
        if not draft.blocks:
            note_none(draft)
        return
    read = draft.simulation.core.text
    text = (read(choice.path) or b"").decode("utf-8", "surrogateescape")
    try:
        config = plain(text, choice.path)
        base = base_of(choice.path, config, read)
    except Trouble as error:
        draft.block(choice.path, Reason.CUSTOM, f"core:{choice.path}", f"{error.what}; {error.fix}")
        return
    if base.build:
        _add_to_dockerfile(draft, choice, config, base)
    elif base.service:
        fix = f"the service {base.service} uses the image {base.image or '(none)'}: give it `build:` with a Dockerfile that begins with FROM {base.image}"
        draft.block(choice.path, Reason.CUSTOM, f"core:{base.compose_files[-1]}", fix)
    else:
        _build_from_image(draft, choice, text, base)


def _tools(draft: Draft, choice: Choice, config: dict[str, Any], base: Base) -> edit.Tools | None:
    """What is added, for the user of the container; None when the team has to name the user first."""
    template = carried_suite.template(_TEMPLATE)
    user = user_or_block(draft, choice.path, config, base)
    if template is None or user is None:
        return None
    return edit.Tools(template.decode(), "", user or "root", home_of(user or "root"))


def _add_to_dockerfile(draft: Draft, choice: Choice, config: dict[str, Any], base: Base) -> None:
    build, dockerfile = base.build, base.dockerfile(draft.simulation.core.text)
    if build is None:
        return
    if dockerfile is None:
        fix = f"{build.dockerfile} does not exist in core; correct `build` in devcontainer.json"
        draft.block(choice.path, Reason.CUSTOM, f"core:{choice.path}", fix)
        return
    if not edit.lacks_tools(dockerfile.text):
        return
    obstacle = _obstacle(draft, dockerfile, build)
    if obstacle:
        draft.block(build.dockerfile, Reason.CUSTOM, f"core:{build.dockerfile}", obstacle)
        return
    tools = _tools(draft, choice, config, base)
    if tools is None:
        return
    image = dockerfile.base(build.target)
    if not edit.has_apt(image) and "apt-get" not in dockerfile.text:
        draft.note(f"{image} must be based on Debian or Ubuntu: the tools are installed with apt-get")
    _write_dockerfile(draft, choice, build, dockerfile, tools)


def _obstacle(draft: Draft, dockerfile: Dockerfile, build: Build) -> str:
    """Why the tools cannot be added to this Dockerfile; empty when they can."""
    stage = dockerfile.stage(build.target)
    if stage is None:
        return f"it has no stage {build.target!r}; correct `build.target`"
    if edit.stage_has_no_apt(dockerfile, build.target):
        return f"{dockerfile.base(build.target)} has no apt-get; base it on Debian or Ubuntu, or {_SAY}"
    is_own = build.dockerfile.startswith(".devcontainer/") or "dev" in posixpath.basename(build.dockerfile).lower()
    is_last = stage == dockerfile.stages[-1]
    if not is_own and (is_last or dockerfile.is_used(stage)) and not draft.simulation.accepted(build.dockerfile):
        fix = "add a stage for the dev container that nothing else uses, not as the last one, and name it in `build.target`"
        return f"this stage is part of the product's image; {fix}; or --accept {shlex.quote(build.dockerfile)}"
    return ""


def _build_from_image(draft: Draft, choice: Choice, text: str, base: Base) -> None:
    """Build the image from a Dockerfile that begins with it."""
    image, path = base.image, choice.path
    obstacle = _obstacle_of_image(draft, image, path)
    if obstacle:
        draft.block(path, Reason.CUSTOM, f"core:{path}", obstacle)
        return
    tools = _tools(draft, choice, plain(text, path), base)
    if tools is None:
        return
    names = (f"{choice.folder}/Dockerfile", f"{choice.folder}/remote-first.Dockerfile")
    place = next((name for name in names if name not in draft.simulation.core.tree), "")
    if not place:
        draft.block(names[1], Reason.CUSTOM, f"core:{names[1]}", "this Dockerfile belongs there; move yours away")
        return
    folder = posixpath.dirname(path) or "."
    build: dict[str, Any] = {
        "dockerfile": posixpath.relpath(place, folder),
        "context": posixpath.relpath(choice.folder, folder),
    }
    document = Jsonc(text, path)
    document.remove("build")  # without a Dockerfile it has no effect
    document.exchange("image", "build", build)
    change = f"the image is built from {place}, which begins with {image}"
    draft.write("core", path, document.whole().encode("utf-8", "surrogateescape"), change)
    _write_dockerfile(draft, choice, Build(place, choice.folder), Dockerfile(f"FROM {image}\n"), tools)


def _obstacle_of_image(draft: Draft, image: str, path: str) -> str:
    if not image:
        return 'it names no image; set "image": "mcr.microsoft.com/devcontainers/base:ubuntu-24.04" or another'
    if "$" in image:
        return f"the image {image} depends on a variable; name it"
    if edit.has_no_apt(image):
        return f"{image} has no apt-get: use an image based on Debian or Ubuntu, or a Dockerfile, and {_SAY}"
    if not edit.has_apt(image) and not draft.simulation.accepted(path):
        return f"does {image} have apt-get? if it is based on Debian or Ubuntu: --accept {shlex.quote(path)}; else use a Dockerfile, and {_SAY}"
    return ""


def _write_dockerfile(draft: Draft, choice: Choice, build: Build, dockerfile: Dockerfile, tools: edit.Tools) -> None:
    """Write the Dockerfile with the tools, and the files that it copies."""
    is_in_context = not build.context or f"{choice.folder}/".startswith(f"{build.context}/")
    folder = choice.folder if is_in_context else build.context
    prefix = posixpath.relpath(folder, build.context or ".")
    tools = replace(tools, prefix="" if prefix == "." else f"{prefix}/")
    text, copied_files = edit.with_tools(dockerfile, build.target, tools)
    files = {f"{folder}/{name}": name for name in copied_files}
    for place, name in files.items():
        data = carried_suite.template(f".devcontainer/{name}")
        if data is not None and not write_own(
            draft, place, data, "a file that the Dockerfile copies", "100755" if name.endswith(".sh") else "100644"
        ):
            return
    draft.write(
        "core",
        build.dockerfile,
        text.encode("utf-8", "surrogateescape"),
        "install pinned tools, each verified by its checksum",
    )
    _except_from_ignored(draft, build, list(files))


def _except_from_ignored(draft: Draft, build: Build, files: list[str]) -> None:
    """Let the build have the files that its .dockerignore excludes."""
    read = draft.simulation.core.text
    context = f"{build.context}/" if build.context else ""
    path = f"{build.dockerfile}.dockerignore"
    data = read(path)
    if data is None:
        path = f"{context}.dockerignore"
        data = read(path)
    if data is None:
        return
    patterns = data.decode("utf-8", "surrogateescape").splitlines()
    excluded = [name for name in (file.removeprefix(context) for file in files) if _is_ignored(name, patterns)]
    if excluded:
        end = b"\r\n" if b"\r\n" in data else b"\n"
        head = data if data.endswith(b"\n") else data + end
        lines = b"".join(f"!{name}".encode() + end for name in excluded)
        draft.write("core", path, head + lines, "do not ignore the files that the dev container's Dockerfile copies")


def _is_ignored(name: str, patterns: list[str]) -> bool:
    """Does a .dockerignore exclude this file? The last pattern that matches it, or a folder above it, decides."""
    ignored = False
    for line in patterns:
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        rule = glob(pattern.removeprefix("!").strip("/").removeprefix("./"))
        parts = name.split("/")
        if any(re.fullmatch(rule, "/".join(parts[:n])) for n in range(1, len(parts) + 1)):
            ignored = not pattern.startswith("!")
    return ignored
