"""The generated pair, and the draft that a fault can change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.legacy.archive import Tree
from sandbox.legacy.definition import definition


@dataclass(frozen=True)
class Pair:
    """The folders of the repositories. `gitops` is a separate clone; core also has it as a submodule.

    remotes: repository's name (core, gitops, backlog) -> its bare remote; empty if it was generated without remotes
    files:   number of tracked files in core and gitops, including submodules
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
    """The pair before it is written. Differences from the blueprint become a separate commit.

    gitops_later:    files of one more commit of gitops, pushed and pinned
    gitops_unpinned: files of a pushed commit of gitops that core does not pin
    gitops_local:    files of a commit of gitops that is pinned and not pushed
    gitops_loose:    files in the work tree of gitops, not committed
    links:           paths of more submodules of core; each pins the backlog
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
    """One fault. write: changes the committed content; disturb: changes the repositories on disk."""

    name: str
    text: str
    write: Callable[[Draft], None] | None = None
    disturb: Callable[[Pair], None] | None = None
    needs_remotes: bool = False
    excludes: tuple[str, ...] = ()
