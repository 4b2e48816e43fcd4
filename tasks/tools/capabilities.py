"""What the installed program can do, read from its own help. Never branch on a version: flags come, go and come back.

Telepresence had `--format`, then `--output`, then both; see tests/data/contracts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from tasks.core import strict_json
from tasks.core.errors import Absent
from tasks.core.process.tool import Tool
from tasks.core.state import store

_FLAG = re.compile(r"^\s+(?:-\w, )?--([a-z][a-z0-9-]*)", re.MULTILINE)
_COMMANDS = re.compile(r"^Available Commands:\n((?:[ \t]+\S.*\n?)+)", re.MULTILINE)


def flags(tool: Tool, *command: str) -> frozenset[str]:
    """Return the flags that `PROGRAM COMMAND --help` names, without dashes. Hidden flags are not among them."""
    return frozenset(_FLAG.findall(_help(tool, *command)))


def commands(tool: Tool) -> frozenset[str]:
    """Return the commands that the program's own help lists.

    The help of one command proves nothing: Telepresence exits with 0 for the help of an unknown command too.
    """
    return frozenset(line.split()[0] for block in _COMMANDS.findall(_help(tool)) for line in block.splitlines())


def _help(tool: Tool, *command: str) -> str:
    """Return the help text. It is cached by the identity of the program: path, size and time of its file."""
    place = shutil.which(tool.name, path=dict(tool.env).get("PATH") or os.environ.get("PATH"))
    if place is None:
        raise Absent(f"{tool.name} is not installed", tool=tool.name, fix=tool.fix)
    stat = os.stat(place)
    identity = f"{os.path.realpath(place)} {place} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    path = store.folder("capabilities", f"{tool.name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json")
    key = " ".join(command)
    known = _known(path)
    if key not in known:
        done = tool[(*command, "--help")].call()
        text = done.stdout or done.stderr
        if done.exit == 0 and text:
            store.cache(path, json.dumps({**_known(path), key: text}))
        return text
    return known[key]


def _known(path: Path) -> dict[str, str]:
    try:
        known = strict_json.mapping(store.read(path) or "{}")
    except ValueError:
        return {}
    return {key: text for key, text in known.items() if isinstance(text, str)}
