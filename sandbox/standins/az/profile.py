"""The files az keeps: azureProfile.json (with a byte order mark), clouds.config, service_principal_entries.json and others.

Which command touches which file was seen on the real az 2.91.0. All are rewritten in place.
"""

from __future__ import annotations

import json
import os
import pickle
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Call
from sandbox.standins.az import files
from sandbox.standins.az.token_cache import TokenCache
from sandbox.world.state import World

_PRINCIPALS = "service_principal_entries.json"


class Profile:
    """One AZURE_CONFIG_DIR. A missing file reads as empty."""

    def __init__(self, call: Call, world: World) -> None:
        self.folder = Path(call.env.get("AZURE_CONFIG_DIR") or Path(call.home, ".azure"))
        self._world = world
        self.tokens = TokenCache(self.folder, world, lambda seconds: world.wait(call, seconds), call.pid)

    def subscriptions(self) -> list[dict[str, Any]]:
        """The subscriptions of all logins. Raises ValueError if the file is not JSON."""
        subscriptions = self._read("azureProfile.json").get("subscriptions", [])
        return subscriptions if isinstance(subscriptions, list) else []

    def active(self) -> dict[str, Any] | None:
        """The default subscription with its account; None without one."""
        return next((subscription for subscription in self.subscriptions() if subscription.get("isDefault")), None)

    def keep(self, subscriptions: list[dict[str, Any]]) -> None:
        """Write azureProfile.json in UTF-8 with a BOM, as az does."""
        installation = self._read("azureProfile.json").get("installationId") or str(uuid.uuid1())
        content = {"installationId": installation, "subscriptions": subscriptions}
        self._write("azureProfile.json", json.dumps(content).encode("utf-8-sig"))

    def choose(self, subscriptions: list[dict[str, Any]], default: dict[str, Any]) -> None:
        """Make one of these subscriptions the default: in clouds.config and in azureProfile.json."""
        self._write("clouds.config", f"[AzureCloud]\nsubscription = {default['id']}\n\n".encode())
        self.keep([{**subscription, "isDefault": subscription is default} for subscription in subscriptions])

    def keep_service_principal(self, entry: dict[str, str]) -> None:
        """Store a service principal with its secret in plain text, as az does."""
        entries = [known for known in self.service_principals() if known.get("client_id") != entry["client_id"]]
        self._write(_PRINCIPALS, json.dumps([*entries, entry]).encode(), mode=0o600)

    def service_principals(self) -> list[dict[str, str]]:
        """The stored service principals."""
        path = self.folder / _PRINCIPALS
        return list(json.loads(path.read_text())) if path.exists() else []

    def log_out(self, name: str) -> None:
        """Remove one account, as `az logout` does: tokens and secrets first, then the subscriptions."""
        self.tokens.remove_account(name)
        principals = self.service_principals()
        left = [entry for entry in principals if entry.get("client_id") != name]
        if left != principals:
            self._write(_PRINCIPALS, json.dumps(left).encode(), mode=0o600)
        self._write("msal_http_cache.bin", pickle.dumps({"fetched": time.time()}))
        self.keep([s for s in self.subscriptions() if str(s["user"]["name"]).lower() != name.lower()])

    def forget(self) -> None:
        """Remove every login, as `az account clear` does."""
        self.keep([])
        for path in (self.tokens.path, self.folder / _PRINCIPALS):
            path.unlink(missing_ok=True)

    def note_telemetry(self) -> None:
        """Change telemetry.txt, as every call does. az ignores a failure."""
        with suppress(OSError):
            if self.folder.is_dir():
                self._write("telemetry.txt", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime()).encode())
                os.utime(self.folder / "telemetry.txt")

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            content = json.loads(files.read(path) or "{}")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        if not isinstance(content, dict):
            raise ValueError(f"{path} holds no object")
        return content

    def _write(self, name: str, content: bytes, mode: int = 0o644) -> None:
        files.write(self._world, self.folder / name, content, mode)
