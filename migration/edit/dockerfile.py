"""A team's Dockerfile gets the suite's tools in one marked block; all else keeps every byte."""

from __future__ import annotations

import re

_START = "# >>> remote-first: tools for the shared cluster; versions and checksums are those of config/settings.yaml"
_END = "# <<< remote-first"
_NEEDED = ("telepresence", "kubelogin", "iptables", "sshfs")


def lacks_tools(text: str) -> bool:
    """Is one of the needed tools not installed by this Dockerfile?"""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).lower()
    return not all(word in code for word in _NEEDED)


def with_tools(text: str, template: str, prefix: str) -> tuple[str, list[str]]:
    """The Dockerfile with the block before its last USER, and the files that the block copies from the suite.

    template: the suite's own Dockerfile; prefix: of the copied files in the build context
    """
    end = "\r\n" if "\r\n" in text else "\n"
    block, copies = _block(template, prefix)
    lines = text.splitlines()
    users = [n for n, line in enumerate(lines) if re.match(r"USER\s", line, re.IGNORECASE)]
    stages = [n for n, line in enumerate(lines) if re.match(r"FROM\s", line, re.IGNORECASE)]
    last = users[-1] if users and (not stages or users[-1] > stages[-1]) else len(lines)
    earlier = [n for n in users if n < last and (not stages or n > stages[-1])]
    body = [_START, "# hadolint global ignore=DL3008,DL3066", *(["USER root"] if earlier else []), *block, _END, ""]
    return end.join([*lines[:last], *body, *lines[last:]]).rstrip() + end, copies


def _block(template: str, prefix: str) -> tuple[list[str], list[str]]:
    """The template's lines below its FROM."""
    lines = template.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("FROM ")) + 1
    found: list[str] = []
    copies: list[str] = []
    for line in lines[first:]:
        copied = re.match(r"COPY ((?:[\w.-]+ )+)(\S+)$", line)
        if copied:
            names = copied[1].split()
            copies += names
            line = f"COPY {' '.join(prefix + n for n in names)} {copied[2]}"
        found.append(line)
    return "\n".join(found).strip("\n").split("\n"), copies
