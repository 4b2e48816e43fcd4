"""Ask the credential plugin, and keep its answer. Here a call waits for az anyway, so imports do not count."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import sys
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from . import cached
from .cached import Entry, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK_WAIT = 60.0  # seconds for another call; kubelogin itself gives az 30
_RENEW_AGAIN = 30.0  # seconds until another renewal may start
_STAYING = {"lock", "renewal", "failed", "forgotten"}
_FORGOTTEN_AFTER = 86400.0  # seconds after which an unused file is deleted
_NOT_FOUND = 127  # the exit code of a shell for a program that does not exist
_EXPIRY = re.compile(rb'("expirationTimestamp"\s*:\s*)"[^"]*"')
_AADSTS = re.compile(r"AADSTS(\d+)")
_LOGGED_OUT = re.compile(r"(?i)run:? ?['`\"]?az login|MSAL token cache|token from MSAL cache")


class Answer:
    """What the plugin answered: exit code, stdout, stderr."""

    __slots__ = ("err", "exit", "out")

    def __init__(self, exit_code: int, out: bytes, err: bytes) -> None:
        self.exit, self.out, self.err = exit_code, out, err


def answer(request: Request) -> int:
    """Answer a client whose token is not in the cache, or was refused. Returns the exit code."""
    entry, asked = current(request)
    if entry is not None:
        return cached.serve(request, entry)
    assert asked is not None  # without an entry the plugin was asked
    if asked.exit == 0:
        sys.stdout.buffer.write(asked.out)
        sys.stdout.flush()
    sys.stderr.write(explained(request, asked) if asked.exit else _said(asked))
    return asked.exit


def special(request: Request) -> int:
    """Print the expiry for `--expires SECONDS`; without this option replace this process by the plugin."""
    if request.argv[0] != cached.EXPIRES:
        return _replaced_by_plugin(request)
    plugin = Request(request.folder, request.argv[2:], request.env)
    if cached.through_az(plugin):
        entry, asked = current(plugin, newer_than=float(request.argv[1]))
    else:
        entry, asked = None, run(plugin)
    if entry is None:
        assert asked is not None  # without an entry the plugin was asked
        sys.stderr.write(_said(asked))
        if asked.exit:
            return asked.exit
    expires = entry.expires if entry is not None else _expiry(asked.out if asked else b"") or 0.0
    sys.stdout.write(f"{expires:.0f}\n")
    return 0


def current(
    request: Request, *, newer_than: float = 0.0, least_left: float = 0.0
) -> tuple[Entry | None, Answer | None]:
    """Return the kept credential, or ask the plugin: then its answer too.

    newer_than: seconds of age from which on an entry is not good enough; 0 for any age
    least_left: seconds of life below which it is not good enough
    """
    began = time.time()
    key = request.key(request.server)
    kept = _valid(request, key) or _adopted(request, key)
    if kept is not None and _good_enough(request, kept, newer_than, least_left):
        return kept, None
    with _locked(request) as waited:
        kept = _valid(request, key)
        if kept is not None and (kept.fetched > began or _good_enough(request, kept, newer_than, least_left)):
            return kept, None
        if not (waited and _failed_since(request, began)):
            return _asked(request, key, kept)
    return _asked(request, key, kept)  # the call that this one waited for failed: do not queue for the next failure


def _good_enough(request: Request, kept: Entry, newer_than: float, least_left: float) -> bool:
    aged = newer_than and kept.age > newer_than
    return kept.left > least_left and not aged and not cached.refused(request, kept)


def _asked(request: Request, key: str, kept: Entry | None) -> tuple[Entry | None, Answer | None]:
    """Ask the plugin and keep the answer. An entry that is still valid is better than a failure."""
    login, cache, accounts = _state(request)
    done = run(request)
    if done.exit != 0:
        _touch(request, "failed")
        return kept, done
    expires = _expiry(done.out)
    after = _state(request)
    if not login or after[0] != login or not expires or expires - time.time() < cached.DYING:
        return None, done
    if cache and (not after[1] or (after[1] != cache and after[2] != accounts)):
        return None, done  # another account may have logged in meanwhile: az rewrites the token cache first
    renewed = kept is not None and cached.refused(request, kept)
    words = (key, login, after[1], after[2], "renewed" if renewed else "")
    entry = Entry(words, (time.time(), cached.clock(), expires), _early(done.out, expires))
    keep(request, entry)
    return entry, done


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


def _valid(request: Request, key: str) -> Entry | None:
    """Return the entry of this key if it can be served.

    If only the token cache was rewritten, in place and with the same accounts, az has renewed a token in it.
    """
    entry = cached.read(request, key)
    login, cache, accounts = _state(request)
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


def _adopted(request: Request, key: str) -> Entry | None:
    """Return the entry that was fetched before the API server was known, and keep it as this server's."""
    pending = request.key("")
    entry = _valid(request, pending) if request.server else None
    if entry is not None:
        entry.key = key
        keep(request, entry)
        with suppress(OSError):
            os.unlink(request.path(pending))
    return entry


