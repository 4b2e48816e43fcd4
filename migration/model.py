"""The nouns of the migration: changes, blocks, steps, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from tasks.core.plan.steps import State

if TYPE_CHECKING:
    from migration.simulation import Draft

Repo = Literal["core", "gitops"]
Kind = Literal["write", "delete", "move", "copy", "run", "person"]
Reason = Literal[
    "differs",
    "missing",
    "mode",
    "uncommitted",
    "unpushed",
    "unpinned",
    "referenced",
    "unmapped",
    "consumed",
    "diverged",
    "custom",
]


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
class Change:
    """One change of a step. destroys: what would be lost by it, such as the lines of a person."""

    repo: Repo
    kind: Kind
    path: str
    text: str
    destroys: str = ""


@dataclass(frozen=True)
class Block:
    """Why a path is left as it is. path: a file of core, or a folder ending in `/`; where: the place that says so
    (`file:line`, the other path, a consumer); fix: the command, or what a person decides."""

    path: str
    reason: Reason
    where: str
    fix: str


@dataclass(frozen=True)
class Reference:
    """A place that names a path. kind: how it was found; sure: False where it only may be this path.
    blocking: False in documents, comments and what the mapping lists."""

    file: str
    line: int
    target: str
    kind: ReferenceKind
    text: str
    sure: bool = True
    blocking: bool = True

    @property
    def where(self) -> str:
        """`file:line`; a symlink or a submodule is its path alone."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def holds(self) -> bool:
        """Does it hold the path back? A guess with parts that are not known is only told."""
        return self.blocking and (self.sure or "*" not in self.target)


@dataclass(frozen=True)
class Step:
    """A state that shall hold. plan: adds changes and blocks to the draft; nothing added means it holds.

    needs: steps that must have nothing left to change before this one changes anything
    """

    key: str
    phase: int
    title: str
    plan: Callable[[Draft], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a step came to. references: found, but not blocking. commits: those that bring it about, in order."""

    key: str
    phase: int
    title: str
    state: State
    needs: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    blocks: tuple[Block, ...] = ()
    note: str = ""
    references: tuple[Reference, ...] = ()
    commits: tuple[Commit, ...] = ()


@dataclass(frozen=True)
class Commit:
    """A commit that is planned: its id is known before it is made. edits: path -> (mode, id), None where it goes."""

    repo: Repo
    key: str
    id: str
    parents: tuple[str, ...]
    tree: str
    author: str
    committer: str
    message: str
    edits: dict[str, tuple[str, str] | None] = field(compare=False, repr=False)

    @property
    def deletes(self) -> bool:
        """Does it take a path away?"""
        return any(entry is None for entry in self.edits.values())
