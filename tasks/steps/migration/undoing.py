"""The way back: both repositories get the content they had before the migration's first commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.commands import git_import, git_write
from tasks.commands.git_facts import Facts, look, shown
from tasks.commands.git_objects import Entry, Tree, commit_body, object_id
from tasks.commands.git_worktree import Place
from tasks.core import ui
from tasks.core.errors import REFUSED, Refused
from tasks.steps.migration.applying import TAG, session
from tasks.steps.migration.world import TRAILER


@dataclass(frozen=True)
class Back:
    """The way back of one repository.

    how: `reset` when nothing was pushed and nobody else has committed since, `commit` otherwise, empty when nothing
    is to be undone. kept: paths that somebody changed after the migration did; they stay as they are.
    """

    facts: Facts
    tag: str
    how: str
    edits: dict[str, Entry | None]
    kept: tuple[str, ...] = ()
    commits: int = 0

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "repo": self.facts.name,
            "head": self.facts.head,
            "tag": self.tag,
            "how": self.how,
            "paths": len(self.edits),
            "commits": self.commits,
            "kept": [shown(p) for p in self.kept],
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        name = self.facts.name
        if not self.tag:
            yield f"{name}: there is no tag {TAG}; the migration has made no commit here"
        elif not self.how:
            yield f"{name}: is as it was at {TAG} ({self.tag[:12]})"
        elif self.how == "reset":
            yield f"{name}: {self.commits} commits are taken back: git -C {self.facts.folder} reset --keep {TAG}"
        else:
            yield f"{name}: one commit gives {len(self.edits)} paths the content they had at {TAG} ({self.tag[:12]})"
        for path in self.kept:
            yield f"{name}: {shown(path)} was changed after the migration; it stays"


def way_back(facts: Facts) -> Back:
    """How this repository comes back to its tag."""
    git = facts.git
    tag = git.line("rev-parse", "-q", "--verify", f"refs/tags/{TAG}^{{commit}}", ok=(0, 1))
    if not tag:
        return Back(facts, "", "", {})
    rows = git.read(
        "log",
        "--first-parent",
        "--format=%H%x00%(trailers:key=" + TRAILER + ",valueonly)%x00%x01",
        f"{tag}..{facts.head}",
    )
    commits = [row.strip(b"\n").split(b"\0") for row in rows.split(b"\x01") if row.strip()]
    foreign = [c[0].decode() for c in commits if not c[1].strip()]
    old = facts.tree_of(tag)
    edits = _differences(facts.tree, old)
    if not commits or not edits:
        return Back(facts, tag, "", {})
    pushed = bool(facts.remotes()) and len(facts.unpushed(facts.head)) < len(commits)
    if not foreign and not pushed:
        return Back(facts, tag, "reset", edits, (), len(commits))
    touched = {p for c in foreign for p in _touched(facts, c)}
    kept = tuple(sorted(p for p in edits if p in touched))
    mine = {p for c in commits if c[1].strip() for p in _touched(facts, c[0].decode())}
    wanted = {p: e for p, e in edits.items() if p in mine and p not in touched}
    return Back(facts, tag, "commit" if wanted else "", wanted, tuple(p for p in kept if p in mine), len(commits))


def _differences(now: Tree, old: Tree) -> dict[str, Entry | None]:
    paths = now.files.keys() | old.files.keys()
    return {p: old.get(p) for p in paths if now.get(p) != old.get(p)}


def _touched(facts: Facts, commit: str) -> list[str]:
    names = facts.git.read(
        "diff-tree", "--root", "-r", "-m", "--first-parent", "--name-only", "-z", "--no-commit-id", commit
    )
    return [n for n in names.decode("utf-8", "surrogateescape").split("\0") if n]


def undo(core: Path, gitops: Path, *, yes: bool, dry: bool, json: bool) -> None:
    """Show the way back; with `yes` go it."""
    if dry or not yes:
        backs = [way_back(f) for f in look(core, gitops)]
        _show(backs, json)
        if not dry and any(b.how for b in backs):
            ui.talk("nothing was changed; to go this way: inv migrate.undo --yes")
        return
    with session(core, gitops) as run:
        for line in run.told:
            ui.talk(line)
        found = look(core, gitops)
        for facts in found:
            for hindrance in facts.hindrances:
                raise Refused(hindrance.what, fix=hindrance.fix)
        backs = [way_back(f) for f in found]
        for back in reversed(backs):
            if back.how:
                _go(back, run.run, run.since)
    _show(backs, json)
    if any(b.kept for b in backs):
        raise SystemExit(REFUSED)


def _show(backs: list[Back], json: bool) -> None:
    if json:
        ui.as_json({"repositories": [b.as_json() for b in backs]})
        return
    for back in backs:
        for line in back.lines():
            ui.say(line)


def _go(back: Back, run: str, since: int) -> None:
    facts = back.facts
    place = Place(facts.folder, facts.git_dir, facts.branch, run)
    if back.how == "reset":
        git_write.move(place, facts.head, back.tag, back.edits, since)
        return
    author, committer = (facts.git.line("var", f"GIT_{who}_IDENT") for who in ("AUTHOR", "COMMITTER"))
    tree = facts.tree.copy()
    tree.apply(back.edits)
    message = f"UNDO: {len(back.edits)} paths are as they were at {TAG}\n\n{TRAILER}: UNDO\n"
    body = commit_body(tree.id(), (facts.head,), author, committer, message)
    new = object_id("commit", body, len(facts.head))
    head = git_import.commit_head(author, committer, message)
    place.own.mkdir(exist_ok=True)
    git_import.import_commits(place.git, [(new, head, back.edits, (facts.head,))], lambda oids: iter(()), [], new)
    git_write.move(place, facts.head, new, back.edits, since)
