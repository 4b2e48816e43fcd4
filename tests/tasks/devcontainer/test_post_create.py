"""postCreate.sh never fails the creation, never hangs, and shows what is missing until setup has completed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core.repository import repository_root
from tests.world import inv, writes

FOLDER = repository_root() / ".devcontainer"
SETUP_FAILS = """\
echo "-> tools        asked  0.1 s" >&2
echo "!! login        nobody is logged in to Azure  0.2 s" >&2
echo "   fix: az login" >&2
exit 1"""


class Clone:
    """A repository with .devcontainer, a scripts/inv that a test writes, and an empty HOME."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home = folder / "clone", folder / "own-home"
        shutil.copytree(FOLDER, self.root / ".devcontainer")
        (self.root / "scripts").mkdir()
        self.home.mkdir()
        self.state = self.home / ".local/state/remote-dev"
        self.env = {"HOME": str(self.home), "PATH": os.environ["PATH"]}

    def inv(self, setup: str) -> None:
        script = f'#!/bin/bash\ncase "$1" in\n  setup)\n{setup}\n  ;;\nesac\n'
        (self.root / "scripts/inv").write_text(script)
        (self.root / "scripts/inv").chmod(0o755)

    def create(self, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", ".devcontainer/postCreate.sh"],
            cwd=self.root,
            env={**self.env, **more},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def terminal(self) -> str:
        """Return what a new shell shows first."""
        read = f". {self.root}/.devcontainer/shell.sh"
        return subprocess.run(
            ["bash", "--norc", "-i", "-c", read], env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL
        ).stdout

    def tree(self) -> dict[str, tuple[int, int]]:
        return {
            str(p.relative_to(self.home)): (p.lstat().st_mtime_ns, p.lstat().st_size)
            for p in self.home.rglob("*")
            if p.is_file()
        }


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def test_a_successful_setup_installs_inv_and_completion_and_leaves_no_notice(clone):
    clone.inv("exit 0")
    done = clone.create()
    assert done.returncode == 0
    assert "ready: inv intercept" in done.stdout
    assert os.readlink(clone.home / ".local/bin/inv") == str(clone.root / "scripts/inv")
    assert "/scripts/completion.bash" in (clone.state / "completion.bash").read_text()
    assert (clone.state / "completion.zsh").read_text() == (clone.state / "completion.bash").read_text()
    assert not (clone.state / "notice").exists()
    assert clone.terminal() == ""
    assert all(
        (clone.home / name).stat().st_mode & 0o777 == 0o700 for name in (".azure", ".kube", ".local/state/remote-dev")
    )


def test_without_a_login_the_creation_succeeds_and_each_terminal_shows_what_is_missing(clone):
    clone.inv(SETUP_FAILS)
    done = clone.create()
    assert done.returncode == 0
    for shown in (done.stdout, clone.terminal(), clone.terminal()):
        assert "not complete" in shown
        assert "nobody is logged in to Azure" in shown
        assert "fix: az login" in shown
        assert shown.rstrip().endswith("fix: inv setup")


def test_the_first_successful_setup_removes_the_notice(clone):
    clone.inv(SETUP_FAILS)
    clone.create()
    clone.inv("exit 0")
    clone.create()
    assert clone.terminal() == ""


@pytest.mark.parametrize("setup", ["exit 0", SETUP_FAILS])
def test_a_second_run_changes_nothing(clone, setup):
    clone.inv(setup)
    clone.create()
    before = clone.tree()
    clone.create()
    assert clone.tree() == before


def test_a_hanging_setup_is_ended_and_reported(clone):
    clone.inv("sleep 600")
    began = time.monotonic()
    done = clone.create(POST_CREATE_SECONDS="31")
    assert time.monotonic() - began < 60
    assert done.returncode == 0
    assert "ended after 1 s" in clone.terminal()


def test_a_crashing_setup_is_shown_with_its_last_lines(clone):
    clone.inv("echo ImportError: no module named x >&2\nexit 1")
    assert clone.create().returncode == 0
    assert "no module named x" in clone.terminal()


def test_a_read_only_home_does_not_fail_the_creation(clone):
    clone.inv(SETUP_FAILS)
    clone.env["HOME"] = "/proc/nowhere"
    done = clone.create()
    assert done.returncode == 0
    assert "not complete" in done.stdout


def test_nothing_waits_for_input(clone):
    clone.inv('read -r answer && echo "asked" || echo "nobody there"\nexit 1')
    assert "nobody there" in clone.create().stdout


def test_the_notice_is_not_shown_without_a_terminal(clone):
    clone.inv(SETUP_FAILS)
    clone.create()
    read = f". {clone.root}/.devcontainer/shell.sh"
    assert subprocess.run(["bash", "-c", read], env=clone.env, capture_output=True, text=True).stdout == ""
    assert subprocess.run(["sh", "-c", read], env=clone.env, capture_output=True, text=True).returncode == 0


# --- the real setup, with stand-ins for the programs
def create(box: Box, **more: str) -> subprocess.CompletedProcess[str]:
    script = ["bash", str(FOLDER / "postCreate.sh")]
    return subprocess.run(script, env=box.environment(**more), capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_the_real_setup_in_an_empty_home_is_ready_and_a_second_run_changes_nothing():
    box = control.up()
    try:
        first = create(box)
        assert (first.returncode, "ready: inv intercept" in first.stdout) == (0, True), first.stdout
        before = writes(box)
        second = create(box)
        assert (second.returncode, "ready: inv intercept" in second.stdout) == (0, True), second.stdout
        assert writes(box) == before
    finally:
        control.down(box)


@pytest.mark.slow
def test_the_real_setup_without_a_login_leaves_a_notice_until_it_succeeds():
    box = control.up(logged_in=False)
    state = Path(box.env["REMOTE_DEV_STATE"])
    try:
        done = create(box)
        assert done.returncode == 0
        assert "not complete" in done.stdout
        notice = (state / "notice").read_text()
        assert "nobody is logged in" in notice
        assert "fix: inv aks.login" in notice
        assert "needs" not in notice.replace("needs a person", "")
        subprocess.run(["az", "login", "--use-device-code"], env=box.environment(), check=True, capture_output=True)
        assert inv(box, "setup").returncode == 0
        assert not (state / "notice").exists()
    finally:
        control.down(box)
