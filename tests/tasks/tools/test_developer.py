"""Whose name colleagues see, where the system's user says nothing: in a dev container it is `vscode` for everybody."""

from __future__ import annotations

import subprocess

import pytest

from tasks.tools import developer
from tests.made import settings

VARIABLES = ("GITHUB_USER", "LOCAL_USER", "LOCAL_USERNAME")


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def git_user(email: str) -> None:
    subprocess.run(["git", "config", "--global", "user.email", email], check=True)


@pytest.mark.parametrize("variable", VARIABLES)
def test_codespaces_and_the_developers_own_machine_name_them(monkeypatch: pytest.MonkeyPatch, variable: str):
    monkeypatch.setenv(variable, "ada")
    assert developer.name(settings()) == "ada"


def test_git_names_the_developer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOCAL_USER", "al")
    git_user("ada.lovelace@example.com")
    assert developer.name(settings()) == "ada.lovelace"
    monkeypatch.setenv("GITHUB_USER", "ada")
    assert developer.name(settings()) == "ada"


def test_without_any_of_them_the_name_is_empty(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOCAL_USER", "")  # as ${localEnv:USER} becomes on Windows
    assert developer.name(settings()) == ""
    monkeypatch.setenv("PATH", "/nowhere")
    assert developer.name(settings()) == ""
