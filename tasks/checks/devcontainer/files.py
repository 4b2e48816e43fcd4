"""Whether the suite and Telepresence would work in a container built from these files."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.checks.devcontainer import jsonc, schema
from tasks.checks.finding import Finding, missing, ok, unknown, warning
from tasks.core import regular_file
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.repository import SETTINGS

_ARG = re.compile(r"^ARG ([A-Z0-9_]+)=(\S+)\s*$", re.MULTILINE)
# What is read below, with its type. A value of another type is reported by the schema, and not read.
_READ = {"runArgs": list, "capAdd": list, "features": dict, "mounts": list, "forwardPorts": list, "build": dict}
_PER_CLONE = "${devcontainerId}"  # always valid in a name; a folder can be called anything
_TUN = "/dev/net/tun"
_DEVICES = "(devices by Compose)"
_FREE_TEXT = re.compile(r"\$\{localWorkspaceFolder\w*\}")


def look(s: Settings, folder: Path) -> list[Finding]:
    """Return the findings for a `.devcontainer` folder. Raises Trouble when its devcontainer.json cannot be read."""
    path = folder / "devcontainer.json"
    config = read(path)
    errors = list(schema.errors(config))
    findings = [missing("schema", text, fix=f"correct {path}") for text in errors]
    findings = findings or [ok("schema", f"{path.name} conforms to the Dev Container Specification")]
    usable = {key: value for key, value in config.items() if isinstance(value, _READ.get(key, object))}
    usable[_DEVICES] = _compose_devices(folder, config)
    for question in (_network, _user, _docker, _volumes, _port, _host_name, _commands):
        findings += question(s, usable)
    return [*findings, *_post_create(folder), *_versions(s, folder, usable)]


def _compose_devices(folder: Path, config: dict[str, Any]) -> str:
    """The Compose files that mention the tunnel's device; with Compose, runArgs has no effect."""
    named = config.get("dockerComposeFile") or []
    files = [folder / str(name) for name in (named if isinstance(named, list) else [named])]
    return " ".join(file.name for file in files if file.is_file() and _TUN in _text(file))


def read(path: Path) -> dict[str, Any]:
    """Return the file's mapping. Comments and trailing commas are allowed, as in every tool that reads it."""
    try:
        config = jsonc.loads(regular_file.text(path))
    except FileNotFoundError:
        raise Trouble(f"{path} is missing", fix="copy .devcontainer from the suite's repository") from None
    except OSError as why:
        raise Trouble(f"cannot read {path}: {why.strerror}", fix=f"ls -l {shlex.quote(str(path))}") from None
    except ValueError as why:
        raise Trouble(f"{path} is not JSON: {str(why).splitlines()[0]}", fix=f"correct {path}") from None
    if not isinstance(config, dict):
        raise Trouble(f"{path} is not a mapping", fix=f"correct {path}")
    return config


def _text(path: Path) -> str:
    try:
        return regular_file.text(path)
    except OSError as why:
        raise Trouble(f"cannot read {path}: {why.strerror}", fix=f"ls -l {path}") from None
    except UnicodeDecodeError:
        raise Trouble(
            f"{path} is not text in UTF-8", fix=f"restore it: git checkout -- {shlex.quote(str(path))}"
        ) from None


def arguments(dockerfile: Path) -> dict[str, str]:
    """Return the ARGs that have a default, by name."""
    return dict(_ARG.findall(_text(dockerfile)))


def wanted(s: Settings) -> dict[str, str]:
    """Return the ARGs that the Dockerfile must have, from the version table in the settings."""
    args: dict[str, str] = {}
    for name, pin in s.tools.items():
        if not pin.pinned and not pin.sha256:
            continue  # the container gets it from a feature
        args[f"{name.upper()}_VERSION"] = pin.container
        args.update({f"{name.upper()}_SHA256_{arch.upper()}": digest for arch, digest in pin.sha256.items()})
    return args


