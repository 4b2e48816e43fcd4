"""`scripts/inv` creates its own environment: in any folder, for any arguments, only once, and it says what is wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import environment

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import sys\nprint(*sys.argv)\n"  # prints what it was started as
PYTHON = os.path.realpath(sys.executable)
LOCK = "requirements.lock"
# A stand-in for uv: it makes an environment without packages, notes each lock that was to be installed, and waits while
# the file HOLD exists.
UV = """#!/bin/sh
set -e
for last in "$@"; do :; done
case "$1" in
  venv) exec python3 -m venv --without-pip "$last" ;;
  pip)
    basename "$last" >>"$NOTES"
    while [ -e "$HOLD" ]; do sleep 0.05; done ;;
  *) exit 2 ;;
esac
"""
OLD_PYTHON = """#!/bin/sh
case "$*" in *platform*) echo 3.10.12 ;; *) exit 1 ;; esac
"""


class Clone:
    """A clone of the suite with a program of its own, and what is on PATH for it."""

    def __init__(self, root: Path, top: Path) -> None:
        self.root, self.bin, self.hold, self.notes = root, top / "bin", top / "hold", top / "notes"
        (root / "scripts").mkdir(parents=True)
        for name in ("inv", "environment.py", LOCK, "requirements-test.lock"):
            shutil.copy2(ROOT / "scripts" / name, root / "scripts" / name)
        (root / "tasks.py").write_text(PROGRAM)
        self.bin.mkdir()
        self.put("uv", UV)
        self.env = {
            **os.environ,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "NOTES": str(self.notes),
            "HOLD": str(self.hold),
            "UV_DEFAULT_INDEX": "file:///",  # this uv asks no index
        }

    def put(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def only(self, python: str = "") -> None:
        """Leave only a few programs of the machine on PATH, and a Python under this name."""
        for name in ("bash", "dirname", "readlink", "id", "basename", "sleep"):
            (self.bin / name).symlink_to(shutil.which(name) or pytest.fail(f"{name} is not on PATH"))
        if python:
            (self.bin / python).symlink_to(PYTHON)
        self.env["PATH"] = str(self.bin)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start it as a terminal does: in a process group of its own."""
        argv = [str(self.root / "scripts/inv"), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, env=self.env, stdout=pipe, stderr=pipe, text=True, start_new_session=True)

    def inv(self, *words: str) -> str:
        run = self.start(*words)
        out, err = run.communicate(timeout=300)
        assert run.returncode == 0, err
        return out

    def fails(self, *words: str) -> str:
        run = self.start(*words)
        out, err = run.communicate(timeout=300)
        assert (run.returncode, out) == (1, ""), err
        return err

    def installed(self) -> list[str]:
        return self.notes.read_text().split() if self.notes.exists() else []


@pytest.fixture(params=["plain", "with blanks, ü & a|pipe"])
def any_clone(request: pytest.FixtureRequest, tmp_path: Path) -> Clone:
    return Clone(tmp_path / request.param / "clone", tmp_path)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone", tmp_path)


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_works_wherever_the_clone_is_and_the_second_run_creates_nothing(any_clone: Clone):
    assert any_clone.inv("--list") == f"{any_clone.root}/tasks.py --list\n"
    assert any_clone.inv("--list") == f"{any_clone.root}/tasks.py --list\n"
    assert any_clone.installed() == [LOCK]


def test_a_link_to_it_runs_it(clone: Clone, tmp_path: Path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links/inv").symlink_to("../clone/scripts/inv")
    (tmp_path / "links/invoke").symlink_to(tmp_path / "links/inv")
    run = subprocess.run(
        [tmp_path / "links/invoke", "-l"], env=clone.env, stdout=subprocess.PIPE, text=True, timeout=300
    )
    assert run.stdout == f"{clone.root}/tasks.py -l\n"


@pytest.mark.parametrize("imported", ["sitecustomize", "enum"])
def test_ctrl_c_while_python_starts_is_quiet(clone: Clone, tmp_path: Path, imported: str):
    """What Python imports first: sitecustomize at its own start, enum with the module signal. Each sends Ctrl-C here."""
    clone.inv("--list")
    shutil.copy2(ROOT / "tasks.py", clone.root)
    program = clone.root / "tasks/core/cli/program.py"
    program.parent.mkdir(parents=True)
    (clone.root / "tasks/__init__.py").touch()
    program.write_text("import enum")
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / f"{imported}.py").write_text("import posix\nposix.kill(posix.getpid(), 2)\n")
    clone.env["PYTHONPATH"] = str(tmp_path / "path")
    run = clone.start("--list")
    assert run.communicate(timeout=300) == ("", "")
    assert run.returncode == -signal.SIGINT


