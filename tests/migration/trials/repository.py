"""A trial's two repositories: a clone of a public one, and an empty gitops repository beside it or inside it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

IDENTITY = {
    **{f"GIT_{who}_NAME": "Trial" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "trial@localhost" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
UNTRACKED = "person.untracked"


def git(folder: Path, *args: str) -> str:
    """Run git there and return its stdout."""
    run = subprocess.run(
        ["git", "-C", str(folder), *args], capture_output=True, text=True, errors="surrogateescape", env={**os.environ, **IDENTITY}
    )
    if run.returncode:
        raise RuntimeError(f"git {' '.join(args)}: {run.stderr.strip()[-400:]}")
    return run.stdout


@dataclass(frozen=True)
class Pair:
    """core and gitops of a trial."""

    core: Path
    gitops: Path

    @classmethod
    def make(cls, folder: Path, mirror: Path, commit: str, *, submodule: bool) -> Pair:
        """Clone the mirror at the commit. submodule: core has gitops as its submodule."""
        core, gitops = folder / "core", folder / "gitops"
        git(folder, "clone", "-q", "--no-checkout", str(mirror), str(core))
        git(core, "checkout", "-q", "-B", "trial", commit)
        git(core, "remote", "remove", "origin")
        _made(gitops)
        if submodule:
            place = "gitops/platform"
            git(core, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(gitops), place)
            git(core, "commit", "-qm", "gitops is a submodule")
            gitops = core / place
            git(gitops, "remote", "remove", "origin")
        (core / UNTRACKED).write_text("a person's file\n")
        return cls(core, gitops)

    def state(self) -> dict[str, str]:
        """Return what undo must restore: trees, index, work tree, and the bytes of what git does not track."""
        found = {}
        for name, folder in (("core", self.core), ("gitops", self.gitops)):
            found[f"{name} tree"] = git(folder, "rev-parse", "HEAD^{tree}").strip()
            found[f"{name} branch"] = git(folder, "rev-parse", "--abbrev-ref", "HEAD").strip()
            found[f"{name} status"] = git(folder, "status", "--porcelain", "--ignored")
        found["untracked"] = hashlib.sha256((self.core / UNTRACKED).read_bytes()).hexdigest()
        return found


def _made(folder: Path) -> None:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "README.md").write_text("# The platform\n")
    git(folder, "add", "README.md")
    git(folder, "commit", "-qm", "an empty platform")
