"""What the generator makes, and what a fault may change before it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.legacy.archive import Tree
from sandbox.legacy.definition import definition


@dataclass(frozen=True)
class Pair:
    """Where the repositories lie. `gitops` is a clone of its own; core also holds it as a submodule.

    remotes: repository's name (core, gitops, backlog) -> its bare remote; empty where the pair was made without
    files:   tracked files of core and gitops together, submodules counted
    """

    core: Path
    gitops: Path
    remotes: dict[str, Path] = field(default_factory=dict)
    files: int = 0
    faults: tuple[str, ...] = ()

    @property
    def submodule(self) -> Path:
        """The checkout of gitops inside core."""
        return self.core / definition().submodules["gitops"]


@dataclass
class Draft:
    """The pair before it is written. What differs from the blueprint becomes a commit of its own.

    gitops_later:    files of one more commit of gitops, pushed and pinned
    gitops_unpinned: files of a pushed commit of gitops that core does not pin
    gitops_local:    files of a commit of gitops that is pinned and not pushed
    gitops_loose:    files in the work tree of gitops, not committed
    links:           further submodules of core: their path; each pins the backlog
    """

    core: Tree
    gitops: Tree
    gitops_later: Tree = field(default_factory=dict)
    gitops_unpinned: Tree = field(default_factory=dict)
    gitops_local: Tree = field(default_factory=dict)
    gitops_loose: Tree = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong or awkward. `write` changes what is committed, `disturb` the repositories on disk."""

    name: str
    text: str
    write: Callable[[Draft], None] | None = None
    disturb: Callable[[Pair], None] | None = None
    needs_remotes: bool = False
    excludes: tuple[str, ...] = ()
