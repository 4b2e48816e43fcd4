"""Commands in messages work where they are read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tasks.core import ui
from tasks.core.errors import Trouble
from tasks.core.typed import as_typed
from tasks.flows.intercept import show

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which `inv` is not on PATH."""
    monkeypatch.setenv("PATH", os.defpath)


def test_where_inv_is_on_path_a_command_stays_as_it_is():
    assert as_typed("ask, then inv aks.registry") == "ask, then inv aks.registry"


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("inv aks.login", "./scripts/inv aks.login"),
        ("inv down, then inv setup", "./scripts/inv down, then ./scripts/inv setup"),
        ("VAR=x inv down", "VAR=x ./scripts/inv down"),
        ("see `inv --help setup`", "see `./scripts/inv --help setup`"),
        ("eval \"$(inv sandbox.env)\"", "eval \"$(./scripts/inv sandbox.env)\""),
        ("./scripts/inv setup", "./scripts/inv setup"),
        ("`inv` is not on PATH", "`inv` is not on PATH"),
        ("/tmp/my-inv file", "/tmp/my-inv file"),
        ("the conv inverse", "the conv inverse"),
    ],
)  # fmt: skip
def test_where_it_is_not_the_script_is_named(bare, text, typed):
    assert as_typed(text) == typed


def test_below_the_root_and_outside_it_the_path_works_too(bare, monkeypatch, tmp_path):
    for folder in (ROOT / "docs", ROOT / "tasks" / "core", tmp_path):
        monkeypatch.chdir(folder)
        done = subprocess.run(["/bin/sh", "-c", f"ls {as_typed('inv -d').split()[0]}"], capture_output=True)
        assert done.returncode == 0, as_typed("inv -d")


@pytest.mark.parametrize(
    ("uid", "path", "typed"),
    [
        (0, "/nowhere", "apt-get install iptables"),
        (1000, "/nowhere", "as root: apt-get install iptables"),
        (1000, "SUDO", "sudo apt-get install iptables"),
    ],
)
def test_sudo_is_named_only_where_it_is_needed_and_there(monkeypatch, tmp_path, uid, path, typed):
    (tmp_path / "sudo").write_text("#!/bin/sh\n")
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) if path == "SUDO" else path)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert as_typed("sudo apt-get install iptables") == typed
    assert as_typed("allow sudo without a password") == "allow sudo without a password"


def test_errors_lines_and_json_say_it_and_data_stays_as_it_is(bare, capsys):
    assert "fix: ./scripts/inv setup" in str(Trouble("x", fix="inv setup").message)
    assert Trouble("x", fix="inv setup").fix == "inv setup"  # as problems are compared
    ui.say("next: inv status")
    ui.talk("next: inv down")
    ui.as_json({"findings": [{"fix": "inv setup", "text": "inv setup"}], "environment": {"fix": "inv setup"}})
    said = capsys.readouterr()
    assert said.out.startswith("next: ./scripts/inv status\n")
    assert said.err == "next: ./scripts/inv down\n"
    assert '"fix": "./scripts/inv setup",\n      "text": "inv setup"' in said.out
    assert '"environment": {\n    "fix": "inv setup"' in said.out


def test_a_pods_variable_is_shown_as_it_is(bare, capsys, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    show.environment({"HINT": "inv down, then sudo rm x"}, json=False)
    assert capsys.readouterr().out == 'HINT="inv down, then sudo rm x"\n'
