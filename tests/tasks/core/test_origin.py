"""The suite's files elsewhere: which are carried, where they go, and what is recorded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from starlark_harness import evaluate
from tasks.core import origin
from tasks.core.errors import Trouble
from tasks.core.origin import Origin
from tasks.core.repository import config_folder, folder_named_in, repository_root

ROOT = repository_root()
RULES = "a/  # a folder\nb/x\nc/*.star\n!a/not/\n!b/xy\nconfig/settings.yaml\n"


def test_rules_are_beginnings_patterns_and_exceptions():
    paths = ["a/1", "a/not/2", "b/x", "b/xy", "b/z", "c/1.star", "c/1.py", "ab"]
    assert list(origin.carried(paths, RULES)) == ["a/1", "b/x", "c/1.star"]


def test_settings_elsewhere_are_named_as_in_the_suite_and_a_foreign_config_is_not():
    found = origin.carried(["config/settings.yaml", "hidden/config/settings.yaml"], RULES, "hidden/config")
    assert found == {"config/settings.yaml": "hidden/config/settings.yaml"}
    assert origin.placed("config/schema/x.json", "hidden/config") == "hidden/config/schema/x.json"
    assert origin.placed("tasks/config/x.py", "hidden/config") == "tasks/config/x.py"


def test_the_record_has_the_ids_of_git(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"text\n")
    said = subprocess.run(["git", "hash-object", "x"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert origin.recorded(b"text\n", "100644") == f"100644 {said.stdout.strip()}"


def test_the_record_is_read_as_it_was_written():
    record = Origin("https://example.com/x.git", "c0ffee", {"b": "100644 1", "a": "100755 2"})
    assert origin.read(record.text()) == record
    with pytest.raises(Trouble, match=r"\.origin\.json"):
        origin.read("{")


@pytest.mark.parametrize(
    ("url", "recorded"),
    [
        ("https://user:token@example.com/x.git", "https://example.com/x.git"),
        ("git@example.com:x/y.git", "git@example.com:x/y.git"),
        ("/somewhere/on/this/machine", ""),
        ("file:///somewhere", ""),
        ("", ""),
    ],
)
def test_an_address_has_no_login_and_is_no_folder_of_this_machine(url: str, recorded: str):
    assert origin.address(url) == recorded


LINES = {
    "config=config # the folder\n": "config",
    "config=.remote-first/config # the folder\n": ".remote-first/config",
    'x=1\nconfig="dev/settings"\n': "dev/settings",
    "config=\n": "config",
    "#!/bin/sh\nexec inv\n": "config",
}


@pytest.mark.parametrize(("starter", "folder"), LINES.items())
def test_tasks_and_tilt_read_the_same_folder(starter: str, folder: str, tmp_path: Path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/inv").write_text(starter)
    (tmp_path / "Tiltfile").write_text("load('./place.star', 'config_folder')\nprint(config_folder(config.main_dir))\n")
    (tmp_path / "place.star").write_text((ROOT / "tilt/place.star").read_text())
    log: list[str] = []
    evaluate(tmp_path / "Tiltfile", (), context="dev", env={}, log=log)
    assert config_folder(tmp_path) == (folder_named_in(starter) or "config") == folder
    assert log == [folder]


def test_the_starter_of_this_checkout_names_its_folder_and_can_name_another():
    text = (ROOT / "scripts/inv").read_bytes()
    moved = origin.adapted("scripts/inv", text, ".remote-first/config")
    assert folder_named_in(moved.decode()) == ".remote-first/config"
    assert origin.adapted("scripts/inv", moved, "config") == text
    assert subprocess.run(["bash", "-n"], input=moved, check=False).returncode == 0
    assert origin.adapted("tasks.py", b"config=x\n", "y") == b"config=x\n"


def test_settings_that_wait_for_the_suite_are_found_in_the_hidden_folder(tmp_path: Path):
    assert config_folder(tmp_path) == "config"
    (tmp_path / ".remote-first/config").mkdir(parents=True)
    (tmp_path / ".remote-first/config/settings.yaml").write_text("")
    assert config_folder(tmp_path) == ".remote-first/config"
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/inv").write_text("config=config\n")
    assert config_folder(tmp_path) == "config"
