"""Installed versions: each program's recorded answer, cached until its file changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.core.config.settings import Pin
from tasks.core.errors import ToolError
from tasks.core.state import store
from tasks.tools import versions
from tests.made import settings

SAID = {
    "az": '{\n  "azure-cli": "2.91.0",\n  "azure-cli-core": "2.91.0",\n  "extensions": {}\n}\n',
    "kubelogin": "kubelogin version \ngit hash: v0.2.22/0d1e\nGo version: go1.26.10\nPlatform: linux/amd64\n",
    "kubectl": '{\n  "clientVersion": {\n    "major": "1",\n    "gitVersion": "v1.32.4"\n  }\n}\n',
    "telepresence": "OSS Client : v2.31.0\nRoot Daemon: not running\nUser Daemon: not running\n",
    "docker": "Docker version 28.2.2, build e6534b4\n",
    "helm": "v3.22.0+g1234567\n",
    "tilt": "v0.37.6, built 2026-01-01\n",
    "pnpm": "10.34.9\n",
}
WANTED = {"az": "2.91.0", "kubelogin": "0.2.22", "kubectl": "1.32.4", "telepresence": "2.31.0", "docker": "28.2.2", "helm": "3.22.0", "tilt": "0.37.6", "pnpm": "10.34.9"}  # fmt: skip


@pytest.fixture
def program(tmp_path: Path, monkeypatch):
    """Puts a program on PATH that says this and counts its starts."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, says: str, exit: int = 0) -> Path:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "text").write_text(says)
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\necho x >> {tmp_path}/starts\ncat {tmp_path}/text\nexit {exit}\n")
        path.chmod(0o755)
        return tmp_path / "starts"

    return make


@pytest.mark.parametrize("name", list(SAID))
def test_each_programs_answer_is_understood(program, name: str):
    program(name, SAID[name])
    found = versions.installed(settings(), name)
    assert found is not None
    assert found.version == WANTED[name]


def test_it_is_asked_once_as_long_as_its_file_stays_the_same(program):
    starts = program("pnpm", "10.34.9\n")
    for _ in range(3):
        versions.installed(settings(), "pnpm")
    assert starts.read_text() == "x\n"
    program("pnpm", "11.0.0\n", exit=0)
    os.utime(starts.parent / "bin/pnpm", (1, 1))
    found = versions.installed(settings(), "pnpm")
    assert found is not None
    assert found.version == "11.0.0"


def test_nothing_is_remembered_while_only_reading(program):
    program("pnpm", "10.34.9\n")
    with store.only_reading():
        versions.installed(settings(), "pnpm")
    assert not Path(os.environ["REMOTE_DEV_STATE"]).exists()


def test_int128s_kubelogin_is_distinguished_from_azures(program):
    program("kubelogin", "kubelogin version v1.28.0 (go1.20 darwin_arm64)\n")
    found = versions.installed(settings(), "kubelogin")
    assert found is not None
    assert "int128" in found.wrong


def test_what_is_not_on_path_is_not_installed(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert versions.installed(settings(), "az") is None


def test_a_program_that_says_nothing_is_an_error(program):
    program("tilt", "", exit=1)
    with pytest.raises(ToolError, match="tilt does not show its version"):
        versions.installed(settings(), "tilt")


@pytest.mark.parametrize(
    ("pin", "version", "fits"),
    [
        (Pin(version="2.31.0"), "2.31.0", True),
        (Pin(version="2.31.0"), "2.31.1", False),
        (Pin(version="1.30", at_least=True), "1.30.4", True),
        (Pin(version="1.30.0", at_least=True), "1.29.9", False),
        (Pin(version="0.2.0", at_least=True), "0.10.0-rc.1", True),
        (Pin(version="1.0", at_least=True), "", False),
    ],
)
def test_versions_are_compared_as_numbers(pin: Pin, version: str, fits: bool):
    assert versions.fits(pin, version) is fits
