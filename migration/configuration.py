"""Where the configuration of a migration is: in core, if it has its own, else with the suite that runs."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.core.config.settings import Settings, load, settings
from tasks.core.repository import repository_root
from tasks.core.state import store

FOLDERS = ("config", ".remote-first/config")
MAPPING = "migration.yaml"


def folder_of(core: Path) -> Path:
    """Return the folder with the mapping that applies to this core."""
    own = next((core / folder for folder in FOLDERS if (core / folder / MAPPING).is_file()), None)
    return own or repository_root() / FOLDERS[0]


def mapping_file(core: Path) -> Path:
    """Return the mapping that applies to this core."""
    return folder_of(core) / MAPPING


def settings_for(core: Path) -> Settings:
    """Return the settings that apply to this core."""
    is_own = core.resolve() != repository_root() and folder_of(core) == core / FOLDERS[0]
    if not is_own or not (core / FOLDERS[0] / "settings.yaml").is_file():
        return settings()
    store.must_be_usable()
    return load(core, os.environ)