def test_the_arguments_of_another_program_do_not_ask_for_the_test_packages(clone: Clone):
    clone.inv("intercept", "www", "--", "pnpm", "test", "bench")
    assert clone.installed() == [LOCK]
    clone.inv("test")
    assert clone.installed() == [LOCK, "requirements-test.lock"]


def test_a_changed_lock_is_installed(clone: Clone):
    clone.inv("test")
    with (clone.root / "scripts/requirements-test.lock").open("a") as lock:
        lock.write("# changed\n")
    clone.inv("test")
    assert clone.installed() == [LOCK, "requirements-test.lock", "requirements-test.lock"]
    with (clone.root / "scripts" / LOCK).open("a") as lock:
        lock.write("# changed\n")
    clone.inv("test")
    assert clone.installed()[3:] == [LOCK, "requirements-test.lock"]


def test_an_environment_whose_python_was_removed_is_created_again(clone: Clone):
    clone.inv("-l")
    (clone.root / ".remote-dev/venv/bin/python").unlink()
    clone.inv("-l")
    assert clone.installed() == [LOCK, LOCK]


def test_a_first_run_that_was_killed_is_not_trusted(clone: Clone):
    clone.hold.touch()
    run = clone.start("--list")
    wait_until(clone.installed)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    clone.hold.unlink()
    assert clone.inv("--list") == f"{clone.root}/tasks.py --list\n"
    assert clone.installed() == [LOCK] * 2


def test_an_interrupt_ends_it_with_one_sentence(clone: Clone):
    clone.hold.touch()
    run = clone.start("--list")
    wait_until(clone.installed)
    os.killpg(run.pid, signal.SIGINT)  # Ctrl-C
    out, err = run.communicate(timeout=120)
    assert (run.returncode, out) == (130, "")
    assert err.splitlines()[1:] == [
        "interrupted: the suite's own environment is not complete; the next ./scripts/inv completes it"
    ]
    assert not (clone.root / ".remote-dev/venv.new").exists()
    clone.hold.unlink()
    clone.inv("--list")


@pytest.mark.parametrize("words", [("--list",), ("status", "--cached")], ids=" ".join)
def test_an_interrupt_at_any_moment_of_the_start_is_no_traceback(clone: Clone, words: tuple[str, ...]):
    place = clone.root / "tasks/core/state/cached_status.py"
    place.parent.mkdir(parents=True)
    shutil.copy2(ROOT / "tasks/core/state/cached_status.py", place)
    clone.env["REMOTE_DEV_STATE"] = str(clone.root / "state")
    for moment in range(0, 400, 20):  # ms; a start takes 50 to 400
        run = clone.start(*words)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(moment / 1000)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGINT)
        assert "KeyboardInterrupt" not in run.communicate(timeout=120)[1], moment


def test_an_interrupt_while_python_starts_is_ignored(clone: Clone):
    """Python would end with a traceback of its own start."""
    interrupted = f'#!/bin/sh\ncase "$*" in *environment.py*) kill -INT $$ ;; esac\nexec {PYTHON} "$@"\n'
    clone.put("python3", interrupted)
    assert clone.inv("--list") == f"{clone.root}/tasks.py --list\n"


def test_of_two_first_runs_at_once_the_second_says_that_it_waits(clone: Clone):
    clone.hold.touch()
    first = clone.start("--list")
    wait_until(clone.installed)
    second = clone.start("--list")
    assert second.stderr is not None
    assert second.stderr.readline() == (
        "waiting for another ./scripts/inv, which is creating the environment in .remote-dev\n"
    )
    clone.hold.unlink()
    assert [run.communicate(timeout=300)[0] for run in (first, second)] == [f"{clone.root}/tasks.py --list\n"] * 2
    assert clone.installed() == [LOCK]


def test_it_needs_neither_flock_nor_a_checksum_program(clone: Clone):
    clone.only("python3")
    assert clone.inv("--list") == f"{clone.root}/tasks.py --list\n"
    assert clone.inv("--list") == f"{clone.root}/tasks.py --list\n"
    assert clone.installed() == [LOCK]


