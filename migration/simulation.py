"""A plan in memory: what a step may look at, what it drafts, and the commits that come of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from migration.git.facts import TRAILER
from migration.git.objects import GITLINK, SYMLINK, Entry, commit_body, object_id
from migration.mapping import Mapping, covering
from migration.memo import Memo
from migration.model import (
    Block,
    ChangeKind,
    Commit,
    Consumer,
    Graft,
    MigrationRequest,
    Reason,
    Reference,
    Repo,
    TreeChange,
)
from migration.repositories import Repositories, Repository
from tasks.core.config.settings import Settings
from tasks.core.errors import Problem
from tasks.core.repository import DEFAULT_FOLDER, MAPPING


@dataclass
class Simulation:
    """What a step may look at."""

    request: MigrationRequest
    repositories: Repositories
    mapping: Mapping
    settings: Settings

    suite: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Path -> (mode, content) of the suite's own files; empty when the suite runs from core itself."""

    own: frozenset[str] = frozenset()
    """Where the suite's files are in core. They name old paths by design."""

    config: str = DEFAULT_FOLDER
    """Where the suite's settings are in core."""

    live: Callable[[], list[Consumer]] | None = None
    """Asks the cluster for its Applications. Raises Trouble when the cluster cannot be asked."""

    is_barred: Callable[[str], bool] = field(default=lambda key: False, repr=False)
    """Whether this step waits for another one, and so changes nothing. The engine sets it."""

    pushed: bool = False
    """Whether the plan assumes that gitops was pushed before this point, by a person or by --push."""

    graft: Graft | None = None
    """The old history that the copies continue, so that `git log --follow` finds it."""

    memo: Memo = field(default_factory=Memo)

    @property
    def core(self) -> Repository:
        """The core repository."""
        return self.repositories.core

    @property
    def gitops(self) -> Repository:
        """The gitops repository."""
        return self.repositories.gitops

    def accepted(self, path: str) -> bool:
        """Whether --accept named this path, a folder above it, or a glob that matches it."""
        return any(p == path or covering(p)(path) for p in self.request.accept)


