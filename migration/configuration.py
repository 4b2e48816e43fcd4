"""Where the configuration of a migration is: in core, if it has its own, else with the suite that runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from tasks.core.config.settings import Settings, load, settings
from tasks.core.repository import CONFIG, DEFAULT_FOLDER, HIDDEN_FOLDER, config_folder, repository_root
from tasks.core.state import store

FOLDERS = (DEFAULT_FOLDER, HIDDEN_FOLDER)
MAPPING = "migration.yaml"
_OUR_NAMES = {"settings.yaml", "services.yaml", MAPPING}


def is_free(paths: Iterable[str], text: Callable[[str], bytes | None]) -> bool:
    """Whether the suite's settings can be in config/: it has none of the team's files, or already the suite's.

    paths: the files in core's config/; text: reads one of them
    """
    names = {path.partition("/")[2] for path in paths}
    if not names or names & {MAPPING, "schema/settings.json"}:
        return True
    settings = text(f"{DEFAULT_FOLDER}/settings.yaml")
    return names <= _OUR_NAMES and (
        settings is None or re.search(rb"^telepresence:", settings, re.MULTILINE) is not None
    )


def folder_to_write(core: Path) -> str:
    """Return where `migrate.init` writes settings for this core, from its root: the folder that phase 2 chooses too."""
    named = config_folder(core)
    paths = [str(path.relative_to(core)) for path in (core / DEFAULT_FOLDER).rglob("*") if path.is_file()]
    is_usable = named != DEFAULT_FOLDER or is_free(
        paths, lambda path: (core / path).read_bytes() if path in paths else None
    )
    return named if is_usable else HIDDEN_FOLDER


def folder_of(core: Path) -> Path:
    """Return the folder with the mapping that applies to this core."""
    folders = dict.fromkeys((config_folder(core), *FOLDERS))
    own = next((core / folder for folder in folders if (core / folder / MAPPING).is_file()), None)
    return own or repository_root() / CONFIG


def mapping_file(core: Path) -> Path:
    """Return the mapping that applies to this core."""
    return folder_of(core) / MAPPING


def settings_for(core: Path) -> Settings:
    """Return the settings that apply to this core."""
    own = core / config_folder(core)
    is_own = core.resolve() != repository_root() and folder_of(core) == own
    if not is_own or not (own / "settings.yaml").is_file():
        return settings()
    store.must_be_usable()
    return load(core, os.environ)