def test_a_newer_python_beside_an_old_one_is_used(clone: Clone):
    clone.put("uv", UV.replace("python3", PYTHON))
    clone.put("python3", OLD_PYTHON)
    clone.only("python3.12")
    assert clone.inv("--list") == f"{clone.root}/tasks.py --list\n"


def test_a_python_of_uv_is_used(clone: Clone):
    clone.put("uv", UV.replace("python3", PYTHON).replace("venv)", f"python) echo '{PYTHON}' ;;\n  venv)", 1))
    clone.put("python3", OLD_PYTHON)
    clone.only()
    assert clone.inv("--list") == f"{clone.root}/tasks.py --list\n"


def test_without_a_new_python_the_fix_brings_one(clone: Clone):
    (clone.bin / "uv").unlink()
    clone.put("python3", OLD_PYTHON)
    clone.only()
    why = "error: Python 3.11 or newer is not on PATH: python3 is 3.10.12\n"
    assert clone.fails("-l") == (
        f"{why}  fix: install Python 3.11 or newer, or uv (https://docs.astral.sh/uv), so that it is on PATH\n"
    )
    clone.put("python3", OLD_PYTHON.replace("*platform*", "*pip*) ;; *platform*"))
    assert clone.fails("-l") == (
        f"{why}  fix: python3 -m pip install --user uv (uv is then found and installs a newer Python)\n"
    )
    clone.put("apt-cache", '#!/bin/sh\n[ "$2" = python3.11 ]\n')
    assert clone.fails("-l").endswith("apt-get install -y python3.11 python3.11-venv\n")


def test_without_a_network_it_says_so_quickly(clone: Clone, unused: int):
    (clone.bin / "uv").unlink()
    clone.only("python3")
    clone.env |= {"PIP_INDEX_URL": f"http://user:secret@127.0.0.1:{unused}/simple"}
    assert clone.fails("-l").splitlines() == [
        "error: the packages of scripts/requirements.lock cannot be downloaded: 127.0.0.1: connection refused",
        "  fix: connect to the network, or set PIP_INDEX_URL to your mirror or HTTPS_PROXY to your proxy; then run this again",
    ]
    clone.env |= {"PIP_INDEX_URL": "https://index.example", "HTTPS_PROXY": f"http://localhost:{unused}"}
    clone.env.pop("NO_PROXY", None)
    clone.env.pop("no_proxy", None)
    assert "index.example through the proxy localhost: connection refused" in clone.fails("-l")


@pytest.fixture
def unused() -> int:
    """A port where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_an_index_that_accepts_connections_is_reachable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert environment.unreachable(f"http://127.0.0.1:{port}/simple") == ""
        assert environment.unreachable("https://index.example", f"127.0.0.1:{port}") == ""
    assert environment.unreachable("file:///srv/index") == ""


def test_a_resolver_that_gives_no_answer_has_a_deadline(monkeypatch: pytest.MonkeyPatch):
    resolved = threading.Event()

    def silent(*address: object, timeout: float) -> socket.socket:
        resolved.wait()
        raise OSError

    monkeypatch.setattr(socket, "create_connection", silent)
    monkeypatch.setattr(environment, "SECONDS", 0.1)
    assert environment.refused("silent.example", 443).startswith("no answer within")
    resolved.set()


def test_pip_settings_come_from_its_files_and_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://a\nretries = 9\n[install]\nproxy = http://p\n")
    (tmp_path / "home/.config/pip").mkdir(parents=True)
    (tmp_path / "home/.config/pip/pip.conf").write_text("[global]\nindex_url = https://c\ncert = /home\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://b/it's")
    settings = environment.pip_settings()
    assert (settings["index-url"], settings["proxy"]) == ("https://b/it's", "http://p")
    assert settings["cert"] == "/home"
    assert environment.patience(settings) == ["--timeout", "15"]
    assert environment.patience({"default-timeout": "180"}) == ["--retries", "2"]


def test_everything_is_compiled_once_even_where_python_is_told_not_to(clone: Clone, monkeypatch: pytest.MonkeyPatch):
    clone.env["PYTHONDONTWRITEBYTECODE"] = "1"
    (clone.root / "tasks").mkdir()
    (clone.root / "tasks" / "__init__.py").write_text("x = 1\n")
    clone.put("uv", UV.replace('basename "$last"', 'echo "$*"'))
    clone.inv("status")
    assert (clone.root / "tasks" / "__pycache__").is_dir()
    assert "--compile-bytecode" in clone.installed()
