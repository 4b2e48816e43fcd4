"""Faults of the repositories on disk: unfinished work, missing parts, untracked files."""

from __future__ import annotations

import shutil
from pathlib import Path

from sandbox.legacy.git import git
from sandbox.legacy.model import Pair

SECRET_FILES = ("infra/kubernetes/environments/local/.env", "tools/bootstrap/.env")
"""Ignored files of core that hold tokens; they must outlive their folder."""

UNTRACKED_FILE = "infra/bicep/notes-of-a-person.txt"


def dirty_tree(pair: Pair) -> None:
    _append(pair.core / "README.md", "\nA change that nobody committed.\n")


def dirty_gitops(pair: Pair) -> None:
    _append(pair.gitops / "README.md", "\nA change that nobody committed.\n")
    git(pair.gitops, "add", "README.md")


def merge_in_progress(pair: Pair) -> None:
    _conflict(pair.core, "side")
    git(pair.core, "merge", "--quiet", "side", ok=(1,))


def rebase_in_progress(pair: Pair) -> None:
    _conflict(pair.core, "base")
    git(pair.core, "rebase", "--quiet", "base", ok=(1,))


def _conflict(folder: Path, branch: str) -> None:
    """Change the same line on two branches; the work tree is on the first."""
    git(folder, "switch", "--quiet", "--create", branch)
    _append(folder / "README.md", f"\nA line of the branch {branch}.\n")
    git(folder, "commit", "--quiet", "--all", "--message", f"A line on {branch}")
    git(folder, "switch", "--quiet", "main")
    _append(folder / "README.md", "\nA line of main.\n")
    git(folder, "commit", "--quiet", "--all", "--message", "A line on main")


def detached_head(pair: Pair) -> None:
    git(pair.core, "switch", "--quiet", "--detach")


def shallow(pair: Pair) -> None:
    head = git(pair.core, "rev-parse", "HEAD")
    (pair.core / ".git" / "shallow").write_text(f"{head}\n", encoding="ascii")


def no_gitops(pair: Pair) -> None:
    submodule_not_checked_out(pair)
    shutil.rmtree(pair.gitops)


def bare_gitops(pair: Pair) -> None:
    submodule_not_checked_out(pair)
    work = pair.gitops.with_name(f"{pair.gitops.name}.work")
    pair.gitops.rename(work)
    git(work, "clone", "--quiet", "--bare", str(work), str(pair.gitops))
    shutil.rmtree(work)


def submodule_not_checked_out(pair: Pair) -> None:
    git(pair.core, "submodule", "--quiet", "deinit", "--force", "--", str(pair.submodule.relative_to(pair.core)))


def submodule_elsewhere(pair: Pair) -> None:
    git(pair.submodule, "reset", "--quiet", "--hard", "HEAD~1")


def ignored_files(pair: Pair) -> None:
    for path in SECRET_FILES:
        place = pair.core / path
        place.write_text("GITHUB_TOKEN=example-of-a-token\nBUF_TOKEN=example-of-another\n", encoding="ascii")
        place.chmod(0o600)
    (pair.core / UNTRACKED_FILE).write_text("do not lose this\n", encoding="ascii")


def in_the_way(pair: Pair) -> None:
    place = pair.gitops / "bootstrap" / "bootstrap.sh"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\n# somebody's draft\n", encoding="ascii")


def index_lock(pair: Pair) -> None:
    (pair.core / ".git" / "index.lock").touch()


def _append(place: Path, text: str) -> None:
    with place.open("a", encoding="utf-8") as file:
        file.write(text)
