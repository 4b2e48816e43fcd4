"""Ask the credential plugin. Here a call waits for az anyway, so imports do not count."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from contextlib import suppress

from . import cached, kept
from .cached import Entry, Request

_RENEW_AGAIN = 30.0  # seconds until another renewal may start
_NOT_FOUND = 127  # the exit code of a shell for a program that does not exist
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
    """Print the expiry for `--expires`; without this option replace this process by the plugin."""
    if request.argv[0] != cached.EXPIRES:
        return _replaced_by_plugin(request)
    plugin = Request(request.folder, request.argv[1:], request.env)
    if cached.through_az(plugin):
        entry, asked = current(plugin)
    else:
        entry, asked = None, run(plugin)
    if entry is None:
        assert asked is not None  # without an entry the plugin was asked
        sys.stderr.write(_said(asked))
        if asked.exit:
            return asked.exit
    expires = entry.expires if entry is not None else kept.expiry(asked.out if asked else b"") or 0.0
    sys.stdout.write(f"{expires:.0f}\n")
    return 0


def current(request: Request, *, least_left: float = 0.0) -> tuple[Entry | None, Answer | None]:
    """Return the kept credential, or ask the plugin: then its answer too.

    least_left: seconds of life below which the kept one is not good enough
    """
    began = time.time()
    key = request.key(request.server)
    known = kept.valid(request, key) or kept.adopted(request, key)
    if known is not None and _good_enough(request, known, least_left):
        return known, None
    with kept.locked(request) as waited:
        known = kept.valid(request, key)
        if known is not None and (known.fetched > began or _good_enough(request, known, least_left)):
            return known, None
        failure = kept.failure_since(request, key, began) if waited else None
        if failure is not None:  # of the call that this one waited for; a later one asks again
            return known, Answer(failure[0], b"", failure[1])
        return _asked(request, key, known)


def _good_enough(request: Request, known: Entry, least_left: float) -> bool:
    return known.left > least_left and not cached.refused(request, known)


def _asked(request: Request, key: str, known: Entry | None) -> tuple[Entry | None, Answer | None]:
    """Ask the plugin and keep the answer. An entry that is still valid is better than a failure."""
    login, cache, accounts = kept.state(request)
    done = run(request)
    if done.exit != 0:
        kept.hand_failure_on(request, key, login + cache, done.exit, done.err)
        return known, done
    expires = kept.expiry(done.out)
    after = kept.settled_state(request)
    if not login or after[0] != login or not expires or expires - time.time() < cached.DYING:
        return None, done
    if cache and (not after[1] or (after[1] != cache and after[2] != accounts)):
        return None, done  # another account may have logged in meanwhile: az rewrites the token cache first
    renewed = known is not None and cached.refused(request, known)
    words = (key, login, after[1], after[2], "renewed" if renewed else "")
    entry = Entry(words, (time.time(), cached.clock(), expires), kept.early(done.out, expires))
    kept.keep(request, entry)
    return entry, done


def renew_detached(request: Request) -> None:
    """Start one renewal that outlives this call. The lock of renewals is its own as long as it runs."""
    handle = kept.opened(request, "renewal")
    if handle is None:
        return
    try:
        found = os.fstat(handle)
        recently = found.st_size and time.time() - found.st_mtime < _RENEW_AGAIN
        if recently or not kept.taken(handle):
            return
        os.pwrite(handle, b"started", 0)
        os.utime(handle)
        if os.fork() == 0:
            _renew(request, handle)
    except OSError:
        return
    finally:
        os.close(handle)


def _renew(request: Request, lock: int) -> None:
    """Become the renewal: an own session, no files but the lock, which is held to its end. Does not return."""
    try:
        for name in os.listdir("/dev/fd"):
            if int(name) > 2 and int(name) != lock:
                with suppress(OSError):  # the one of this listing is closed already
                    os.close(int(name))  # such as the descriptor of a `flock` around kubectl
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
    other = "Entra refuses it" if code else "nobody is logged in to Azure"
    why, fix = _causes(request).get(code[1] if code else "", [other, "inv aks.login"])
    own_words = said.rpartition("ERROR: ")[2].split("Trace ID:")[0].split("To troubleshoot")[0]
    shortened = re.sub(r"\s+", " ", own_words).strip()[:300]
    return f"no token for the cluster: {why}; fix: {fix} ({shortened})\n"


def _causes(request: Request) -> dict[str, list[str]]:
    """Return cause and fix by AADSTS code, from the file beside the helper."""
    try:
        with open(os.path.join(os.path.dirname(request.folder), "aadsts.json"), encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError, TypeError):
        return {}
