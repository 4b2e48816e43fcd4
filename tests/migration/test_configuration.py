"""Where the suite's settings go in a core: config/, unless it has files of the team."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration import configuration
from sandbox.legacy.faults_suite import CONFIG_PACKAGE

OURS = "telepresence: {version: x}\n"
CASES = {
    "nothing": ({}, "config"),
    "a Go package": ({path: data.decode() for path, data in CONFIG_PACKAGE.items()}, ".remote-first/config"),
    "another program's settings": ({"config/settings.yaml": "default: {debug: true}\n"}, ".remote-first/config"),
    "our settings alone": ({"config/settings.yaml": OURS}, "config"),
    "our services alone": ({"config/services.yaml": "services: []\n"}, "config"),
    "ours among others": ({"config/migration.yaml": "moves: []\n", "config/app.go": "package config\n"}, "config"),
    "copied by hand": ({"config/schema/settings.json": "{}", "config/app.go": "package config\n"}, "config"),
    "hidden": ({".remote-first/config/settings.yaml": OURS}, ".remote-first/config"),
    "named": ({"scripts/inv": "config=dev/settings # here\n", "config/app.go": "package config\n"}, "dev/settings"),
    "scripts of the team": (
        {"scripts/inv": "#!/bin/sh\n", "config/app.go": "package config\n"},
        ".remote-first/config",
    ),
}


@pytest.mark.parametrize(("files", "folder"), CASES.values(), ids=CASES)
def test_settings_are_written_where_no_file_of_the_team_is(files: dict[str, str], folder: str, tmp_path: Path):
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert configuration.folder_to_write(tmp_path) == folder


def test_a_mapping_in_any_of_these_folders_applies(tmp_path: Path):
    for folder in ("config", ".remote-first/config"):
        core = tmp_path / folder.replace("/", "-")
        (core / folder).mkdir(parents=True)
        (core / folder / "migration.yaml").write_text("moves: []\n")
        assert configuration.mapping_file(core) == core / folder / "migration.yaml"
