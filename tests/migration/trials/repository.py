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


def git(folder: Path, *args: str, text: str = "") -> str:
    """Run git there with this text on its stdin, and return its stdout."""
    environment = {**os.environ, **IDENTITY}
    argv = ["git", "-C", str(folder), "-c", "core.quotepath=off", *args]
    run = subprocess.run(
        argv, input=text, capture_output=True, text=True, errors="surrogateescape", env=environment, timeout=600
    )
    if run.returncode:
        raise RuntimeError(f"git {' '.join(args)}: {run.stderr.strip()[-400:]}")
    return run.stdout


@dataclass(frozen=True)
class Pair:
    """core and gitops of a trial."""

    core: Path
    gitops: Path

    absent: int = 0
    """The number of files that the mirror does not have, such as large pictures. core is without them."""

    @classmethod
    def make(cls, folder: Path, mirror: Path, commit: str, *, submodule: bool) -> Pair:
        """Clone the mirror at the commit. submodule: core has gitops as its submodule."""
        core, gitops = folder / "core", folder / "gitops"
        git(folder, "clone", "-q", "--no-checkout", str(mirror), str(core))
        git(core, "remote", "remove", "origin")
        absent = _checked_out(core, git(core, "rev-parse", f"{commit}^{{commit}}").strip())
        _made(gitops)
        if submodule:
            place = "gitops/platform"
            git(core, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(gitops), place)
            git(core, "commit", "-qm", "gitops is a submodule")
            gitops = core / place
            git(gitops, "remote", "remove", "origin")
        (core / UNTRACKED).write_text("a person's file\n")
        return cls(core, gitops, absent)

    def state(self) -> dict[str, str]:
        """Return what undo must restore: trees, index, work tree, and the bytes of what git does not track."""
        found = {}
        for name, folder in (("core", self.core), ("gitops", self.gitops)):
            found[f"{name} tree"] = git(folder, "rev-parse", "HEAD^{tree}").strip()
            found[f"{name} branch"] = git(folder, "rev-parse", "--abbrev-ref", "HEAD").strip()
            found[f"{name} status"] = git(folder, "status", "--porcelain", "--ignored")
        found["untracked"] = hashlib.sha256((self.core / UNTRACKED).read_bytes()).hexdigest()
        return found


def _checked_out(core: Path, commit: str) -> int:
    """Check the commit out on a branch, without the files that the mirror does not have; return their number."""
    git(core, "symbolic-ref", "HEAD", "refs/heads/trial")
    git(core, "update-ref", "refs/heads/trial", commit)
    git(core, "read-tree", "HEAD")
    rows = [row.split("\t", 1) for row in git(core, "ls-files", "-s", "-z").split("\0") if row]
    ids = {path: head.split()[1] for head, path in rows if not head.startswith("160000")}
    known = git(core, "cat-file", "--batch-check", text="\n".join(dict.fromkeys(ids.values())) + "\n").splitlines()
    missing = {line.split()[0] for line in known if line.endswith(" missing")}
    absent = [path for path, oid in ids.items() if oid in missing]
    if absent:
        git(core, "update-index", "--force-remove", "-z", "--stdin", text="\0".join(absent) + "\0")
        git(core, "commit", "-qm", "without the files that the mirror does not have")
    git(core, "checkout-index", "-a", "-f", "-q")
    git(core, "update-index", "-q", "--refresh")
    return len(absent)


def _made(folder: Path) -> None:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "README.md").write_text("# The platform\n")
    git(folder, "add", "README.md")
    git(folder, "commit", "-qm", "an empty platform")
