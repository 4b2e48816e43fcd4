"""The nouns of the migration: what was requested, changes, blocks, references, planned commits, results of steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from tasks.core.errors import REFUSED, Problem
from tasks.core.plan.outcome import BaseOutcome

Repo = Literal["core", "gitops"]


class History(StrEnum):
    """What `--history` takes: whether gitops also gets the old commits of what moves there."""

    KEEP = "keep"
    NONE = "none"


class ChangeKind(StrEnum):
    """What happens to the path of a TreeChange. RUN and PERSON change no path."""

    WRITE = "write"
    DELETE = "delete"
    COPY = "copy"
    RUN = "run"  # a command is run and its time recorded
    PERSON = "person"  # a person has to do it


class Reason(StrEnum):
    """Why a path is blocked."""

    DIFFERS = "differs"
    MISSING = "missing"
    MODE = "mode"
    UNCOMMITTED = "uncommitted"
    UNPUSHED = "unpushed"
    UNPINNED = "unpinned"
    REFERENCED = "referenced"
    UNMAPPED = "unmapped"
    CONSUMED = "consumed"
    DIVERGED = "diverged"
    CUSTOM = "custom"


class ReferenceKind(StrEnum):
    """What contains a reference, or how its path is written."""

    CODEOWNERS = "CODEOWNERS"
    COMPOSED = "composed path"
    DOCKERFILE = "Dockerfile"
    DOCKERIGNORE = ".dockerignore"
    DOCUMENT = "document"
    GITIGNORE = ".gitignore"
    GITMODULES = ".gitmodules"
    JSON = "JSON"
    MAKEFILE = "Makefile"
    PACKAGE_JSON = "package.json"
    PYTHON = "Python"
    SCRIPT = "script"
    STARLARK = "Starlark"
    SYMLINK = "symlink"
    TEXT = "text"
    TILTFILE = "Tiltfile"
    TOML = "TOML"
    WORKFLOW = "workflow"
    YAML = "YAML"


@dataclass(frozen=True)
class MigrationRequest:
    """What the flags of a task ask for."""

    core: Path
    """The work tree of core."""

    gitops: Path
    """The work tree of gitops."""

    keys: tuple[str, ...]
    """The selected steps."""

    accept: tuple[str, ...] = ()
    """Files, folders ending in `/` and globs whose loss or difference is accepted."""

    history: History = History.NONE

    at: dict[str, str] = field(default_factory=dict)
    """Of a saved plan: repository -> the commit it was made on. Empty: HEAD."""

    idents: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of a saved plan: repository -> author and committer, with their dates."""


@dataclass(frozen=True)
class TreeChange:
    """One change of a step to the tree of a repository."""

    repo: Repo
    kind: ChangeKind
    path: str
    text: str

    destroys: str = ""
    """What is lost by it, such as the team's lines of a script; empty when nothing is."""


@dataclass(frozen=True)
class Block:
    """Why a path stays as it is."""

    path: str
    """A file of core, or a folder ending in `/`."""

    reason: Reason

    problem: Problem
    """why: the place that blocks (`file:line`, the other path, a consumer); fix: a command, or the decision to make."""

    accept: str = ""
    """What --accept must name to waive it; empty when it waives nothing, or when only the fix says it."""

    @classmethod
    def at(cls, path: str, reason: Reason, where: str, fix: str, accept: str = "") -> Block:
        """Return the block of this path for this reason. where: the place that blocks."""
        return cls(path, reason, Problem(f"{path} is blocked: {reason}", why=where, fix=fix, code=REFUSED), accept)

    @property
    def where(self) -> str:
        """The place that blocks."""
        return self.problem.why

    @property
    def fix(self) -> str:
        """A command, or the decision to make."""
        return self.problem.fix


@dataclass(frozen=True)
class Reference:
    """A place that names a path of core."""

    file: str
    line: int
    target: str

    kind: ReferenceKind

    text: str

    sure: bool = True
    """False where it may be another path."""

    blocking: bool = True
    """False in documents, in comments, and for what the mapping lists."""

    @property
    def where(self) -> str:
        """`file:line`; the path alone for a symlink or a submodule."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def holds(self) -> bool:
        """Whether it blocks the deletion of the path. Wildcard guesses are reported, not blocking."""
        return self.blocking and (self.sure or "*" not in self.target)


@dataclass(frozen=True)
class Consumer:
    """An Argo CD Application that syncs from a path of a repository."""

    where: str
    """`file:line`, or the Application's name in the cluster."""

    repo_url: str
    path: str


@dataclass(frozen=True)
class Graft:
    """The rewritten history of what moves, in a scratch clone. The copies' commit gets its tip as a second parent."""

    tip: str
    clone: Path
    branch: str


@dataclass(frozen=True)
class Commit:
    """A planned commit. Its id is known before it is made."""

    repo: Repo
    key: str
    """The step that makes it."""

    id: str
    parents: tuple[str, ...]
    tree: str
    author: str
    committer: str
    message: str

    edits: dict[str, tuple[str, str] | None] = field(compare=False, repr=False)
    """Path -> (mode, id); None where the path is deleted."""


@dataclass(frozen=True, kw_only=True)
class StepResult(BaseOutcome):
    """What planning, or carrying out, a step led to. A need is unmet while it still has something to change."""

    phase: int

    needs: tuple[str, ...] = ()
    """The steps that must have nothing left to change first."""

    changes: tuple[TreeChange, ...] = ()
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()

    problem: Problem | None = None
    """Why the state is unknown."""

    unused: str = ""
    """Why the step has nothing to do in these repositories at all; empty when it has, or had."""

    references: tuple[Reference, ...] = ()
    """References to the step's paths that do not block."""

    commits: tuple[Commit, ...] = ()
    """The commits that carry the step out, in order."""

    @property
    def note(self) -> str:
        """Everything worth knowing beside changes and blocks, a line each."""
        needs = [f"needs {', '.join(self.unmet)}"] if self.unmet else []
        unknown = ["; ".join(filter(None, (self.problem.what, self.problem.fix)))] if self.problem else []
        unused = [f"nothing to do: {self.unused}"] if self.unused else []
        return "\n".join([*needs, *unused, *self.notes, *unknown])
