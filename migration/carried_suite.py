"""The suite's own files: which of them a team's repository gets, and which paths there belong to the suite."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from migration import configuration
from migration.git.objects import Git, decode
from migration.repositories import Repository
from tasks.core import origin
from tasks.core.errors import ToolError
from tasks.core.origin import Origin
from tasks.core.repository import (
    DEFAULT_FOLDER,
    HIDDEN_FOLDER,
    STARTER,
    config_folder,
    folder_named_in,
    repository_root,
)


def files(core: Path) -> tuple[dict[str, tuple[str, bytes]], frozenset[str]]:
    """Return what core gets (path -> mode, content), and all paths of the suite.

    Core gets nothing when the suite runs from core itself.
    """
    root = repository_root()
    paths = _listed(root)
    if root == core.resolve():
        return {}, frozenset([*paths.values(), origin.MANIFEST])
    carried = {name: (_mode(root / path), (root / path).read_bytes()) for name, path in paths.items()}
    return carried, frozenset(paths)


def _mode(file: Path) -> str:
    return "100755" if os.access(file, os.X_OK) else "100644"


def _listed(root: Path) -> dict[str, str]:
    """Return the suite's files as git has them: path in core -> path here. Without git, as they are in the folder."""
    try:
        names = decode(Git(root).read("ls-files", "-z", "--cached")).split("\0")
    except ToolError:
        names = []
    if not any(names):  # not a repository, or not committed yet
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    rules = (root / origin.LIST).read_text("utf-8")
    found = origin.carried(names, rules, config_folder(root))
    return {name: path for name, path in found.items() if (root / path).is_file()}


def settings_folder(core: Repository) -> str:
    """Return where the suite's settings are in core, or will be: a config/ with files of the team stays the team's."""
    starter = (core.text(STARTER) or b"").decode("utf-8", "replace")
    if folder := folder_named_in(starter):
        return folder
    is_free = configuration.is_free(core.tree.under(f"{DEFAULT_FOLDER}/"), core.text)
    is_hidden = f"{HIDDEN_FOLDER}/settings.yaml" in core.tree
    return DEFAULT_FOLDER if is_free and not is_hidden else HIDDEN_FOLDER


def at_their_place(
    carried: Mapping[str, tuple[str, bytes]], folder: str, recorded: Origin
) -> dict[str, tuple[str, bytes]]:
    """Return the files as they are in a core with the settings in this folder, and the record of what they were."""
    if not carried:
        return {}
    files = {path: origin.recorded(data, mode) for path, (mode, data) in carried.items()}
    placed = {
        origin.placed(path, folder): (mode, origin.adapted(path, data, folder))
        for path, (mode, data) in carried.items()
    }
    return {**placed, origin.MANIFEST: ("100644", replace(recorded, files=files).text().encode())}


def here() -> Origin:
    """Return the address and the commit of the suite that runs; both empty when git does not know them."""
    git = Git(repository_root())
    try:
        commit = git.line("rev-parse", "--verify", "-q", "HEAD", ok=(0, 1, 128))
        url = git.line("config", "remote.origin.url", ok=(0, 1, 128))
    except ToolError:
        return Origin()
    return Origin(origin.address(url), commit)


def template(path: str) -> bytes | None:
    """Return a file of the suite that is merged into core, not copied. None in a repository that got no such file."""
    try:
        return (repository_root() / path).read_bytes()
    except OSError:
        return None
