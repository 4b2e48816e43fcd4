"""Keep a credential: its file, its lock, and whether the login is still the one that it was fetched with."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from . import cached
from .cached import Entry, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK_WAIT = 60.0  # seconds for another call, as long as kubelogin 0.2.22 gives az
_TICK, _TICKS = 0.02, 5  # seconds, and how often to wait for so long
_WHOLE_SECONDS = 2.0  # seconds between the time stamps of a file system without fractions, such as ext3, HFS+ or FAT
_STAYING = {"lock", "renewal", "failed", "forgotten"}
_FORGOTTEN_AFTER = 86400.0  # seconds after which an unused file is deleted
_EXPIRY = re.compile(rb'("expirationTimestamp"\s*:\s*)"[^"]*"')


def keep(request: Request, entry: Entry) -> None:
    """Write the entry as a whole or not at all. Where nothing can be written, the next call asks again."""
    if request.reads_only:
        return
    place = request.path(entry.key)
    beside = f"{place}.{os.getpid()}"
    try:
        _sweep(request)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            content = entry.packed()
            if os.write(handle, content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)
        os.replace(beside, place)
    except OSError:
        with suppress(OSError):
            os.unlink(beside)


def _sweep(request: Request) -> None:
    """Delete what killed calls left half-written, and the entries that nobody asks for any more."""
    for name in set(os.listdir(request.folder)) - _STAYING:
        _, _, pid = name.partition(".")
        left_by_killed = pid.isdigit() and not os.path.exists(f"/proc/{pid}")
        with suppress(OSError):
            if left_by_killed or time.time() - os.lstat(request.path(name)).st_mtime > _FORGOTTEN_AFTER:
                os.unlink(request.path(name))


def valid(request: Request, key: str) -> Entry | None:
    """Return the entry of this key if it can be served.

    If only the token cache was rewritten, in place and with the same accounts, az has renewed a token in it.
    """
    entry = cached.read(request, key)
    login, cache, accounts = state(request)
    if entry is None or not entry.valid(key, login):
        return None
    if entry.token_cache == cache:
        return entry
    same_file = bool(cache) and entry.token_cache.partition(",")[0] == cache.partition(",")[0]
    if not same_file or not accounts or entry.accounts != accounts:
        return None
    entry.token_cache = cache
    keep(request, entry)
    return entry


def adopted(request: Request, key: str) -> Entry | None:
    """Return the entry that was fetched before the API server was known, and keep it as this server's."""
    pending = request.key("")
    entry = valid(request, pending) if request.server else None
    if entry is not None:
        entry.key = key
        keep(request, entry)
        if not request.reads_only:
            with suppress(OSError):
                os.unlink(request.path(pending))
    return entry


def state(request: Request) -> tuple[str, str, str]:
    """Return the state of the login's files, of the token cache, and a digest of the accounts in it."""
    login, cache, accounts = cached.login_state(request), "", ""
    for _ in range(3):  # az may write it meanwhile
        cache = cached.token_cache_state(request)
        accounts = _accounts(os.path.join(request.login_folder, cached.TOKEN_CACHE))
        if cached.token_cache_state(request) == cache:
            return login, cache, accounts
    return login, cache, ""


def settled_state(request: Request) -> tuple[str, str, str]:
    """Return the same when a further write of any file will change its times; three empty words while it may not."""
    files = [os.path.join(request.login_folder, name) for name in (*cached.LOGIN, cached.TOKEN_CACHE)]
    for _ in range(_TICKS):
        found = state(request)
        if all(map(_settled, files)):
            return found
        time.sleep(_TICK)
    return "", "", ""


def _settled(path: str) -> bool:
    """Was the file last written before the current tick of its time stamps? The kernel's is up to 10 ms."""
    try:
        written = os.stat(path).st_mtime
    except OSError:
        return True
    return abs(time.time() - written) > (_TICK if written % 1 else _WHOLE_SECONDS)


def _accounts(path: str) -> str:
    """Return a digest of the accounts that have a login in the token cache; empty when it cannot be read.

    Neither a token nor a refresh token is part of it: both change when az renews them.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        tokens = content.get("RefreshToken", {}).values()
        names = [sorted(content.get("Account", {})), sorted(str(token.get("home_account_id")) for token in tokens)]
    except (OSError, ValueError, AttributeError):
        return ""
    return sha256(json.dumps(names).encode()).hexdigest()


def expiry(text: bytes) -> float | None:
    """Return when the credential expires, in seconds since the epoch; None when it holds no token or no expiry."""
    written = _timestamp(text)
    try:
        return datetime.fromisoformat(written.replace("Z", "+00:00")).timestamp() if written else None
    except ValueError:
        return None


def _timestamp(text: bytes) -> str:
    """Return the expiry as the plugin wrote it; empty without one, or without a token."""
    try:
        status: Any = json.loads(text)["status"]
        return str(status["expirationTimestamp"]) if status["token"] and status["expirationTimestamp"] else ""
    except (ValueError, KeyError, TypeError):
        return ""


def early(text: bytes, expires: float) -> bytes:
    """Return the credential with an expiry a minute before the token's, and every other byte as it was.

    client-go asks again when the expiry has passed: a request that is under way then still has a valid token.
    """
    early = datetime.fromtimestamp(expires - cached.DYING, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _EXPIRY.sub(rb'\1"' + early.encode() + b'"', text, count=1)


@contextmanager
def locked(request: Request) -> Iterator[bool]:
    """Hold the lock of this folder in the block; yields whether another call held it. Without a lock go on all the same."""
    handle, waited = opened(request, "lock"), False
    end = time.monotonic() + _LOCK_WAIT
    try:
        while handle is not None and time.monotonic() < end:
            if taken(handle):
                break
            waited = True
            time.sleep(0.01)
        yield waited
    finally:
        if handle is not None:
            os.close(handle)


def opened(request: Request, name: str) -> int | None:
    """Open a file of the folder to lock or touch it; None where nothing can be, or may be, written."""
    if request.reads_only:
        return None
    try:
        return os.open(request.path(name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True


def failed_since(request: Request, began: float) -> bool:
    """Did the plugin fail in a call since then? A failing call says so in a file; a killed one cannot."""
    try:
        return os.stat(request.path("failed")).st_mtime >= began
    except OSError:
        return False


def touch(request: Request, name: str) -> None:
    handle = opened(request, name)
    if handle is not None:
        with suppress(OSError):
            os.utime(handle)
        os.close(handle)