class Draft:
    """What one step changes, blocks and reports. Its plan fills it; the engine then commits it to the simulation."""

    def __init__(self, simulation: Simulation, key: str, *, barred: bool = False) -> None:
        """barred: nothing of this draft will be committed, as a needed step still has something to change.

        A step that must be done as a whole or not at all sets it when something blocks.
        """
        self.simulation, self.key, self.barred = simulation, key, barred
        self.changes: list[TreeChange] = []
        self.blocks: list[Block] = []
        self._known_blocks: set[Block] = set()
        self.references: list[Reference] = []
        self.notes: list[str] = []
        self.unknown: Problem | None = None
        self.unused = ""  # why the step has nothing to do in these repositories, such as "core has no dev container"
        self.edits: dict[Repo, dict[str, Entry | None]] = {"core": {}, "gitops": {}}
        self.grafted = False

    def block(self, path: str, reason: Reason, where: str, fix: str, accept: str = "") -> None:
        """Leave the path as it is, for this reason. where: the place that blocks; accept: what --accept must name."""
        self.add_block(Block.at(path, reason, where, fix, accept))

    def add_block(self, block: Block) -> None:
        """Leave the path of the block as it is."""
        if block not in self._known_blocks:
            self._known_blocks.add(block)
            self.blocks.append(block)

    def note(self, text: str) -> None:
        """Add a line about the step."""
        if text not in self.notes:
            self.notes.append(text)

    def reference(self, references: Iterable[Reference]) -> None:
        """Add references that are reported but do not block."""
        self.references.extend(r for r in references if r not in self.references)

    def delete(self, repo: Repo, path: str, text: str, destroys: str = "") -> None:
        """Delete the path."""
        self.edits[repo][path] = None
        self.changes.append(TreeChange(repo, ChangeKind.DELETE, path, text, destroys))

    def write(self, repo: Repo, path: str, data: bytes, text: str, *, mode: str = "", destroys: str = "") -> None:
        """Give the path this content, unless it has it already. A file in the way blocks."""
        repository = self.simulation.repositories.named(repo)
        old = repository.tree.get(path)
        wanted = Entry(mode or (old.mode if old else "100644"), repository.blobs.plan(data, repository.width))
        if old != wanted:
            self._set(repo, path, wanted, ChangeKind.WRITE, text, destroys)

    def copy(self, source: str, path: str, text: str) -> None:
        """Give gitops at `path` the blob and mode that core has at `source`."""
        entry = self.simulation.core.tree.files[source]
        self.simulation.gitops.blobs.lend(entry.oid, self.simulation.core.blobs)
        self._set("gitops", path, entry, ChangeKind.COPY, text)

    def pin(self, commit: str, text: str) -> None:
        """Let core's submodule point to this commit of gitops."""
        self._set("core", self.simulation.repositories.pin_path, Entry(GITLINK, commit), ChangeKind.WRITE, text)

    def person(self, repo: Repo, text: str) -> None:
        """Add something that a person does. The plan goes on as if it were done."""
        self.changes.append(TreeChange(repo, ChangeKind.PERSON, "", text))

    def run(self, repo: Repo, text: str) -> None:
        """Add something that is run and recorded; it changes no file."""
        self.changes.append(TreeChange(repo, ChangeKind.RUN, "", text))

    def _set(self, repo: Repo, path: str, entry: Entry, kind: ChangeKind, text: str, destroys: str = "") -> None:
        repository = self.simulation.repositories.named(repo)
        obstacle = self._in_the_way(repository, path)
        if obstacle:
            what, where = obstacle
            self.block(where, Reason.CUSTOM, f"{repo}:{where}", f"{what} is where {path} belongs; move it away")
            return
        if any(path == p or path.startswith(p) for p in self.simulation.mapping.never):
            fix = "this path is never changed; edit the mapping"
            self.block(path, Reason.CUSTOM, f"{MAPPING}: never", fix)
            return
        self.edits[repo][path] = entry
        self.changes.append(TreeChange(repo, kind, path, text, destroys))

    def _in_the_way(self, repository: Repository, path: str) -> tuple[str, str] | None:
        """What is where the file, or a folder above it, belongs: a description and its path."""
        tracked = self._file_above(repository, path)
        if tracked:
            return tracked
        if repository.tree.has_folder(path):
            return "a folder", path
        if path in repository.tree or path in repository.facts.tracked:
            return None
        return _untracked(repository.facts.folder, path)

    def _file_above(self, repository: Repository, path: str) -> tuple[str, str] | None:
        """A file or symlink, as planned so far, where the path needs a folder."""
        edits, folder = self.edits[repository.name], path.rpartition("/")[0]
        while folder:
            if edits.get(folder) or (folder in repository.tree and folder not in edits):
                entry = repository.tree.get(folder)
                return ("a symlink" if entry and entry.mode == SYMLINK else "a file", folder)
            folder = folder.rpartition("/")[0]
        return None


def _untracked(root: Path, path: str) -> tuple[str, str] | None:
    """An untracked file at the path, or where the path needs a folder."""
    place = root
    for part in path.split("/")[:-1]:
        place = place / part
        if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
            return "an untracked file", str(place.relative_to(root))
    return ("an untracked file", path) if os.path.lexists(os.path.join(root, path)) else None


def commit(simulation: Simulation, draft: Draft, title: str) -> list[Commit]:
    """Apply the draft's edits to the simulation: one planned commit for each repository it changes."""
    repositories = simulation.repositories
    graft = (simulation.graft.tip,) if simulation.graft and draft.grafted else ()
    made = [
        _commit_one(repositories.gitops, draft, title, graft),
        _commit_one(repositories.core, draft, title, ()),
    ]
    return [commit for commit in made if commit is not None]


def _commit_one(repository: Repository, draft: Draft, title: str, more_parents: tuple[str, ...]) -> Commit | None:
    """Apply the draft's edits to one repository; None when they change nothing there."""
    edits = {p: e for p, e in draft.edits[repository.name].items() if repository.tree.get(p) != e}
    if not edits:
        return None
    repository.tree.apply(edits)
    author, committer = repository.identities()
    parents = (repository.head, *more_parents)
    message = f"{draft.key}: {title}\n\n{TRAILER}: {draft.key}\n"
    tree = repository.tree.id()
    body = commit_body(tree, parents, author, committer, message)
    made = Commit(
        repo=repository.name,
        key=draft.key,
        id=object_id("commit", body, repository.width),
        parents=parents,
        tree=tree,
        author=author,
        committer=committer,
        message=message,
        edits={p: (e.mode, e.oid) if e else None for p, e in edits.items()},
    )
    repository.head = made.id
    repository.commits.append(made)
    return made