def _state(request: Request) -> tuple[str, str, str]:
    """Return the state of the login's files, of the token cache, and a digest of the accounts in it."""
    login, cache, accounts = cached.login_state(request), "", ""
    for _ in range(3):  # az may write it meanwhile
        cache = cached.token_cache_state(request)
        accounts = _accounts(os.path.join(request.login_folder, cached.TOKEN_CACHE))
        if cached.token_cache_state(request) == cache:
            return login, cache, accounts
    return login, cache, ""


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


def _expiry(text: bytes) -> float | None:
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


def _early(text: bytes, expires: float) -> bytes:
    """Return the credential with an expiry a minute before the token's, and every other byte as it was.

    client-go asks again when the expiry has passed: a request that is under way then still has a valid token.
    """
    early = datetime.fromtimestamp(expires - cached.DYING, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _EXPIRY.sub(rb'\1"' + early.encode() + b'"', text, count=1)


@contextmanager
def _locked(request: Request) -> Iterator[bool]:
    """Hold the lock of this folder in the block; yields whether another call held it. Without a lock go on all the same."""
    handle, waited = _opened(request, "lock"), False
    end = time.monotonic() + _LOCK_WAIT
    try:
        while handle is not None and time.monotonic() < end:
            if _taken(handle):
                break
            waited = True
            time.sleep(0.01)
        yield waited
    finally:
        if handle is not None:
            os.close(handle)


def _opened(request: Request, name: str) -> int | None:
    """Open a file of the folder to lock or touch it; None where nothing can be, or may be, written."""
    if request.reads_only:
        return None
    try:
        return os.open(request.path(name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True


def _failed_since(request: Request, began: float) -> bool:
    """Did the plugin fail in a call since then? A failing call says so in a file; a killed one cannot."""
    try:
        return os.stat(request.path("failed")).st_mtime >= began
    except OSError:
        return False


def _touch(request: Request, name: str) -> None:
    handle = _opened(request, name)
    if handle is not None:
        with suppress(OSError):
            os.utime(handle)
        os.close(handle)


def renew_detached(request: Request) -> None:
    """Start one renewal that outlives this call. The lock of renewals is its own as long as it runs."""
    handle = _opened(request, "renewal")
    if handle is None:
        return
    try:
        found = os.fstat(handle)
        recently = found.st_size and time.time() - found.st_mtime < _RENEW_AGAIN
        if recently or not _taken(handle):
            return
        os.pwrite(handle, b"started", 0)
        os.utime(handle)
        if os.fork() == 0:
            _renew(request)
    except OSError:
        return
    finally:
        os.close(handle)


def _renew(request: Request) -> None:
    """Become the renewal: an own session, no streams, and the lock for its lifetime. Does not return."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        current(request, least_left=cached.FRESH)
    finally:
        os._exit(0)


def _said(asked: Answer) -> str:
    return asked.err.decode(errors="replace")


def run(request: Request) -> Answer:
    """Start the plugin and wait for its end. It inherits stdin and the process group, as without the helper."""
    import subprocess

    try:
        done = subprocess.run(request.argv, env=request.env, capture_output=True, check=False)
    except OSError as why:
        return Answer(_NOT_FOUND, b"", f"executable {request.argv[0]} not found: {why.strerror}\n".encode())
    return Answer(done.returncode if done.returncode >= 0 else 128 - done.returncode, done.stdout, done.stderr)


def _replaced_by_plugin(request: Request) -> int:
    try:
        os.execvpe(request.argv[0], request.argv, request.env)
    except OSError as why:
        sys.stderr.write(f"executable {request.argv[0]} not found: {why.strerror}\n")
        return _NOT_FOUND


def explained(request: Request, asked: Answer) -> str:
    """Return one line with the cause of a login that has ended and its fix; any other failure in the plugin's own words.

    kubectl, helm, Tilt and the log of Telepresence show it as it is.
    """
    said = _said(asked)
    code = _AADSTS.search(said)
    if not code and not _LOGGED_OUT.search(said):
        return said
    table = _causes(request)
    why, fix = table.get(code[1] if code else "", table.get("", ["", ""]))
    words = re.sub(r"\s+", " ", said.split("Trace ID:")[0]).strip()
    return f"no token for the cluster: {why or 'the Azure login has ended'}; run: {fix or 'inv aks.login'} ({words[:300]})\n"


def _causes(request: Request) -> dict[str, list[str]]:
    """Return cause and fix by AADSTS code, from the file beside the helper."""
    try:
        with open(os.path.join(os.path.dirname(request.folder), "aadsts.json"), encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError, TypeError):
        return {}
