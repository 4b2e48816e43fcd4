"""The installed version of a program. The answer is cached as long as the program's file stays the same."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tasks.core import strict_json
from tasks.core.config.settings import Pin, Settings
from tasks.core.errors import ToolError
from tasks.core.state import store
from tasks.tools import base

_NUMBER = re.compile(r"\bv?(\d+\.\d+(?:\.\d+)?(?:[-+][\w.]+)?)")
# The arguments that ask, and the pattern of the version in the answer. Other programs are asked with --version.
_ASK: dict[str, tuple[tuple[str, ...], str]] = {
    "az": (("version", "--output", "json"), r'"azure-cli":\s*"([^"]+)"'),
    "kubelogin": (("--version",), r"git hash: v?([^/\s]+)"),
    "kubectl": (("version", "--client", "--output", "json"), r'"gitVersion":\s*"v?([^"]+)"'),
    "telepresence": (("version",), r"Client\s*: v?(\S+)"),
    "helm": (("version", "--short"), r"v(\d[\w.]*)"),
    "tilt": (("version",), r"v(\d[\w.]*)"),
}


@dataclass(frozen=True)
class Installed:
    """A program on PATH."""

    name: str
    path: str
    version: str = ""
    """Empty when the program did not say."""

    wrong: str = ""
    """Why it is not the program that is meant."""


def installed(s: Settings, name: str) -> Installed | None:
    """Return what is installed, None when the program is not on PATH. Raises ToolError when it does not answer."""
    path = shutil.which(name)
    if path is None:
        return None
    identity = _identity(path)
    kept = _kept(name)
    if kept.get("identity") == identity and kept.get("version"):
        return Installed(name, path, kept["version"])
    tool = base.tool(s, name, timeout=s.deadlines.kubectl, env={"COREPACK_ENABLE_DOWNLOAD_PROMPT": "0"})
    done = tool[question(name)].call(cwd=os.sep)  # in a project pnpm would fetch the version that package.json names
    match = _pattern(name).search(f"{done.stdout}\n{done.stderr}")
    if match and (done.exit == 0 or name == "kubectl"):
        store.cache(_file(name), json.dumps({"identity": identity, "version": match[1]}))
        return Installed(name, path, match[1])
    if name == "kubelogin":
        return Installed(name, path, wrong="another program of this name (int128's kubelogin), not Azure's")
    raise ToolError(
        f"{name} does not show its version: {done.last_line}", tool=name, exit=done.exit, fix=base.how_to_get(s, name)
    )


def question(name: str) -> tuple[str, ...]:
    """Return the arguments that ask the program for its version."""
    return _ASK[name][0] if name in _ASK else ("--version",)


def fits(pin: Pin, version: str) -> bool:
    """Is it the pinned version, or a newer one where the pin allows it?"""
    have, wanted = parts(version), parts(pin.version)
    return have >= wanted if pin.at_least else have == wanted


def parts(version: str) -> tuple[int, ...]:
    """Return 1.30.4-rc.1+build as (1, 30, 4), and (0, 0, 0) for text without a number."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    numbers = [int(part) for part in match[1].split(".")] if match else []
    return tuple([*numbers, 0, 0, 0][:3])


def _pattern(name: str) -> re.Pattern[str]:
    """The pattern whose first group is the version in the program's answer."""
    return re.compile(_ASK[name][1]) if name in _ASK else _NUMBER


def _identity(path: str) -> str:
    """What changes when another file is installed under this name."""
    real = os.path.realpath(path)
    stat = os.stat(real)
    return f"{path} {real} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"


def _file(name: str) -> Path:
    return store.folder("versions", f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.json")


def _kept(name: str) -> dict[str, str]:
    try:
        cached = strict_json.mapping(store.read(_file(name)) or "{}")
    except ValueError:
        return {}
    return {key: str(value) for key, value in cached.items()}
