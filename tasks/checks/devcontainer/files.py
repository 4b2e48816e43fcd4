"""Would a container made from these files be one in which the suite and Telepresence can work?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.checks.devcontainer import schema
from tasks.checks.finding import Finding, State
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble

_ARG = re.compile(r"^ARG ([A-Z0-9_]+)=(\S+)\s*$", re.MULTILINE)
_PER_CLONE = re.compile(r"\$\{(devcontainerId|localWorkspaceFolderBasename)\}")


def look(s: Settings, folder: Path) -> list[Finding]:
    """The findings for a `.devcontainer` folder. Raises Trouble when its devcontainer.json cannot be read."""
    place = folder / "devcontainer.json"
    found = read(place)
    wrong = list(schema.wrong(found))
    findings = [Finding("schema", State.MISSING, text, fix=f"correct {place}") for text in wrong]
    findings = findings or [Finding("schema", State.OK, f"{place.name} fits the Dev Container Specification")]
    for question in (_network, _user, _docker, _volumes, _port, _host_name, _commands):
        findings += question(s, found)
    return [*findings, *_post_create(folder), *_versions(s, folder, found)]


def read(place: Path) -> dict[str, Any]:
    """The file's mapping; comments and trailing commas are allowed, as in every tool that reads it."""
    import json5

    try:
        found = json5.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        raise Trouble(f"{place} is missing", fix="copy .devcontainer from the suite's repository") from None
    except OSError as why:
        raise Trouble(f"cannot read {place}: {why.strerror}", fix=f"ls -l {place}") from None
    except ValueError as why:  # json-five's own errors are ValueErrors
        raise Trouble(f"{place} is not JSON: {str(why).splitlines()[0]}", fix=f"mend {place}") from None
    if not isinstance(found, dict):
        raise Trouble(f"{place} is not a mapping", fix=f"mend {place}")
    return found


def arguments(dockerfile: Path) -> dict[str, str]:
    """The ARGs with a default, by name."""
    return dict(_ARG.findall(dockerfile.read_text("utf-8")))


def wanted(s: Settings) -> dict[str, str]:
    """The ARGs that the Dockerfile must have, from the one version table in the settings."""
    found: dict[str, str] = {}
    for name, pin in s.tools.items():
        if not pin.pinned and not pin.sha256:
            continue  # the container gets it in another way (a feature)
        found[f"{name.upper()}_VERSION"] = pin.container
        found.update({f"{name.upper()}_SHA256_{arch.upper()}": sum_ for arch, sum_ in pin.sha256.items()})
    return found


