"""Docker: whether an engine answers, and whether the login to a registry still works, read from its own files."""

from __future__ import annotations

import base64
import binascii
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import regular_file, strict_json
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.process.tool import Tool
from tasks.core.typed import move_away
from tasks.tools import base

_MARGIN = 600  # seconds that a login must still last: an image build takes minutes


@dataclass(frozen=True)
class Login:
    """What the Docker client has for a registry."""

    present: bool
    expires: float = 0.0
    """In seconds since the epoch; 0 when it is not known."""

    helper: str = ""
    """The credential helper that holds it; empty when the file itself does."""

    @property
    def alive(self) -> bool:
        """Is it known to last for some minutes more?"""
        return self.present and self.expires > time.time() + _MARGIN


def tool(s: Settings) -> Tool:
    """Return docker, or the program that DOCKER_COMMAND names, as az does."""
    return base.tool(s, os.environ.get("DOCKER_COMMAND") or "docker", timeout=s.deadlines.docker)


def engine(s: Settings) -> str:
    """Return the engine's version. Raises ToolError when no engine answers: every docker command then exits 1."""
    return tool(s)["info", "--format", "{{.ServerVersion}}"].run().strip()


def login(host: str) -> Login:
    """Return the login to this registry from the client's configuration, without starting a program."""
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        document = strict_json.loads(regular_file.text(path))
    except FileNotFoundError:
        return Login(False)
    except (OSError, ValueError) as why:
        raise Blocked(f"cannot read {path}: {why}", fix=f"correct it, or move it away: {move_away(path)}") from None
    config = _mapping(document)
    helper = str(_mapping(config.get("credHelpers")).get(host) or config.get("credsStore") or "")
    entries = {_host(key): value for key, value in reversed(_mapping(config.get("auths")).items())}
    entry = entries.get(host)
    if not isinstance(entry, dict):
        return Login(False, helper=helper)
    token = str(entry.get("identitytoken") or _password(str(entry.get("auth") or "")))
    return Login(bool(token or helper), _expiry(token), helper)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _host(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").split("/")[0]


def _password(auth: str) -> str:
    try:
        return base64.b64decode(auth).decode().partition(":")[2].rstrip("\0")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _expiry(token: str) -> float:
    """The `exp` of a JWT; 0 for anything else, such as a password."""
    parts = token.split(".")
    if len(parts) != 3:
        return 0.0
    try:
        claims = strict_json.mapping(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return 0.0
