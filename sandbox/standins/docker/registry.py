"""The registry from docker's side: which logins it accepts, and docker's file of logins."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Call
from sandbox.world.state import World

TOKEN_USER = "00000000-0000-0000-0000-000000000000"
_UNAUTHORIZED = "unauthorized: authentication required, visit https://aka.ms/acr/authorization for more information."


class DockerError(Exception):
    """docker exits with code 1 and this text."""


def unreachable(world: World, host: str) -> str:
    """Why this registry does not answer; empty if it does."""
    if host != world.places.registry or world.fault("dns"):
        return f'Get "https://{host}/v2/": dial tcp: lookup {host} on 10.98.0.1:53: no such host'
    return ""


def accepts(world: World, call: Call, user: str, secret: str) -> bool:
    """Does the registry accept this login? It accepts tokens of `az acr login` and the service principal's secret."""
    if world.fault("registry-refused") or world.fault("registry-role"):
        return False
    if user == TOKEN_USER:
        token = world.bearer(secret)
        return bool(token and token.resource == world.places.registry)
    from sandbox.standins.az.cloud import SERVICE_PRINCIPAL_SECRET, Cloud

    return user == Cloud(world, world.user(call)).service_principal and secret == SERVICE_PRINCIPAL_SECRET


class Logins:
    """config.json in DOCKER_CONFIG or ~/.docker."""

    def __init__(self, call: Call, world: World) -> None:
        self.path = Path(call.env.get("DOCKER_CONFIG") or Path(call.home, ".docker")) / "config.json"
        self._call, self._world = call, world

    def data(self) -> dict[str, Any]:
        """The content of the file; empty if absent. Raises DockerError if it is not JSON."""
        try:
            content = json.loads(self.path.read_text() or "{}")
        except FileNotFoundError:
            return {}
        except ValueError as why:
            raise DockerError(f"Error loading config file: {self.path}: {why}") from None
        return content if isinstance(content, dict) else {}

    def keep(self, host: str, user: str, secret: str) -> bool:
        """Store a login. Returns False for a password, which is stored in plain text."""
        data = self.data()
        helper = (data.get("credHelpers") or {}).get(host) or data.get("credsStore")
        if helper:
            name = f"docker-credential-{helper}"
            if self._world.which(self._call, name) is None:
                raise DockerError(
                    f'Error saving credentials: error storing credentials - err: exec: "{name}": executable file not found '
                    "in $PATH, out: ``"
                )
            entry = json.dumps({"ServerURL": host, "Username": user, "Secret": secret})
            self._world.run(self._call, name, ("store",), stdin=entry.encode())
            return True
        token = user == TOKEN_USER
        login = {"auth": _auth(user, "" if token else secret)}
        if token:
            login["identitytoken"] = secret
        data.setdefault("auths", {})[host] = login
        self._write(data)
        return token

    def drop(self, host: str) -> bool:
        """Delete a login. Returns False if there was none."""
        data = self.data()
        if host not in data.get("auths", {}):
            return False
        del data["auths"][host]
        self._write(data)
        return True

    def find(self, host: str) -> tuple[str, str] | None:
        """User and secret of the stored login; None without one."""
        entry = (self.data().get("auths") or {}).get(host)
        if not isinstance(entry, dict):
            return None
        user, _, secret = base64.b64decode(entry.get("auth", "")).decode().partition(":")
        return user, str(entry.get("identitytoken") or secret)

    def _write(self, data: dict[str, Any]) -> None:
        if self._world.fault("disk-full"):
            raise OSError(errno.ENOSPC, "no space left on device", str(self.path))
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self.path.resolve()  # as docker: written beside the file that a link names, then renamed onto it
        handle, beside = tempfile.mkstemp(dir=target.parent, prefix=target.name)  # mode 0600
        with os.fdopen(handle, "w") as file:
            file.write(json.dumps(data, indent="\t"))
        if target.exists():
            os.chmod(beside, target.stat().st_mode)
        os.replace(beside, target)


def host_of(ref: str) -> str:
    """The registry of an image reference."""
    first = ref.split("/")[0]
    return first if "/" in ref and ("." in first or ":" in first or first == "localhost") else "docker.io"


def allowed(call: Call, world: World, ref: str, *, push: bool) -> None:
    """Raise DockerError if the registry refuses a push or a pull of this reference."""
    host = host_of(ref)
    problem = unreachable(world, host)
    if problem:
        raise DockerError(problem if host != "docker.io" else "denied: requested access to the resource is denied")
    if world.fault("registry-firewall"):
        raise DockerError(
            "denied: client with IP '203.0.113.7' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
        )
    login = Logins(call, world).find(host)
    if login is None or not accepts(world, call, *login):
        raise DockerError(
            "denied: requested access to the resource is denied"
            if push and login and world.fault("registry-refused")
            else _UNAUTHORIZED
        )


def digest(text: str) -> str:
    """The sha256 of a text in the form of image ids and digests."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _auth(user: str, secret: str) -> str:
    return base64.b64encode(f"{user}:{secret}".encode()).decode()