def _run_arguments(found: dict[str, Any]) -> list[str]:
    """runArgs with `--x y` written as `--x=y`."""
    words = [w for w in found.get("runArgs") or [] if isinstance(w, str)]
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and "=" not in joined[-1] and not word.startswith("-"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _network(s: Settings, found: dict[str, Any]) -> Iterator[Finding]:
    run = _run_arguments(found)
    privileged = bool(found.get("privileged")) or "--privileged" in run
    caps = {str(c).upper().removeprefix("CAP_") for c in found.get("capAdd") or []}
    caps |= {w.partition("=")[2].upper().removeprefix("CAP_") for w in run if w.startswith("--cap-add=")}
    if privileged or caps & {"NET_ADMIN", "ALL"}:
        yield Finding("capability NET_ADMIN", State.OK, "given")
    else:
        yield Finding("capability NET_ADMIN", State.MISSING, "not given", fix='add "capAdd": ["NET_ADMIN"]')
    if privileged or any(w.startswith("--device=/dev/net/tun") for w in run):
        yield Finding("/dev/net/tun", State.OK, "given")
    else:
        yield Finding("/dev/net/tun", State.MISSING, "not given", fix='add "runArgs": ["--device=/dev/net/tun"]')


def _user(s: Settings, found: dict[str, Any]) -> Iterator[Finding]:
    user = str(found.get("remoteUser") or found.get("containerUser") or "")
    if user in {"root", "0"}:
        yield Finding(
            "user",
            State.MISSING,
            "root: telepresence 2.31 resolves no name as root in a container",
            fix='"remoteUser": "vscode"',
        )
    elif user:
        yield Finding("user", State.OK, user)
    else:
        yield Finding(
            "user", State.UNKNOWN, "remoteUser is not set: the image decides", fix='add "remoteUser": "vscode"'
        )


def _docker(s: Settings, found: dict[str, Any]) -> Iterator[Finding]:
    features = " ".join(found.get("features") or {})
    mounted = any("docker.sock" in str(mount) for mount in found.get("mounts") or [])
    if "docker-outside-of-docker" in features or "docker-in-docker" in features or mounted:
        yield Finding("docker engine", State.OK, "a feature or a mount brings it")
    else:
        yield Finding(
            "docker engine",
            State.WARN,
            "Tilt could not build images; intercepts work",
            fix='add "ghcr.io/devcontainers/features/docker-outside-of-docker:1": {} to "features"',
        )


def _volumes(s: Settings, found: dict[str, Any]) -> Iterator[Finding]:
    mounts = [
        m if isinstance(m, str) else ",".join(f"{k}={v}" for k, v in m.items()) for m in found.get("mounts") or []
    ]
    for folder in (".azure", ".kube"):
        subject = f"volume for ~/{folder}"
        own = next((m for m in mounts if re.search(rf"target=[^,]*/{re.escape(folder)}(,|$)", m)), "")
        if not own:
            yield Finding(
                subject,
                State.MISSING,
                "a rebuilt container would have lost the login",
                fix=f'add "source=remote-dev{folder.replace(".", "-")}-${{localWorkspaceFolderBasename}}-${{devcontainerId}},'
                f'target=/home/vscode/{folder},type=volume" to "mounts"',
            )
        elif "type=bind" in own:
            yield Finding(
                subject,
                State.WARN,
                "bound from the host: logins of a Mac or Windows host do not work here",
                fix="use a volume",
            )
        elif not _PER_CLONE.search(own):
            yield Finding(
                subject,
                State.MISSING,
                "two clones would share it: `az account set` in one redirects the other",
                fix="put ${localWorkspaceFolderBasename}-${devcontainerId} into its source",
            )
        else:
            yield Finding(subject, State.OK, "a volume of this clone")


def _port(s: Settings, found: dict[str, Any]) -> Iterator[Finding]:
    if s.tilt.port in (found.get("forwardPorts") or []):
        yield Finding(f"port {s.tilt.port}", State.OK, "forwarded: Tilt's page")
    else:
        yield Finding(
            f"port {s.tilt.port}", State.MISSING, "Tilt's page is not forwarded", fix=f'"forwardPorts": [{s.tilt.port}]'
        )


def _host_name(s: Settings, found: dict[str, Any]) -> Iterator[Finding]:
    if any(w.startswith("--hostname=") for w in _run_arguments(found)):
        yield Finding("host name", State.OK, "set: colleagues see who holds an intercept")
    else:
        yield Finding(
            "host name",
            State.WARN,
            "a container id: colleagues see it as the holder of your intercepts",
            fix='add "--hostname=${localEnv:USER:dev}-${localWorkspaceFolderBasename}" to "runArgs"',
        )


def _commands(s: Settings, found: dict[str, Any]) -> Iterator[Finding]:
    for key, purpose in (
        ("updateContentCommand", "what a prebuild can cache"),
        ("postCreateCommand", "the setup of a new container"),
    ):
        if found.get(key):
            yield Finding(key, State.OK, purpose)
        else:
            yield Finding(
                key, State.MISSING, f"not set: {purpose}", fix=f"copy {key} from the suite's devcontainer.json"
            )


def _post_create(folder: Path) -> Iterator[Finding]:
    place = folder / "postCreate.sh"
    if not place.is_file():
        yield Finding("postCreate.sh", State.MISSING, "not there", fix="copy it from the suite's .devcontainer")
        return
    lines = [line for line in place.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines)
    if "k3d" in text:
        yield Finding(
            "postCreate.sh", State.MISSING, "still makes a local k3d cluster", fix="inv migrate.phase2 --dry-run"
        )
    elif "scripts/inv" not in text:
        yield Finding(
            "postCreate.sh", State.MISSING, "does not run the suite's setup", fix="call ./scripts/inv setup in it"
        )
    else:
        yield Finding("postCreate.sh", State.OK, "runs the suite's setup")


def _versions(s: Settings, folder: Path, found: dict[str, Any]) -> Iterator[Finding]:
    name = (found.get("build") or {}).get("dockerfile") or found.get("dockerFile")
    if not isinstance(name, str):
        yield Finding("versions", State.UNKNOWN, "no Dockerfile: the image decides", fix='name one in "build"')
        return
    place = folder / name
    if not place.is_file():
        yield Finding("versions", State.MISSING, f"{place} is not there", fix=f"git checkout -- {place}")
        return
    there = arguments(place)
    different = [(key, value, there.get(key, "nothing")) for key, value in wanted(s).items() if there.get(key) != value]
    for key, value, other in different:
        yield Finding(
            f"versions {key}",
            State.MISSING,
            f"{place.name} has {other}, the settings {value}",
            fix=f"ARG {key}={value} in {place.name}, or change settings.tools in config/settings.yaml",
        )
    if not different:
        yield Finding("versions", State.OK, f"{place.name} and settings.tools name the same versions and checksums")
