"""Both repositories as a plan sees them: read from git, then changed in memory step by step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from migration.git.facts import TRAILER, Facts, Hindrance
from migration.git.objects import GITLINK, SYMLINK, Blobs, Entry, Tree, commit_body, object_id
from migration.mapping import Mapping, covering
from migration.model import Block, Commit, Kind, Reason, Reference, Repo, TreeChange
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError

_NOBODY = "nobody <nobody@localhost> 0 +0000"  # a plan can be looked at without; it is not saved and not carried out


@dataclass
class Repository:
    """One repository in the simulation. tree and head are those after the steps planned so far."""

    name: Repo
    facts: Facts
    tree: Tree
    blobs: Blobs
    head: str
    ident: tuple[str, str] | None = None
    commits: list[Commit] = field(default_factory=list)
    unnamed: Hindrance | None = None

    @property
    def width(self) -> int:
        """Digits of an id here."""
        return len(self.head)

    def text(self, path: str) -> bytes | None:
        """The bytes of the file at the path in the simulation; None when there is none."""
        entry = self.tree.get(path)
        return None if entry is None or entry.mode == GITLINK else self.blobs.get(entry.oid)

    def identities(self) -> tuple[str, str]:
        """Author and committer, with the date, as git would write them now; nobody, when git does not know."""
        if self.ident is None:
            try:
                self.ident = identities(self.facts)
            except Refused as why:
                self.ident = (_NOBODY, _NOBODY)
                self.unnamed = Hindrance(why.what, why.fix)
        return self.ident

    @property
    def hindrances(self) -> tuple[Hindrance, ...]:
        """Why nothing may be committed here."""
        return (*self.facts.hindrances, *([self.unnamed] if self.unnamed else []))


def identities(facts: Facts) -> tuple[str, str]:
    """Author and committer, with the date. Raises Refused when git does not know who commits."""
    try:
        return facts.git.line("var", "GIT_AUTHOR_IDENT"), facts.git.line("var", "GIT_COMMITTER_IDENT")
    except ToolError:
        fix = f"git -C {facts.folder} config user.name NAME && git -C {facts.folder} config user.email MAIL"
        raise Refused(f"{facts.name}: git does not know who commits in {facts.folder}", fix=fix) from None


@dataclass(frozen=True)
class Consumer:
    """An Argo CD Application that syncs from a path of a repository. where: file:line, or its name in the cluster."""

    where: str
    repo_url: str
    path: str


@dataclass
class Simulation:
    """All that a step may look at.

    accept:    what the person named with --accept
    suite:     path -> (mode, bytes) of the suite's own files; empty when the suite runs from core itself
    own:       where the suite's files lie in core: they name old paths by design
    live:      asks the cluster for its Applications; raises Trouble when it cannot be asked
    pin_path:  where core has gitops as a submodule, empty when it has not
    pushed:    the plan holds that a person (or --push) has pushed gitops before this point
    grafts:    parents that a copy gets beside the former head, so that `git log --follow` finds the old history
    """

    core: Repository
    gitops: Repository
    mapping: Mapping
    settings: Settings
    accept: tuple[str, ...] = ()
    suite: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    live: Callable[[], list[Consumer]] | None = None
    pin_path: str = ""
    pushed: bool = False
    history: str = "none"
    grafts: tuple[str, ...] = ()
    selected: frozenset[str] = frozenset()
    cache: dict[str, object] = field(default_factory=dict)
    scratch: list[Path] = field(default_factory=list)

    def side(self, repo: Repo) -> Repository:
        """The repository of this name."""
        return self.core if repo == "core" else self.gitops

    def accepted(self, path: str) -> bool:
        """Did the person name this path, a folder above it, or a glob that matches it?"""
        return any(p == path or covering(p)(path) for p in self.accept)

    @property
    def pin(self) -> str:
        """The gitops commit that core pins in the simulation; empty without a submodule."""
        entry = self.core.tree.get(self.pin_path) if self.pin_path else None
        return entry.oid if entry is not None else ""

    def close(self) -> None:
        """End the processes that read objects; remove scratch folders."""
        import shutil

        for side in (self.core, self.gitops):
            side.blobs.close()
            side.facts.close()
        for folder in self.scratch:
            shutil.rmtree(folder, ignore_errors=True)


class Draft:
    """What one step wants: filled by its plan, then committed to the simulation by the engine."""

    def __init__(self, simulation: Simulation, key: str, barred: bool = False) -> None:
        self.simulation, self.key, self.barred = simulation, key, barred
        self.changes: list[TreeChange] = []
        self.blocks: list[Block] = []
        self.references: list[Reference] = []
        self.notes: list[str] = []
        self.unknown = ""
        self.edits: dict[Repo, dict[str, Entry | None]] = {"core": {}, "gitops": {}}
        self.grafted = False

    def block(self, path: str, reason: Reason, where: str, fix: str) -> None:
        """Leave the path as it is, and say why."""
        found = Block(path, reason, where, fix)
        if found not in self.blocks:
            self.blocks.append(found)

    def note(self, text: str) -> None:
        """A line about the step."""
        if text not in self.notes:
            self.notes.append(text)

    def reference(self, found: Iterable[Reference]) -> None:
        """References that are told, but do not block."""
        self.references.extend(r for r in found if r not in self.references)

    def delete(self, repo: Repo, path: str, text: str, destroys: str = "") -> None:
        """Take the path away."""
        self._edit(repo, path, None)
        self.changes.append(TreeChange(repo, "delete", path, text, destroys))

    def write(self, repo: Repo, path: str, data: bytes, text: str, *, mode: str = "", destroys: str = "") -> None:
        """Give the path this content; nothing is done when it has it. A file in the way blocks."""
        side = self.simulation.side(repo)
        old = side.tree.get(path)
        wanted = Entry(mode or (old.mode if old else "100644"), side.blobs.plan(data, side.width))
        if old != wanted:
            self._set(repo, path, wanted, "write", text, destroys)

    def copy(self, source: str, path: str, text: str, kind: Kind = "copy") -> None:
        """Give gitops at `path` what core has at `source`, blob and mode."""
        entry = self.simulation.core.tree.files[source]
        self.simulation.gitops.blobs.lend(entry.oid, self.simulation.core.blobs)
        self._set("gitops", path, entry, kind, text)

    def pin(self, commit: str, text: str) -> None:
        """Let core's submodule point to this commit."""
        self._set("core", self.simulation.pin_path, Entry(GITLINK, commit), "write", text)

    def person(self, repo: Repo, text: str) -> None:
        """Something a person does; the plan goes on as if it were done."""
        self.changes.append(TreeChange(repo, "person", "", text))

    def run(self, repo: Repo, text: str) -> None:
        """Something that is run and recorded, no file of a repository."""
        self.changes.append(TreeChange(repo, "run", "", text))

    def _set(self, repo: Repo, path: str, entry: Entry, kind: Kind, text: str, destroys: str = "") -> None:
        side = self.simulation.side(repo)
        obstacle = self._in_the_way(side, path)
        if obstacle:
            what, where = obstacle
            self.block(where, "custom", f"{repo}:{where}", f"{what}; move it away: it stands where {path} belongs")
            return
        if any(path == p or path.startswith(p) for p in self.simulation.mapping.never):
            self.block(path, "custom", "config/migration.yaml: never", "this path is never touched; change the mapping")
            return
        self._edit(repo, path, entry)
        self.changes.append(TreeChange(repo, kind, path, text, destroys))

    def _edit(self, repo: Repo, path: str, entry: Entry | None) -> None:
        self.edits[repo][path] = entry

    def _in_the_way(self, side: Repository, path: str) -> tuple[str, str] | None:
        """A file where a folder is wanted, a folder or an untracked file where the file is wanted."""
        edits, folder = self.edits[side.name], path.rpartition("/")[0]
        while folder:
            if edits.get(folder) or (folder in side.tree and folder not in edits):
                kind = side.tree.get(folder)
                return ("a symlink" if kind and kind.mode == SYMLINK else "a file", folder)
            folder = folder.rpartition("/")[0]
        if side.tree.has_folder(path):
            return "a folder", path
        if path in side.tree or path in side.facts.tracked:
            return None
        place = Path(side.facts.folder)
        for part in path.split("/")[:-1]:
            place = place / part
            if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
                return "an untracked file", str(place.relative_to(side.facts.folder))
        if os.path.lexists(os.path.join(side.facts.folder, path)):
            return "an untracked file", path
        return None


