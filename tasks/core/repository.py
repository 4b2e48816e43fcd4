"""The repository that holds the suite, and where its settings are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.core.errors import Trouble

STARTER = "scripts/inv"
DEFAULT_FOLDER, HIDDEN_FOLDER = "config", ".remote-first/config"
ELSEWHERE = "elsewhere"  # the key of Invoke's configuration with the tasks whose code is not in this repository


def repository_root() -> Path:
    """Return the folder that holds tasks/."""
    return Path(__file__).resolve().parents[2]


def not_here(part: str) -> Trouble:
    """Return the error of a task that needs a part of the suite which is not in this repository."""
    from tasks.core.errors import Trouble

    return Trouble(
        f"{part} is not in this repository",
        why="only the files for daily use were copied here",
        fix="run this in the suite's own checkout",
    )


def folder_named_in(starter: str) -> str:
    """Return the folder that the line `config=FOLDER` of this text of scripts/inv names; empty without such a line."""
    for line in starter.splitlines():
        if line.startswith("config="):
            return line.removeprefix("config=").partition(" ")[0].strip("\"'/") or DEFAULT_FOLDER
    return ""


def config_folder(root: Path) -> str:
    """Return the folder of the settings in this repository, from its root.

    Before the suite is there, a repository can have settings in HIDDEN_FOLDER: `migrate.init` wrote them.
    """
    try:
        named = folder_named_in((root / STARTER).read_text("utf-8", "replace"))
    except OSError:
        named = ""
    return named or (HIDDEN_FOLDER if (root / HIDDEN_FOLDER / "settings.yaml").is_file() else DEFAULT_FOLDER)


CONFIG = config_folder(repository_root())
SETTINGS, LOCAL_SETTINGS = f"{CONFIG}/settings.yaml", f"{CONFIG}/settings.local.yaml"
CATALOGUE, MAPPING = f"{CONFIG}/services.yaml", f"{CONFIG}/migration.yaml"
