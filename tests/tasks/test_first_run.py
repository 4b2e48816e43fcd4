"""`scripts/inv` creates its own environment: in any folder, for any arguments, and only once."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import sys\nprint(*sys.argv)\n"  # prints what it was started as
# A stand-in for uv: it makes an environment without packages, and notes each lock that was to be installed.
UV = """#!/bin/sh
set -e
case "$1" in
  venv) for last in "$@"; do :; done; exec python3 -m venv --without-pip "$last" ;;
  pip)
    for last in "$@"; do :; done
    basename "$last" >>"$NOTES"
    sleep "${SLOW:-0}" ;;
esac
"""


@pytest.fixture(params=["plain", "with blanks, ü & a|pipe"])
def clone(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    root = tmp_path / request.param / "clone"
    (root / "scripts").mkdir(parents=True)
    for name in ("inv", "requirements.lock", "requirements-test.lock"):
        shutil.copy2(ROOT / "scripts" / name, root / "scripts" / name)
    (root / "tasks.py").write_text(PROGRAM)
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "uv").write_text(UV)
    (bin / "uv").chmod(0o755)
    return root


def start(clone: Path, *words: str, slow: str = "0") -> subprocess.Popen[str]:
    top = clone.parent.parent
    env = {**os.environ, "PATH": f"{top / 'bin'}:{os.environ['PATH']}", "NOTES": str(top / "notes"), "SLOW": slow}
    return subprocess.Popen(
        [str(clone / "scripts/inv"), *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def inv(clone: Path, *words: str) -> str:
    run = start(clone, *words)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    return out


def installed(clone: Path) -> list[str]:
    return (clone.parent.parent / "notes").read_text().split()


def test_it_works_wherever_the_clone_is_and_the_second_run_creates_nothing(clone: Path):
    assert inv(clone, "--list") == f"{clone}/tasks.py --list\n"
    assert inv(clone, "--list") == f"{clone}/tasks.py --list\n"
    assert installed(clone) == ["requirements.lock"]


def test_the_arguments_of_another_program_do_not_ask_for_the_test_packages(clone: Path):
    inv(clone, "intercept", "www", "--", "pnpm", "test", "bench")
    assert installed(clone) == ["requirements.lock"]
    inv(clone, "test")
    assert installed(clone) == ["requirements.lock", "requirements-test.lock"]


def test_a_first_run_that_was_killed_is_not_trusted(clone: Path):
    run = start(clone, "--list", slow="2")
    while not (clone.parent.parent / "notes").exists():
        time.sleep(0.02)
    run.kill()
    run.wait()
    assert inv(clone, "--list") == f"{clone}/tasks.py --list\n"
    assert installed(clone) == ["requirements.lock"] * 2


def test_two_first_runs_at_once_create_one_environment(clone: Path):
    runs = [start(clone, "--list", slow="1") for _ in range(2)]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert said == [f"{clone}/tasks.py --list\n"] * 2
    assert installed(clone) == ["requirements.lock"]


def test_everything_is_compiled_once_even_where_python_is_told_not_to(clone: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (clone / "tasks").mkdir()
    (clone / "tasks" / "__init__.py").write_text("x = 1\n")
    (clone.parent.parent / "bin" / "uv").write_text(UV.replace('basename "$last"', 'echo "$*"'))
    inv(clone, "status")
    assert (clone / "tasks" / "__pycache__").is_dir()
    assert "--compile-bytecode" in installed(clone)
