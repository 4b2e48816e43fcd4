"""The files az keeps: azureProfile.json (with a byte order mark), msal_token_cache.json, service_principal_entries.json."""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Call
from sandbox.world.state import World


class Profile:
    """One AZURE_CONFIG_DIR. A missing file reads as empty."""

    def __init__(self, call: Call, world: World) -> None:
        self.folder = Path(call.env.get("AZURE_CONFIG_DIR") or Path(call.home, ".azure"))
        self._world = world

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
        self._write("azureProfile.json", {"installationId": installation, "subscriptions": subscriptions}, bom=True)

    def tokens(self) -> dict[str, Any]:
        """The content of msal_token_cache.json; empty if absent or broken."""
        try:
            return self._read("msal_token_cache.json")
        except ValueError:
            return {}

    def refresh_token(self, account: str) -> str:
        """The refresh token of this account; empty if the cache has none."""
        for entry in self.tokens().get("RefreshToken", {}).values():
            if entry.get("home_account_id") == account:
                return str(entry.get("secret", ""))
        return ""

    def keep_login(self, account: str, name: str, tenant: str, refresh: str, client: str) -> None:
        """Store a user's login in the token cache."""
        cache = self.tokens()
        home, realm = account, tenant
        login = "login.microsoftonline.com"
        cache.setdefault("Account", {})[f"{home}-{login}-{realm}"] = {
            "home_account_id": home,
            "environment": login,
            "realm": realm,
            "local_account_id": home.split(".")[0],
            "username": name,
            "authority_type": "MSSTS",
        }
        cache.setdefault("RefreshToken", {})[f"{home}-{login}-refreshtoken-{client}--"] = {
            "credential_type": "RefreshToken",
            "secret": refresh,
            "home_account_id": home,
            "environment": login,
            "client_id": client,
            "target": "",
            "last_modification_time": str(int(time.time())),
        }
        cache.setdefault("AppMetadata", {})[f"appmetadata-{login}-{client}"] = {
            "client_id": client,
            "environment": login,
            "family_id": "1",
        }
        self._write("msal_token_cache.json", cache, mode=0o600)

    def keep_access(self, account: str, tenant: str, target: str, token: str, expires: int) -> None:
        """Store an access token under its scope."""
        cache = self.tokens()
        key = f"{account}-login.microsoftonline.com-accesstoken-{tenant}-{target}"
        cache.setdefault("AccessToken", {})[key] = {
            "credential_type": "AccessToken",
            "secret": token,
            "home_account_id": account,
            "environment": "login.microsoftonline.com",
            "realm": tenant,
            "target": target,
            "cached_at": str(int(time.time())),
            "expires_on": str(expires),
            "extended_expires_on": str(expires),
            "token_type": "Bearer",
        }
        self._write("msal_token_cache.json", cache, mode=0o600)

    def cached_access(self, account: str, target: str) -> dict[str, Any] | None:
        """A cached access token that is valid for more than five minutes."""
        for entry in self.tokens().get("AccessToken", {}).values():
            fits = entry.get("home_account_id") == account and entry.get("target") == target
            if fits and int(entry.get("expires_on", "0")) > time.time() + 300:
                return dict(entry)
        return None

    def keep_service_principal(self, entry: dict[str, str]) -> None:
        """Store a service principal with its secret in plain text, as az does."""
        path = self.folder / "service_principal_entries.json"
        entries = json.loads(path.read_text()) if path.exists() else []
        entries = [known for known in entries if known.get("client_id") != entry["client_id"]]
        self._write("service_principal_entries.json", [*entries, entry], mode=0o600)

    def service_principals(self) -> list[dict[str, str]]:
        """The stored service principals."""
        path = self.folder / "service_principal_entries.json"
        return list(json.loads(path.read_text())) if path.exists() else []

    def forget(self) -> None:
        """Remove every login."""
        self.keep([])
        for name in ("msal_token_cache.json", "service_principal_entries.json"):
            (self.folder / name).unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig") or "{}")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        if not isinstance(content, dict):
            raise ValueError(f"{path} holds no object")
        return content

    def _write(self, name: str, data: Any, *, bom: bool = False, mode: int = 0o644) -> None:
        if self._world.fault("disk-full"):
            raise OSError(errno.ENOSPC, "No space left on device", str(self.folder / name))
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.folder / f".{name}.{uuid.uuid4().hex[:8]}"
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "w", encoding="utf-8-sig" if bom else "utf-8") as file:
            json.dump(data, file)
        beside.replace(self.folder / name)
