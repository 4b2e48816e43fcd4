"""`environment.py ROOT LOCK...`: create or update `ROOT/.remote-dev/venv` with the packages of these locks.

scripts/inv runs it with the Python it found when something is missing. It needs the standard library alone, because it
runs before any package is installed.
"""

from __future__ import annotations

import signal

if __name__ == "__main__":
    # scripts/inv ignores Ctrl-C until here: from here to `main` it ends this program without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import configparser
import contextlib
import fcntl
import functools
import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import urlsplit

CODE = ("tasks", "tasks.py", "migration", "sandbox", "starlark_harness")
PYPI = "https://pypi.org/simple"
SECONDS = 5.0  # for the index to accept a connection
INTERRUPTED = 130
PIP_FILES = (
    "/Library/Application Support/pip/pip.conf",
    "/etc/xdg/pip/pip.conf",
    "/etc/pip.conf",
    "~/.pip/pip.conf",
    "~/Library/Application Support/pip/pip.conf",
    "~/.config/pip/pip.conf",
)
UV_FILES = (Path("~/.config/uv/uv.toml"), Path("/etc/uv/uv.toml"))


class Failed(Exception):
    """What failed, and the command or the step that fixes it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def main(root: Path, locks: list[str]) -> int:
    """0: all is installed; 1: it is not, and the reason was shown; 130 or 128 + signal: interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        Environment(root).update(locks)
    except Failed as failed:
        say(f"error: {failed}\n  fix: {failed.fix}")
        return 1
    except OSError as error:
        say(f"error: cannot write {error.filename or root / '.remote-dev'}: {error.strerror}")
        say(f"  fix: make sure that {root} is writable and the disk has room, then run this again")
        return 1
    return 0


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # what follows only cleans up
    say("interrupted: the suite's own environment is not complete; the next ./scripts/inv completes it")
    raise SystemExit(INTERRUPTED if number == signal.SIGINT else 128 + number)


