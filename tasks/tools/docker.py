"""Docker: whether an engine answers, and whether the login to a registry is alive, read from its own files."""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.process.tool import Tool
from tasks.tools import base

_MARGIN = 600  # seconds a login must still live: an image build takes minutes


@dataclass(frozen=True)
class Login:
    """What the Docker client has for a registry. expires: seconds since the epoch, 0 when it cannot be told from
    here; helper: the credential helper that holds it, empty for the file itself."""

    present: bool
    expires: float = 0.0
    helper: str = ""

    @property
    def alive(self) -> bool:
        """Is it known to live for some minutes more?"""
        return self.present and self.expires > time.time() + _MARGIN


def tool(s: Settings) -> Tool:
    """docker, or what DOCKER_COMMAND names, as az has it."""
    return base.tool(s, os.environ.get("DOCKER_COMMAND") or "docker", timeout=s.deadlines.docker)


def engine(s: Settings) -> str:
    """The engine's version. Raises ToolError when none answers: every docker command then exits 1."""
    return tool(s)["info", "--format", "{{.ServerVersion}}"].run().strip()


def login(host: str) -> Login:
    """The login to this registry as it stands in the client's configuration; no program is called."""
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Login(False)
    except (OSError, ValueError) as why:
        raise Blocked(f"cannot read {path}: {why}", fix=f"mend it, or move it away: mv {path} {path}.broken") from None
    config: dict[str, Any] = found if isinstance(found, dict) else {}
    helpers = config.get("credHelpers")
    helper = str((helpers.get(host) if isinstance(helpers, dict) else "") or config.get("credsStore") or "")
    entries = config.get("auths")
    entry = next((v for k, v in entries.items() if _host(k) == host), None) if isinstance(entries, dict) else None
    if not isinstance(entry, dict):
        return Login(False, helper=helper)
    token = str(entry.get("identitytoken") or _password(str(entry.get("auth") or "")))
    return Login(bool(token or helper), _expiry(token), helper)


def _host(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").split("/")[0]


def _password(auth: str) -> str:
    try:
        return base64.b64decode(auth).decode().partition(":")[2].rstrip("\0")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _expiry(token: str) -> float:
    """The `exp` of a token in JWT shape; 0 for anything else (a password has none)."""
    parts = token.split(".")
    if len(parts) != 3:
        return 0.0
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return 0.0
