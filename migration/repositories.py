"""core and gitops: as git has them, and as the steps planned so far change them in memory."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from migration.git.facts import Facts
from migration.git.objects import GITLINK, Blobs, Tree
from migration.model import Commit, Repo
from tasks.core.errors import Problem, Refused, ToolError

_NOBODY = "nobody <nobody@localhost> 0 +0000"  # in a plan that is only shown: it is neither saved nor carried out


@dataclass
class Repository:
    """One of the two repositories. `facts` is what git has; tree, head and commits follow the plan."""

    name: Repo
    facts: Facts
    tree: Tree
    blobs: Blobs
    head: str
    ident: tuple[str, str] | None = None
    commits: list[Commit] = field(default_factory=list)
    unnamed: Problem | None = None

    @property
    def width(self) -> int:
        """The number of digits of an object id: 40 for SHA-1, 64 for SHA-256."""
        return len(self.head)

    def text(self, path: str) -> bytes | None:
        """Return the planned content of the file; None when there is no file."""
        entry = self.tree.get(path)
        return None if entry is None or entry.mode == GITLINK else self.blobs.get(entry.oid)

    def identities(self) -> tuple[str, str]:
        """Return author and committer, with the date, as git would write them now. Placeholders when git knows none."""
        if self.ident is None:
            try:
                self.ident = identities(self.facts)
            except Refused as why:
                self.ident = (_NOBODY, _NOBODY)
                self.unnamed = why.problem
        return self.ident

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why nothing may be committed here now."""
        touched = (path for commit in self.commits for path in commit.edits)
        hidden = self.facts.hidden_changes(touched) if self.facts.bits else []
        return (*self.facts.problems, *([self.unnamed] if self.unnamed else []), *hidden)


def identities(facts: Facts) -> tuple[str, str]:
    """Return author and committer, with the date. Raises Refused when git has no identity configured."""
    try:
        return facts.git.line("var", "GIT_AUTHOR_IDENT"), facts.git.line("var", "GIT_COMMITTER_IDENT")
    except ToolError:
        place = shlex.quote(str(facts.folder))
        fix = f"git -C {place} config user.name NAME && git -C {place} config user.email MAIL"
        raise Refused(f"{facts.name}: git does not know who commits in {facts.folder}", fix=fix) from None


@dataclass
class Repositories:
    """Both repositories, and what was opened to read them."""

    core: Repository
    gitops: Repository

    pin_path: str = ""
    """Where core has gitops as a submodule; empty when it has no such submodule."""

    scratch: list[Path] = field(default_factory=list)
    """Temporary folders, deleted by `close`."""

    @property
    def both(self) -> tuple[Repository, Repository]:
        """Core, then gitops."""
        return self.core, self.gitops

    def named(self, repo: Repo) -> Repository:
        """Return the repository of this name."""
        return self.core if repo == "core" else self.gitops

    @property
    def pin(self) -> str:
        """The gitops commit that core pins, as planned so far; empty without a submodule."""
        entry = self.core.tree.get(self.pin_path) if self.pin_path else None
        return entry.oid if entry is not None else ""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why nothing may be committed now, in either repository."""
        return (*self.core.problems, *self.gitops.problems)

    def must_be_ready(self) -> None:
        """Raise Refused with the first reason why nothing may be committed now."""
        for problem in self.problems:
            raise Refused(problem.what, why=problem.why, fix=problem.fix)

    def close(self) -> None:
        """End the git processes that read objects; delete the scratch folders."""
        for repository in self.both:
            repository.blobs.close()
            repository.facts.close()
        for folder in self.scratch:
            shutil.rmtree(folder, ignore_errors=True)
