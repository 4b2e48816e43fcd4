"""Completion as a shell asks for it: from the cached file, without Invoke."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import completion

ROOT = Path(__file__).resolve().parents[2]
ASK = """
source "$1"; shift; cd "$1"; shift
for COMP_LINE in "$@"; do COMP_POINT=${#COMP_LINE}; _remote_dev_complete; printf '%s\\n' "${COMPREPLY[*]}"; done
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with this suite, and its environment where scripts/inv makes it."""
    root = tmp_path / "repo"
    (root / "docs").mkdir(parents=True)
    for name in ("tasks", "tasks.py", "config", "scripts"):
        (root / name).symlink_to(ROOT / name)
    (root / ".remote-dev/venv/bin").mkdir(parents=True)
    (root / ".remote-dev/venv/bin/python").write_text(
        f'#!/bin/sh\necho started >>"{tmp_path}/starts"\nexec "{sys.executable}" "$@"\n'
    )
    (root / ".remote-dev/venv/bin/python").chmod(0o755)
    return root


def ask(root: Path, *lines: str) -> list[list[str]]:
    """What is offered for each line, asked from a folder below the root."""
    words = ["bash", "-c", ASK, "bash", str(ROOT / "scripts/completion.bash"), str(root / "docs"), *lines]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stderr == ""
    return [line.split() for line in done.stdout.splitlines()]


def test_tasks_flags_and_services_are_offered(repository: Path):
    tasks, flags, services, own = ask(repository, "inv int", "inv intercept x --no", "inv intercept pl", "inv --li")
    assert tasks == ["intercept"]
    assert flags == ["--no-run"]
    assert services == ["platform"]
    assert own == ["--list", "--list-depth", "--list-format"]


def test_a_service_is_offered_only_right_after_a_task_that_takes_one(repository: Path):
    after_flag, other = ask(repository, "inv intercept --json www", "inv setup www")
    assert after_flag == other == []


def test_words_for_another_program_are_not_touched(repository: Path):
    assert ask(repository, "inv intercept platform -- setu") == [[]]


def test_the_file_is_made_once_and_private(repository: Path, tmp_path: Path):
    ask(repository, "inv se", "inv se")
    ask(repository, "inv se")
    assert (tmp_path / "starts").read_text().count("started") == 1
    (kept,) = (Path(os.environ["REMOTE_DEV_STATE"]) / "completion").iterdir()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_without_the_suites_environment_nothing_is_installed_and_nothing_printed(repository: Path):
    (repository / ".remote-dev/venv/bin/python").unlink()
    assert ask(repository, "inv se") == [[]]


def test_each_task_has_a_line_with_help():
    found = {line.split()[0]: line.split()[1:] for line in completion.lines()}
    assert {"-", "@", "setup", "tp.intercept"} <= set(found)
    assert all("--help" in flags for name, flags in found.items() if name != "@")
    assert found["tp.intercept"][0] == "@"


def test_a_catalogue_in_another_folder_is_watched_too(repository: Path, tmp_path: Path):
    (repository / "scripts").unlink()
    (repository / "scripts").mkdir()
    (repository / "scripts/inv").write_text("#!/bin/sh\nconfig=elsewhere # the folder\n")
    (repository / "elsewhere").mkdir()
    (repository / "elsewhere/services.yaml").write_text("services: []\n")
    words = 'source "$1"; _remote_dev_fresh "$2" "$3"'
    cache = tmp_path / "cache"
    cache.write_text("x")
    for moment, code in ((4e9, 0), (1, 1)):
        os.utime(cache, (moment, moment))
        done = subprocess.run(
            ["bash", "-c", words, "bash", str(ROOT / "scripts/completion.bash"), str(repository), str(cache)],
            check=False,
        )
        assert done.returncode == code
    os.utime(cache, (3e9, 3e9))
    os.utime(repository / "elsewhere/services.yaml", (4e9, 4e9))
    assert (
        subprocess.run(
            ["bash", "-c", words, "bash", str(ROOT / "scripts/completion.bash"), str(repository), str(cache)],
            check=False,
        ).returncode
        == 1
    )
