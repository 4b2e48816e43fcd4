"""msal_token_cache.json as MSAL 1.39 and msal-extensions 1.3 keep it: changed in place, under a lock file."""

from __future__ import annotations

import fcntl
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sandbox.standins.az import files
from sandbox.world.state import World

NAME = "msal_token_cache.json"
_HOST = "login.microsoftonline.com"
_TYPES = ("AccessToken", "Account", "IdToken", "RefreshToken", "AppMetadata")
_RENEWED_BEFORE = 5 * 60  # seconds; msal/application.py: `if expires_in < 5*60:  # Then consider it expired`
_LOCK_WAIT, _LOCK_PAUSE = 5.0, 0.25  # msal_extensions/cache_lock.py, and portalocker's default timeout

Cache = dict[str, dict[str, Any]]


class TokenCache:
    """The token cache in one folder. wait: sleeps this long; it raises if the caller has ended."""

    def __init__(self, folder: Path, world: World, wait: Callable[[float], None], pid: int) -> None:
        self.path = folder / NAME
        self._world, self._wait, self._pid = world, wait, pid

    def read(self) -> Cache:
        """The content; empty if the file is absent, empty or broken."""
        try:
            content = json.loads(files.read(self.path) or "{}")
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def accounts(self, name: str) -> list[str]:
        """The ids of the accounts with this user name, in any case."""
        found = self.read().get("Account", {}).values()
        return [str(a["home_account_id"]) for a in found if str(a["username"]).lower() == name.lower()]

    def refresh_token(self, account: str) -> str:
        """The refresh token of this account; empty if there is no such token."""
        found = self.read().get("RefreshToken", {}).values()
        return next((str(entry["secret"]) for entry in found if entry["home_account_id"] == account), "")

    def access_token(self, account: str, target: str) -> dict[str, Any] | None:
        """A cached access token that is valid for at least five minutes."""
        for entry in self.read().get("AccessToken", {}).values():
            fits = entry["home_account_id"] == account and entry["target"] == target
            if fits and int(entry["expires_on"]) - int(time.time()) >= _RENEWED_BEFORE:
                return dict(entry)
        return None

    def add_login(self, account: str, name: str, tenant: str, client: str) -> str:
        """Store a user's login and return its new refresh token."""
        refresh = new_refresh_token()
        with self._changed() as cache:
            cache["Account"][f"{account}-{_HOST}-{tenant}"] = {
                "home_account_id": account,
                "environment": _HOST,
                "realm": tenant,
                "local_account_id": account.split(".")[0],
                "username": name,
                "authority_type": "MSSTS",
            }
            cache["RefreshToken"][f"{account}-{_HOST}-refreshtoken-{client}--"] = {
                "credential_type": "RefreshToken",
                "secret": refresh,
                "home_account_id": account,
                "environment": _HOST,
                "client_id": client,
                "target": "",
                "last_modification_time": str(int(time.time())),
            }
            cache["AppMetadata"][f"appmetadata-{_HOST}-{client}"] = {
                "client_id": client,
                "environment": _HOST,
                "family_id": "1",
            }
        return refresh

    def add_access(self, account: str, tenant: str, target: str, token: str, expires: int, refresh: str = "") -> None:
        """Store an access token under its scope, and the refresh token that came with it."""
        with self._changed() as cache:
            cache["AccessToken"][f"{account}-{_HOST}-accesstoken-{tenant}-{target}"] = {
                "credential_type": "AccessToken",
                "secret": token,
                "home_account_id": account,
                "environment": _HOST,
                "realm": tenant,
                "target": target,
                "cached_at": str(int(time.time())),
                "expires_on": str(expires),
                "extended_expires_on": str(expires),
                "token_type": "Bearer",
            }
            for entry in cache["RefreshToken"].values():
                if refresh and entry["home_account_id"] == account:
                    entry["secret"], entry["last_modification_time"] = refresh, str(int(time.time()))

    def remove_account(self, name: str) -> None:
        """Delete everything about the accounts with this user name. Other accounts stay."""
        accounts = self.accounts(name)
        if accounts:
            with self._changed() as cache:
                for kind in _TYPES:
                    cache[kind] = {k: v for k, v in cache[kind].items() if v.get("home_account_id") not in accounts}

    @contextmanager
    def _changed(self) -> Iterator[Cache]:
        """The content, to be changed; it is written at the end, with the lock held."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock():
            content = {**{kind: {} for kind in _TYPES}, **self.read()}
            yield content
            files.write(self._world, self.path, json.dumps(content, indent=4).encode(), mode=0o600)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock file. One that a killed process left delays a call, but does not stop it."""
        path = f"{self.path}.lockfile"
        self._until(lambda: _created(path))
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            if not self._until(lambda: _flocked(handle)):
                raise BlockingIOError(11, "Resource temporarily unavailable")
            os.write(handle, f"{self._pid} az".encode())
            try:
                yield
            finally:
                with suppress(FileNotFoundError):  # another call has deleted it
                    os.unlink(path)
        finally:
            os.close(handle)

    def _until(self, condition: Callable[[], bool]) -> bool:
        end = time.monotonic() + _LOCK_WAIT
        while not condition():
            if time.monotonic() >= end:
                return False
            self._wait(_LOCK_PAUSE)
        return True


def new_refresh_token() -> str:
    """A refresh token as Entra issues it."""
    return f"1.{uuid.uuid4().hex}"


def _created(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        return True
    except FileExistsError:
        return False


def _flocked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
