"""How commands are typed here, so that one in a message can be pasted where it is read."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_COMMAND = re.compile(r"(?<![\w./-])inv (?=-{0,2}[a-z])")  # a call such as `inv aks.login`, not the word inv

_AS_ROOT = re.compile(r"(?<![\w./-])sudo (?=(?:apt-get|chgrp|chown|kill|rm|usermod) )")

_running: frozenset[str] = frozenset()


def set_running(tasks: Iterable[str]) -> None:
    """Keep the names of the tasks on this command line."""
    global _running
    _running = frozenset(tasks)


def with_more(fix: str, command: str, tells: str) -> str:
    """Return the fix with a command that tells more, unless it is the one that runs: a fix must not name itself."""
    return f"{fix}; {command} {tells}" if command and command.removeprefix("inv ") not in _running else fix


def as_typed(text: str) -> str:
    """Return the text with its commands as they work here.

    `inv TASK` is `./scripts/inv TASK` where `inv` is not on PATH; `sudo` is omitted for root, and where it is not installed.
    """
    text = _COMMAND.sub(lambda _: f"{_name()} ", text) if "inv " in text else text
    return _AS_ROOT.sub(lambda _: _prefix(), text) if "sudo " in text else text


def move_away(path: Path | str) -> str:
    """Return the command that keeps a file under another name."""
    return f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.broken')}"


def fixes_as_typed(document: Any) -> Any:
    """Return a JSON document with its fixes as they work in this folder. All else in it is data and stays as it is."""
    if isinstance(document, dict):
        return {key: _entry(str(key), value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [fixes_as_typed(value) for value in document]
    return document


def _entry(key: str, value: Any) -> Any:
    if key == "environment":  # a pod's, byte for byte
        return value
    return as_typed(value) if key == "fix" and isinstance(value, str) else fixes_as_typed(value)


def _prefix() -> str:
    if os.geteuid() == 0:
        return ""
    return "sudo " if shutil.which("sudo") else "as root: "


def _name() -> str:
    if shutil.which("inv"):
        return "inv"
    root = Path(__file__).resolve().parents[2]  # as core/repository.py has it, which imports the errors
    script = root / "scripts" / "inv"
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # it was deleted
        return shlex.quote(str(script))
    if not folder.is_relative_to(root):
        return shlex.quote(str(script))
    near = os.path.relpath(script, folder)
    return near if near.startswith("..") else f"./{near}"