def say(text: str) -> None:
    """Write a line for the user."""
    with contextlib.suppress(OSError):  # the terminal may be closed
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class Environment:
    """The folder .remote-dev of a checkout: venv, a stamp of each installed lock, the last log, the lock of this run."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / ".remote-dev"
        self.venv, self.new = self.home / "venv", self.home / "venv.new"
        self.stamps, self.log = self.home / "installed", self.home / "install.log"

    def update(self, locks: list[str]) -> None:
        """Create the environment if it does not work or its first lock changed; then install what is missing."""
        self.home.mkdir(exist_ok=True)
        (self.home / ".gitignore").write_text("*\n")
        with self._alone():
            self.log.write_bytes(b"")
            if not self._works() or not self._fresh(locks[0]):
                if not shutil.which("uv"):  # whose cache may have everything
                    must_be_reachable(locks[0])
                say("first run: creating the suite's own environment in .remote-dev (about half a minute)")
                self._create(locks[0])
            for lock in locks[1:]:
                if not self._fresh(lock):
                    say(f"installing the packages of {lock}")
                    self._install(self.venv, lock)
                    self._stamp(lock)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of this folder. Of two runs the second waits, then finds the work done."""
        with (self.home / "lock").open("a") as file:
            os.set_inheritable(file.fileno(), True)  # while a child of a killed run still writes, nobody else does
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another ./scripts/inv, which is creating the environment in .remote-dev")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _works(self) -> bool:
        python = self.venv / "bin/python"
        return (
            os.access(python, os.X_OK) and subprocess.run([python, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0
        )

    def _wanted(self, lock: str) -> str:
        return f"{self.root}\n{(self.root / lock).read_text()}".rstrip("\n")

    def _stamp_of(self, lock: str) -> Path:
        return self.stamps / lock.replace("/", "-")

    def _fresh(self, lock: str) -> bool:
        stamp = self._stamp_of(lock)
        return stamp.is_file() and stamp.read_text().rstrip("\n") == self._wanted(lock)

    def _stamp(self, lock: str) -> None:
        self.stamps.mkdir(exist_ok=True)
        new = self.home / "stamp.new"
        new.write_text(self._wanted(lock))
        new.replace(self._stamp_of(lock))

    def _create(self, lock: str) -> None:
        """Make the new environment beside the old one, then replace that."""
        shutil.rmtree(self.stamps, ignore_errors=True)
        shutil.rmtree(self.new, ignore_errors=True)
        try:
            self._make_venv()
            self._install(self.new, lock)
            shutil.rmtree(self.venv, ignore_errors=True)
            self._move()
        finally:
            shutil.rmtree(self.new, ignore_errors=True)
        # Images often set PYTHONDONTWRITEBYTECODE: every start would then compile all of this again.
        code = [self.root / name for name in CODE if (self.root / name).exists()]
        self._run(self.venv / "bin/python", "-m", "compileall", "-q", *code)
        self._stamp(lock)

    def _make_venv(self) -> None:
        # Not its link `python3`, which belongs to another version after an upgrade of the system.
        python = Path(sys.executable).resolve()
        if shutil.which("uv") and self._run("uv", "venv", "-q", "--python", python, self.new):
            return
        if not self._run(python, "-c", "import ensurepip, venv"):
            raise Failed(f"{python} has no venv module (on Debian it is a package of its own)", _install_venv())
        if not self._run(python, "-m", "venv", self.new):
            raise Failed(f"{python} -m venv failed: {self._last_words()}", f"see {self.log}")

    def _move(self) -> None:
        """Rename the folder. The scripts in its bin contain the path of the installation."""
        old, new = (os.fsencode(folder / "bin") + b"/" for folder in (self.new, self.venv))
        self.new.rename(self.venv)
        for script in (self.venv / "bin").iterdir():
            if script.is_file() and not script.is_symlink() and old in (text := script.read_bytes())[:2048]:
                script.write_bytes(text.replace(old, new))

    def _install(self, venv: Path, lock: str) -> None:
        """Install a lock. uv is faster, but every Python has pip."""
        python, file = venv / "bin/python", self.root / lock
        if shutil.which("uv") and self._install_with_uv(python, file):
            return
        must_be_reachable(lock)
        if not self._run(python, "-m", "pip", "--version") and not self._run(python, "-m", "ensurepip", "-q"):
            raise Failed(f"{python} has no pip: {self._last_words()}", _install_venv())
        flags = ["-q", "--disable-pip-version-check", "--no-input", "--require-hashes", *patience(pip_settings())]
        if not self._run(python, "-m", "pip", "install", *flags, "-r", file):
            raise Failed(
                f"the packages of {lock} could not be installed: {self._last_words()}",
                f"see {self.log}; check the network and pip's settings, then run this again",
            )

    def _install_with_uv(self, python: Path, file: Path) -> bool:
        index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
        configured = any(path.expanduser().exists() for path in UV_FILES)  # perhaps with another index
        offline = ["--offline"] if not configured and unreachable(index) else []  # its cache may have everything
        flags = ["-q", "--compile-bytecode", "--require-hashes", *offline]
        return self._run("uv", "pip", "install", *flags, "--python", python, "-r", file)

    def _run(self, *argv: str | Path) -> bool:
        """Run a program to its end, its words into the log. Whatever ends this run ends the program too."""
        env = {**os.environ, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
        with self.log.open("ab") as log:
            child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False)
            try:
                return child.wait() == 0
            except BaseException:
                child.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(5)
                child.kill()
                raise

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")]
        return (errors or lines or ["it says nothing"])[-1]


def must_be_reachable(lock: str) -> None:
    """Fail with the reason if pip cannot reach its index: its own messages take long and do not name the fix."""
    settings = pip_settings()
    trouble = "" if settings.get("no-index") else unreachable(settings.get("index-url"), settings.get("proxy"))
    if trouble:
        raise Failed(
            f"the packages of {lock} cannot be downloaded: {trouble}",
            "connect to the network, or set PIP_INDEX_URL to your mirror or HTTPS_PROXY to your proxy; then run this again",
        )


def pip_settings() -> dict[str, str]:
    """What `pip install` will use: its files (pip.pypa.io, "Configuration"), overridden by environment variables."""
    parser = configparser.RawConfigParser()
    own = os.environ.get("PIP_CONFIG_FILE", "")
    if own != os.devnull:
        with contextlib.suppress(configparser.Error):  # pip itself will say so
            parser.read([*(Path(name).expanduser() for name in PIP_FILES), own])
    found = {}
    for section in filter(parser.has_section, ("global", "install")):
        found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    variables = {key: value for key, value in os.environ.items() if key.startswith("PIP_") and value}
    return {**found, **{key[4:].lower().replace("_", "-"): value for key, value in variables.items()}}


def patience(settings: Mapping[str, str]) -> list[str]:
    """How long pip waits and how often it tries, unless its own settings say so."""
    retries = [] if "retries" in settings else ["--retries", "2"]
    timeout = [] if {"timeout", "default-timeout"} & settings.keys() else ["--timeout", "15"]
    return [*retries, *timeout]


def unreachable(index: str | None, proxy: str | None = None) -> str:
    """Why nothing can be downloaded; empty if the index, or the proxy before it, accepts a connection."""
    url = urlsplit(index or PYPI)
    if url.scheme not in ("http", "https") or not url.hostname:
        return ""
    proxy = proxy or proxy_of(url.scheme, url.hostname)
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else url
    reason = refused(via.hostname or "", via.port or (443 if via.scheme == "https" else 80))
    if not reason:
        return ""
    return f"{url.hostname} through the proxy {via.hostname}: {reason}" if proxy else f"{url.hostname}: {reason}"


def proxy_of(scheme: str, host: str) -> str:
    """The proxy for this host, as the environment or the system says."""
    proxies = urllib.request.getproxies()
    return "" if urllib.request.proxy_bypass(host) else proxies.get(scheme) or proxies.get("all") or ""


@functools.cache
def refused(host: str, port: int) -> str:
    """Why a connection is not possible; empty if it is. The resolver has no deadline of its own, so a thread asks it."""
    said = [f"no answer within {SECONDS:.0f} s"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
            said[0] = ""
        except socket.gaierror:
            said[0] = "its name cannot be resolved"
        except TimeoutError:
            pass
        except OSError as error:
            said[0] = (error.strerror or str(error)).lower()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return said[0]


def _install_venv() -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install -y python{version}-venv"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
