"""Add the suite's tools to a team's Dockerfile in one marked block; the rest keeps every byte."""

from __future__ import annotations

import re
from dataclasses import dataclass

from migration.edit.dockerfile_syntax import Dockerfile, Stage

_START = "# >>> remote-first: tools for the shared cluster; versions and checksums are those of config/settings.yaml"
_END = "# <<< remote-first"
_HADOLINT = (
    "# hadolint global ignore=DL3008,DL3066"  # unpinned apt packages: https://github.com/hadolint/hadolint/wiki/DL3008
)
_NEEDED = ("telepresence", "kubelogin", "iptables", "sshfs")
_DEFAULT_SHELL = '["/bin/sh", "-c"]'
# Images whose packages are not Debian's: by their name, and by the program that installs packages.
_NO_APT = re.compile(
    r"alpine|distroless|busybox|\bubi\d|/ubi|fedora|centos|rocky|alma|amazonlinux|oraclelinux|opensuse|archlinux"
    r"|cgr\.dev/|wolfi|nixos/|photon|azurelinux|mariner|^scratch$"
)
_OTHER_PACKAGES = re.compile(r"\b(?:apk add|dnf|microdnf|yum|zypper|pacman|tdnf)\b")
_OFFICIAL = re.compile(
    r"(?:docker\.io/)?(?:library/)?(?:alpine|debian|ubuntu|buildpack-deps|golang|python|ruby|node|rust|openjdk|eclipse-temurin"
    r"|php|perl|gcc|elixir|erlang|maven|gradle)(?:[:@]|$)"
)
_OF_THE_SPECIFICATION = re.compile(r"mcr\.microsoft\.com/(?:vscode/)?devcontainers/")


@dataclass(frozen=True)
class Tools:
    """What is added. template: the suite's own Dockerfile; prefix: of the copied files in the build context

    user, home: of the container; the suite's own are vscode and /home/vscode
    """

    template: str
    prefix: str
    user: str
    home: str


def lacks_tools(text: str) -> bool:
    """Is one of the needed tools not installed by this Dockerfile?"""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).lower()
    return not all(tool in code for tool in _NEEDED)


def has_no_apt(image: str) -> bool:
    """Does this image have another package manager than apt, or none?"""
    return _NO_APT.search(image.lower()) is not None


def has_apt(image: str) -> bool:
    """Is this image known to have apt?"""
    is_known = is_official(image) or _OF_THE_SPECIFICATION.match(image.lower()) is not None
    return is_known and not has_no_apt(image)


def is_official(image: str) -> bool:
    """Is this an official image of Docker Hub? Their containers run as root."""
    return _OFFICIAL.match(image.lower()) is not None


def stage_has_no_apt(dockerfile: Dockerfile, target: str) -> bool:
    """Does the stage have another package manager than apt, by its base image or by what it runs?"""
    runs = [text for stage in dockerfile.chain(target) for text in stage.texts("RUN")]
    return has_no_apt(dockerfile.base(target)) or any(_OTHER_PACKAGES.search(run) for run in runs)


def with_tools(dockerfile: Dockerfile, target: str, tools: Tools) -> tuple[str, list[str]]:
    """The Dockerfile with the block in this stage, and the files that the block copies from the suite.

    The block is inserted before the last USER of the stage, else at its end, and runs as root. The stage's user and shell
    are those of before below it.
    """
    stage = dockerfile.stage(target)
    if stage is None:
        raise ValueError(f"the Dockerfile has no stage {target!r}")
    lines = dockerfile.lines
    end = "\r\n" if "\r\n" in dockerfile.text else "\n"
    block, copied_files = _block(tools, dockerfile.base(target))
    place, before, after = _surroundings(dockerfile, target, stage)
    body = [_START, _HADOLINT, *before, *block, *_shell_of_before(dockerfile, target, stage, place), *after, _END]
    head = "".join(lines[:place])
    gap = "" if head.endswith("\n") else end
    rest = "".join(lines[place:])
    return head + gap + "".join(f"{line}{end}" for line in body) + (end if rest else "") + rest, copied_files


def _surroundings(dockerfile: Dockerfile, target: str, stage: Stage) -> tuple[int, list[str], list[str]]:
    """Where the block is inserted, and what makes it run as root and restores the user."""
    users = [i for i in stage.instructions if i.keyword == "USER"]
    above = dockerfile.chain(target)[1:]
    inherited = dockerfile.user(above[0].name) if above else ""
    if users:
        is_other = len(users) > 1 or inherited not in {"", "root", "0"}
        return users[-1].first, ["USER root"] if is_other else [], []
    if inherited not in {"", "root", "0"}:
        return stage.last + 1, ["USER root"], [f"USER {inherited}"]
    return stage.last + 1, [], []


def _shell_of_before(dockerfile: Dockerfile, target: str, stage: Stage, place: int) -> list[str]:
    """The SHELL that the instructions below the block had."""
    earlier = [i.text for i in stage.instructions if i.keyword == "SHELL" and i.first < place]
    earlier = earlier or [text for above in dockerfile.chain(target)[1:2] for text in above.texts("SHELL")]
    shell = earlier[-1] if earlier else _DEFAULT_SHELL
    below = any(i.first >= place and i.keyword != "USER" for i in stage.instructions) or dockerfile.is_used(stage)
    return [f"SHELL {shell}"] if below else []


def _block(tools: Tools, image: str) -> tuple[list[str], list[str]]:
    """The template's lines below its FROM for this user, and the files that they copy."""
    lines = _for_user(tools, image).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("FROM ")) + 1
    block: list[str] = []
    copied_files: list[str] = []
    for line in lines[first:]:
        copy = re.match(r"COPY ((?:[\w.-]+ )+)(\S+)$", line)  # COPY install.sh checksums.txt /tmp/
        if copy:
            names = copy[1].split()
            copied_files += names
            line = f"COPY {' '.join(tools.prefix + name for name in names)} {copy[2]}"
        block.append(line)
    return "\n".join(block).strip("\n").split("\n"), copied_files


def _for_user(tools: Tools, image: str) -> str:
    """The template for this user. A user that a feature creates does not exist yet while the image is built."""
    if tools.user == "vscode" and image.startswith("mcr.microsoft.com/devcontainers/"):
        return tools.template
    user = tools.user
    command = f'! id -u {user} >/dev/null 2>&1 || install -d -o {user} -g "$(id -gn {user})"'
    return tools.template.replace("install -d -o vscode -g vscode", command).replace("/home/vscode", tools.home)