def commit(simulation: Simulation, draft: Draft, title: str) -> list[Commit]:
    """Bring the draft's edits into the simulation, one commit for each repository it touches."""
    made = []
    order: tuple[Repo, Repo] = ("gitops", "core")
    for repo in order:
        side = simulation.side(repo)
        edits = draft.edits[repo]
        edits = {p: e for p, e in edits.items() if side.tree.get(p) != e}
        if not edits:
            continue
        side.tree.apply(edits)
        author, committer = side.identities()
        parents = (side.head, *(simulation.grafts if draft.grafted and repo == "gitops" else ()))
        message = f"{draft.key}: {title}\n\n{TRAILER}: {draft.key}\n"
        tree = side.tree.id()
        body = commit_body(tree, parents, author, committer, message)
        new = Commit(
            side.name,
            draft.key,
            object_id("commit", body, side.width),
            parents,
            tree,
            author,
            committer,
            message,
            {p: (e.mode, e.oid) if e else None for p, e in edits.items()},
        )
        side.head = new.id
        side.commits.append(new)
        made.append(new)
    return made


def refuse_hindered(simulation: Simulation) -> None:
    """Raise the first reason why nothing may be committed now."""
    for side in (simulation.core, simulation.gitops):
        for hindrance in side.hindrances:
            raise Refused(hindrance.what, fix=hindrance.fix)