def _run_arguments(config: dict[str, Any]) -> list[str]:
    """Return runArgs with `--x y` written as `--x=y`."""
    words = [w for w in config.get("runArgs") or [] if isinstance(w, str)]
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and "=" not in joined[-1] and not word.startswith("-"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _network(s: Settings, config: dict[str, Any]) -> Iterator[Finding]:
    run = _run_arguments(config)
    privileged = bool(config.get("privileged")) or "--privileged" in run
    caps = {str(c).upper().removeprefix("CAP_") for c in config.get("capAdd") or []}
    caps |= {w.partition("=")[2].upper().removeprefix("CAP_") for w in run if w.startswith("--cap-add=")}
    if privileged or caps & {"NET_ADMIN", "ALL"}:
        yield ok("capability NET_ADMIN", "given")
    else:
        yield missing("capability NET_ADMIN", "not given", fix='add "capAdd": ["NET_ADMIN"]')
    if privileged or config[_DEVICES] or any(w.startswith(f"--device={_TUN}") for w in run):
        yield ok(_TUN, "given")
    elif config.get("dockerComposeFile"):
        yield missing(_TUN, "not given", fix=f'add devices: ["{_TUN}:{_TUN}"] to the service in the Compose file')
    else:
        yield missing(_TUN, "not given", fix=f'add "runArgs": ["--device={_TUN}"]')


def _user(s: Settings, config: dict[str, Any]) -> Iterator[Finding]:
    user = str(config.get("remoteUser") or config.get("containerUser") or "")
    fix = 'set "remoteUser" to a user of the image that is not root, such as "vscode"'
    if user in {"root", "0"}:
        yield missing("user", "root: telepresence 2.31 resolves no name as root in a container", fix=fix)
    elif user:
        yield ok("user", user)
    else:
        yield unknown("user", "remoteUser is not set: the image decides", fix=fix)


def _docker(s: Settings, config: dict[str, Any]) -> Iterator[Finding]:
    features = " ".join(config.get("features") or {})
    mounted = any("docker.sock" in str(mount) for mount in config.get("mounts") or [])
    if "docker-outside-of-docker" in features or "docker-in-docker" in features or mounted:
        yield ok("docker engine", "provided by a feature or a mount")
    else:
        fix = 'add "ghcr.io/devcontainers/features/docker-outside-of-docker:1": {} to "features"'
        yield warning("docker engine", "Tilt could not build images; intercepts work", fix=fix)


def _home(config: dict[str, Any]) -> str:
    user = str(config.get("remoteUser") or config.get("containerUser") or "vscode")
    return "/root" if user == "root" else f"/home/{user}"


def _mount_text(mount: object) -> str:
    return ",".join(f"{key}={value}" for key, value in mount.items()) if isinstance(mount, dict) else str(mount)


def _volumes(s: Settings, config: dict[str, Any]) -> Iterator[Finding]:
    home, mounts = _home(config), list(map(_mount_text, config.get("mounts") or []))
    for folder in (".azure", ".kube"):
        subject = f"volume for ~/{folder}"
        own = next((m for m in mounts if re.search(rf"target=[^,]*/{re.escape(folder)}(,|$)", m)), "")
        volume = f"source=remote-dev{folder.replace('.', '-')}-{_PER_CLONE},target={home}/{folder},type=volume"
        if not own:
            text = "the login would be lost when the container is rebuilt"
            yield missing(subject, text, fix=f'add "{volume}" to "mounts"')
        elif "type=bind" in own:
            text = "mounted from the host: logins of a Mac or Windows host do not work here"
            yield warning(subject, text, fix="use a volume")
        elif _FREE_TEXT.search(own.partition("target=")[0]):
            text = "its name contains the folder's, in which a blank or an umlaut is not valid"
            yield missing(subject, text, fix=f"use {_PER_CLONE} in its source instead")
        elif _PER_CLONE not in own:
            text = "two clones would share it: `az account set` in one changes the other"
            yield missing(subject, text, fix=f"put {_PER_CLONE} into its source")
        else:
            yield ok(subject, "a volume of this clone")


def _port(s: Settings, config: dict[str, Any]) -> Iterator[Finding]:
    if s.tilt.port in (config.get("forwardPorts") or []):
        yield ok(f"port {s.tilt.port}", "forwarded: Tilt's page")
    else:
        yield missing(f"port {s.tilt.port}", "Tilt's page is not forwarded", fix=f'"forwardPorts": [{s.tilt.port}]')


def _host_name(s: Settings, config: dict[str, Any]) -> Iterator[Finding]:
    name = next((w.partition("=")[2] for w in _run_arguments(config) if w.startswith("--hostname=")), "")
    fix = f'add "--hostname=dev-{_PER_CLONE}" to "runArgs"'
    if not name:
        text = "a container id: it changes with each rebuild, and with it the owner's name"
        yield warning("host name", text, fix=fix)
    elif _FREE_TEXT.search(name):
        yield missing("host name", "contains the folder's name, in which a blank or an umlaut is not valid", fix=fix)
    else:
        yield ok("host name", "set, and the same after a rebuild")


def _commands(s: Settings, config: dict[str, Any]) -> Iterator[Finding]:
    for key, purpose in (
        ("updateContentCommand", "what a prebuild can cache"),
        ("postCreateCommand", "the setup of a new container"),
    ):
        if config.get(key):
            yield ok(key, purpose)
        else:
            yield missing(key, f"not set: {purpose}", fix=f"copy {key} from the suite's devcontainer.json")


def _post_create(folder: Path) -> Iterator[Finding]:
    places = (folder, folder.parent)  # .devcontainer/NAME/devcontainer.json: one script for all of them
    script = next((p / "postCreate.sh" for p in places if (p / "postCreate.sh").is_file()), None)
    if script is None:
        yield missing("postCreate.sh", "it does not exist", fix="copy it from the suite's .devcontainer")
        return
    lines = [line for line in _text(script).splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines)
    if "k3d" in text:
        yield missing("postCreate.sh", "still creates a local k3d cluster", fix="inv migrate.phase2 --dry-run")
    elif "scripts/inv" not in text:
        yield missing("postCreate.sh", "does not run the suite's setup", fix="call ./scripts/inv setup in it")
    else:
        yield ok("postCreate.sh", "runs the suite's setup")


def _versions(s: Settings, folder: Path, config: dict[str, Any]) -> Iterator[Finding]:
    name = (config.get("build") or {}).get("dockerfile") or config.get("dockerFile")
    if not isinstance(name, str):
        yield unknown("versions", "no Dockerfile: the image decides", fix='name one in "build"')
        return
    dockerfile = folder / name
    if not os.path.isfile(dockerfile):  # Path.is_file raises for a name that is too long
        yield missing("versions", f"{dockerfile} does not exist", fix=f"git checkout -- {shlex.quote(str(dockerfile))}")
        return
    present = arguments(dockerfile)
    different = {key: value for key, value in wanted(s).items() if present.get(key) != value}
    for key, value in different.items():
        yield missing(
            f"versions {key}",
            f"{dockerfile.name} has {present.get(key, 'nothing')}, the settings {value}",
            fix=f"ARG {key}={value} in {dockerfile.name}, or change settings.tools in {SETTINGS}",
        )
    if not different:
        yield ok("versions", f"{dockerfile.name} and settings.tools have the same versions and checksums")
