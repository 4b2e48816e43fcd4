"""Which version of a program is installed. Asked of the program, and kept as long as its file stays the same."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tasks.core.config.settings import Pin, Settings
from tasks.core.errors import ToolError
from tasks.core.state import store
from tasks.tools import base

_NUMBER = re.compile(r"\bv?(\d+\.\d+(?:\.\d+)?(?:[-+][\w.]+)?)")
# How to ask, and where the number stands in the answer; other programs are asked with --version.
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
    """A program on PATH. version: empty when it did not tell, wrong: why it is not the program that is meant."""

    name: str
    path: str
    version: str = ""
    wrong: str = ""


def installed(s: Settings, name: str) -> Installed | None:
    """What is installed, None when the program is not on PATH. Raises ToolError when it gives no answer."""
    path = shutil.which(name)
    if path is None:
        return None
    real = os.path.realpath(path)
    stat = os.stat(real)
    identity = f"{path} {real} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    kept = _kept(name)
    if kept.get("identity") == identity and kept.get("version"):
        return Installed(name, path, kept["version"])
    args, pattern = _ASK.get(name, (("--version",), ""))
    # from the root folder: in a project pnpm would fetch the version that package.json names
    done = base.tool(s, name, timeout=s.deadlines.kubectl, env={"COREPACK_ENABLE_DOWNLOAD_PROMPT": "0"}).call(
        *args, cwd=os.sep
    )
    said = f"{done.stdout}\n{done.stderr}"
    found = re.search(pattern, said) if pattern else _NUMBER.search(said)
    if found and (done.exit == 0 or name == "kubectl"):
        store.cache(_file(name), json.dumps({"identity": identity, "version": found.group(1)}))
        return Installed(name, path, found.group(1))
    if name == "kubelogin":
        return Installed(name, path, wrong="another program of this name (int128's kubelogin), not Azure's")
    raise ToolError(
        f"{name} does not tell its version: {done.last_line}", tool=name, exit=done.exit, fix=base.how_to_get(s, name)
    )


def question(name: str) -> tuple[str, ...]:
    """The arguments with which the program is asked for its version."""
    return _ASK.get(name, (("--version",), ""))[0]


def fits(pin: Pin, version: str) -> bool:
    """Is it the pinned version, or a newer one where that is fine?"""
    have, wanted = parts(version), parts(pin.version)
    return have >= wanted if pin.at_least else have == wanted


def parts(version: str) -> tuple[int, ...]:
    """1.30.4-rc.1+build as (1, 30, 4); what has no number is (0, 0, 0)."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    numbers = [int(part) for part in found.group(1).split(".")] if found else []
    return tuple([*numbers, 0, 0, 0][:3])


def _file(name: str) -> Path:
    return store.folder("versions", f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.json")


def _kept(name: str) -> dict[str, str]:
    try:
        found = json.loads(store.read(_file(name)) or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
