"""Serve a kept credential: the fast path, on which every kubectl waits.

An entry is served while all that it depends on is as it was when the plugin was asked: the command line, the programs,
the variables, the files of the login, the clock. `az logout` ends it at once, not at its expiry.
"""

from __future__ import annotations

import os
import stat
import sys
import time

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b  # it loads OpenSSL too, 3 ms for every kubectl

FRESH = 300.0  # seconds of life from which on a token is only served; az renews a token with less
DYING = 60.0  # seconds of life below which a token is not served any more
_JUMP = 30.0  # seconds by which the clock may differ from the running time since the fetch
_PASSED_BY = 30.0  # seconds in which a token is passed by at most once
_SERVED_SIZE = 65536  # bytes of the record of the callers
_LARGEST = 1 << 20  # bytes of a file that is read
_MAGIC = b"credential 1"
_END = b"end"

TOKEN_CACHE = "msal_token_cache.json"
# What a login, a logout or a change of the subscription rewrites: tests/contracts/test_az.py. `config` names the cloud.
LOGIN = ("azureProfile.json", "clouds.config", "config", "service_principal_entries.json", "msal_token_cache.bin")
# From IDENTITY_ on: where az gets the token of a managed identity or of Cloud Shell from (msal/managed_identity.py).
_PREFIXES = ("AAD_", "AZURE_", "ARM_", "IDENTITY_", "IMDS_", "MSI_", "ACC_")
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
_ONLY_OUTPUT = {"AZURE_CORE_" + name for name in ("NO_COLOR", "COLLECT_TELEMETRY", "LOGIN_EXPERIENCE_V2", "OUTPUT")}
EXPIRES = "--expires"  # the option with which the suite asks for the expiry alone
CLIENT_GO = "KUBERNETES_EXEC_INFO"
SERVER = "SESSION_API_SERVER"  # the kubeconfig sets it; absent in a fetch before the cluster is known
SWITCH = "SESSION_CREDENTIAL_CACHE"  # `read`: write nothing, as in a dry run


