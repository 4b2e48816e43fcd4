"""Add the suite's tools to a team's Dockerfile in one marked block; the rest keeps every byte."""

from __future__ import annotations

import re

_START = "# >>> remote-first: tools for the shared cluster; versions and checksums are those of config/settings.yaml"
_END = "# <<< remote-first"
_HADOLINT = (
    "# hadolint global ignore=DL3008,DL3066"  # unpinned apt packages: https://github.com/hadolint/hadolint/wiki/DL3008
)
_NEEDED = ("telepresence", "kubelogin", "iptables", "sshfs")


def lacks_tools(text: str) -> bool:
    """Is one of the needed tools not installed by this Dockerfile?"""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).lower()
    return not all(tool in code for tool in _NEEDED)


def with_tools(text: str, template: str, prefix: str) -> tuple[str, list[str]]:
    """The Dockerfile with the block, and the files that the block copies from the suite.

    The block is inserted before the last USER of the last stage, since installing needs root.
    template: the suite's own Dockerfile; prefix: of the copied files in the build context
    """
    end = "\r\n" if "\r\n" in text else "\n"
    block, copied_files = _block(template, prefix)
    lines = text.splitlines()
    users = _users_of_last_stage(lines)
    place = users[-1] if users else len(lines)
    become_root = ["USER root"] if len(users) > 1 else []  # an earlier USER may be another one
    body = [_START, _HADOLINT, *become_root, *block, _END, ""]
    return end.join([*lines[:place], *body, *lines[place:]]).rstrip() + end, copied_files


def _users_of_last_stage(lines: list[str]) -> list[int]:
    users: list[int] = []
    for number, line in enumerate(lines):
        if re.match(r"FROM\s", line, re.IGNORECASE):
            users = []
        elif re.match(r"USER\s", line, re.IGNORECASE):
            users.append(number)
    return users


def _block(template: str, prefix: str) -> tuple[list[str], list[str]]:
    """The template's lines below its FROM, and the files that they copy."""
    lines = template.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("FROM ")) + 1
    block: list[str] = []
    copied_files: list[str] = []
    for line in lines[first:]:
        copy = re.match(r"COPY ((?:[\w.-]+ )+)(\S+)$", line)  # COPY install.sh checksums.txt /tmp/
        if copy:
            names = copy[1].split()
            copied_files += names
            line = f"COPY {' '.join(prefix + name for name in names)} {copy[2]}"
        block.append(line)
    return "\n".join(block).strip("\n").split("\n"), copied_files
