"""The two git repositories: gitops, and core with gitops as its submodule."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.sample import charts, services
from tasks.core.config.catalogue import Catalogue

_FIXED = {
    "GIT_AUTHOR_NAME": "sample",
    "GIT_AUTHOR_EMAIL": "sample@example.com",
    "GIT_AUTHOR_DATE": "2025-12-02T12:00:00+00:00",
    "GIT_COMMITTER_NAME": "sample",
    "GIT_COMMITTER_EMAIL": "sample@example.com",
    "GIT_COMMITTER_DATE": "2025-12-02T12:00:00+00:00",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
# The paths that belong to the suite; environments and caches are not copied.
_SUITE = (
    "Tiltfile",
    "tilt",
    "tasks.py",
    "tasks",
    "migration",
    "starlark_harness",
    "sandbox",
    "config",
    "scripts",
    ".devcontainer",
)
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "settings.local.yaml")
# The real one creates an environment of its own, which takes half a minute and needs the network.
_INV = """\
#!/bin/sh
# In a sample repository `inv` is on PATH, in the environment of the checkout that it was copied from.
exec inv "$@"
"""


@dataclass(frozen=True)
class Pair:
    """core: the developer's checkout with its submodule; gitops: the repository that the submodule is cloned from."""

    core: Path
    gitops: Path
    submodule: str


def make(where: Path, catalogue: Catalogue, *, registry: str, submodule: str) -> Pair:
    """Create and commit both repositories in this folder. registry: of the baseline's images; submodule: its path in core."""
    gitops, core = where / "gitops", where / "core"
    files: dict[str, str] = {"README.md": "# Charts and values\n"}
    for service in catalogue.services:
        files |= charts.chart(service) | charts.values(service, registry)
    _commit(gitops, files, "Charts and values of the services")
    _commit(core, services.workspace(catalogue.services), "Services")
    _git(core, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(gitops), submodule)
    for name, value in (
        ("protocol.file.allow", "always"),
        ("user.name", "sample"),
        ("user.email", "sample@example.com"),
    ):
        _git(core, "config", name, value)
    _git(core, "commit", "-q", "-m", "Charts as a submodule")
    return Pair(core, gitops, submodule)


def suite_in(pair: Pair, source: Path, config: Path) -> Path:
    """Copy this repository's suite into core, with these settings, and commit it. Returns core's folder."""
    for name in _SUITE:
        place = source / name
        if place.is_dir():
            shutil.copytree(place, pair.core / name, ignore=_NOT_COPIED)
        else:
            shutil.copy2(place, pair.core / name)
    shutil.copytree(config, pair.core / "config", dirs_exist_ok=True, ignore=_NOT_COPIED)
    (pair.core / "scripts" / "inv").write_text(_INV, encoding="utf-8")
    _git(pair.core, "add", "-A")
    _git(pair.core, "commit", "-q", "-m", "The suite")
    return pair.core


def _commit(folder: Path, files: dict[str, str], subject: str) -> None:
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", subject)


def _git(folder: Path, *args: str) -> None:
    subprocess.run(
        ["git", *args],
        cwd=folder,
        env={**os.environ, **_FIXED},
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
        timeout=60,
    )