class Request:
    """One call of the helper: the plugin's command line, its environment, and the folder of the entries."""

    __slots__ = ("argv", "az", "env", "folder", "program", "reads_only", "server")

    def __init__(self, folder: str, argv: list[str], env: dict[str, str]) -> None:
        self.folder, self.argv, self.env = folder, argv, env
        self.server, self.reads_only = env.get(SERVER, ""), env.get(SWITCH) == "read"
        path = env.get("PATH", os.defpath)
        self.program, self.az = which(argv[0], path), which("az", path)

    @property
    def login_folder(self) -> str:
        """The folder of az's files."""
        return self.env.get("AZURE_CONFIG_DIR") or os.path.join(
            self.env.get("HOME") or os.path.expanduser("~"), ".azure"
        )

    def key(self, server: str) -> str:
        """Return the digest of all that the answer depends on, except for the state of the login's files."""
        variables = sorted(
            item for item in self.env.items() if item[0].startswith(_PREFIXES) or item[0].upper() in _PROXIES
        )
        version = "v1" if '/v1"' in self.env.get(CLIENT_GO, "") else "v1beta1"  # kubelogin's default
        parts = (
            self.argv, self.program, self.az, os.path.realpath(self.login_folder), os.getuid(), server, version,
            [item for item in variables if item[0] not in _ONLY_OUTPUT],
        )  # fmt: skip
        return blake2b(repr(parts).encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()

    def path(self, name: str) -> str:
        """Return the path of a file in the folder of the entries."""
        return os.path.join(self.folder, name)


class Entry:
    """A kept credential.

    renewed: the plugin was asked because a client did not accept the token before
    login, token_cache: the states of the login's files when it was fetched
    accounts: a digest of the accounts in the token cache
    fetched, expires: seconds since the epoch; expires is the token's own expiry
    clock: by how much the wall clock was ahead of the running time
    text: the ExecCredential, whose expiry is a minute early
    """

    __slots__ = ("accounts", "clock", "expires", "fetched", "key", "login", "renewed", "text", "token_cache")

    def __init__(self, words: tuple[str, str, str, str, str], times: tuple[float, float, float], text: bytes) -> None:
        self.key, self.login, self.token_cache, self.accounts, self.renewed = words
        self.fetched, self.clock, self.expires = times
        self.text = text

    def packed(self) -> bytes:
        """Return the bytes of its file. Neither a command line nor a credential can hold the NUL between the fields."""
        words = (self.key, self.login, self.token_cache, self.accounts, self.renewed)
        times = (self.fetched, self.clock, self.expires)
        return b"\0".join((_MAGIC, *(str(field).encode() for field in (*words, *times)), self.text, _END))

    @property
    def left(self) -> float:
        """Seconds until the token expires."""
        return self.expires - time.time()

    @property
    def age(self) -> float:
        """Seconds since the plugin was asked."""
        return time.time() - self.fetched

    def valid(self, key: str, login: str) -> bool:
        """Do key, login and clock fit, and is there life enough? The token cache is compared separately."""
        steady = abs(self.clock - clock()) < _JUMP and self.age > -1
        return bool(login) and self.key == key and self.login == login and steady and self.left > DYING


def unpacked(content: bytes) -> Entry | None:
    """Return the entry in these bytes; None for anything else, such as a truncated file."""
    parts = content.split(b"\0")
    if len(parts) != 11 or parts[0] != _MAGIC or parts[-1] != _END:
        return None
    try:
        key, login, token_cache, accounts, renewed, fetched, ahead, expires = (part.decode() for part in parts[1:9])
        times = (float(fetched), float(ahead), float(expires))
        return Entry((key, login, token_cache, accounts, renewed), times, parts[9])
    except ValueError:
        return None


def read(request: Request, key: str) -> Entry | None:
    """Return the entry of this key; None when it does not exist, or when it could be another user's or through a link."""
    try:
        folder = os.lstat(request.folder)
    except OSError:
        return None
    if not stat.S_ISDIR(folder.st_mode) or not _private(folder):
        request.reads_only = True  # under `sudo -E` a lock of root would stay in the folder of its user
        return None
    return unpacked(_content(request.path(key)))


def _content(path: str) -> bytes:
    """Return the content of a private file; empty for anything else, such as a link, a named pipe, or a huge file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or not _private(found) or found.st_size > _LARGEST:
            return b""
        return os.read(handle, found.st_size)
    except OSError:
        return b""
    finally:
        os.close(handle)


def _private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def login_state(request: Request) -> str:
    """Return what changes with every login, logout and change of the subscription; empty when nobody is logged in.

    az writes in place, and a new login of the same person can give the same content: the times of a file decide.
    """
    folder = request.login_folder
    states = [file_state(os.path.join(folder, name)) for name in LOGIN]
    return ";".join((*states, file_state(request.path("forgotten")))) if states[0] else ""


def token_cache_state(request: Request) -> str:
    """Return the state of MSAL's token cache, which az also rewrites when it renews a token."""
    return file_state(os.path.join(request.login_folder, TOKEN_CACHE))


def file_state(path: str) -> str:
    """Return inode, size and times of the file; empty when it does not exist."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_ino},{found.st_size},{found.st_mtime_ns},{found.st_ctime_ns}"


def clock() -> float:
    """Return by how many seconds the wall clock is ahead of the time since the start of the machine, sleep included."""
    return time.time() - time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def which(name: str, path: str) -> str:
    """Return the program that the name means on this path; the name itself when no such program exists."""
    if os.sep in name:
        return os.path.realpath(name)
    for folder in path.split(os.pathsep):
        program = os.path.join(folder, name)
        if os.path.isfile(program) and os.access(program, os.X_OK):
            return os.path.realpath(program)
    return name


def through_az(request: Request) -> bool:
    """Does the plugin take its token from az? Anything else is started as it is, without a cache.

    kubelogin prefers AAD_LOGIN_METHOD to its arguments, and a proof-of-possession token belongs to one request.
    The files of Windows' az, which WSL has on PATH, are not in this home folder: its logout would not be seen.
    """
    argv, env = request.argv, request.env
    if request.az.startswith("/mnt/"):
        return False
    if env.get("AAD_LOGIN_METHOD", "azurecli") != "azurecli" or any(w.startswith("--pop-enabled") for w in argv):
        return False
    if "--login=azurecli" in argv:
        return True
    return any(argv[at - 1] in ("--login", "-l") for at, word in enumerate(argv) if at and word == "azurecli")


def caller() -> str:
    """Return the pid of the client and its start; empty when no Kubernetes client asks."""
    parent = os.getppid()
    try:
        with open(f"/proc/{parent}/stat", "rb") as file:
            return f"{parent}:{file.read().rpartition(b')')[2].split()[19].decode()}"
    except (OSError, IndexError):
        return str(parent)


def refused(request: Request, entry: Entry) -> bool:
    """Has this client been given this token before? client-go asks again after a 401, and cannot say so.

    True at most once in 30 s. Telepresence asks four times in a row when it connects, but only once through client-go,
    which sets the variable: https://github.com/telepresenceio/telepresence, pkg/client/k8s/manager_token.go of v2.31.0.
    """
    if CLIENT_GO not in request.env or (entry.renewed and entry.age < _PASSED_BY):
        return False
    return f"{entry.fetched} {caller()}\n".encode() in _content(request.path(f"served-{entry.key[:16]}"))


def record_served(request: Request, entry: Entry) -> None:
    """Record that this client was given this token. Without the record a refused token is only served again."""
    if CLIENT_GO not in request.env or request.reads_only:
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        handle = os.open(request.path(f"served-{entry.key[:16]}"), flags, 0o600)
        try:
            if os.fstat(handle).st_size > _SERVED_SIZE:
                os.ftruncate(handle, 0)
            os.write(handle, f"{entry.fetched} {caller()}\n".encode())
        finally:
            os.close(handle)
    except OSError:
        return


def serve(request: Request, entry: Entry) -> int:
    """Print the credential. Returns the exit code."""
    record_served(request, entry)
    sys.stdout.buffer.write(entry.text)
    sys.stdout.flush()
    return 0


def served_at_once(request: Request) -> Entry | None:
    """Return the entry if nothing it depends on has changed, and this client has not been given it before."""
    key = request.key(request.server)
    entry = read(request, key)
    if entry is None or not entry.valid(key, login_state(request)) or entry.token_cache != token_cache_state(request):
        return None
    return None if refused(request, entry) else entry
