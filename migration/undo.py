"""Rolls both repositories back to the content they had before the migration's first commit."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from migration.apply import locked
from migration.git import commit_import, submodule, write
from migration.git.facts import TAG, TRAILER, UNDO, Facts, look, shown
from migration.git.objects import GITLINK, Entry, Tree, commit_body, object_id
from migration.git.worktree import Checkout
from migration.repositories import identities
from tasks.core import ui
from tasks.core.errors import REFUSED, Problem, Refused

# The message of a squashed commit contains those of its parts, indented or not.
_OURS = re.compile(rf"^\s*{TRAILER}: \S+\s*$", re.MULTILINE)


class RollbackKind(StrEnum):
    """How a repository is rolled back."""

    RESET = "reset"  # nothing was pushed, and nobody else has committed since
    COMMIT = "commit"  # one new commit on top
    NOTHING = ""  # nothing is to be undone


@dataclass(frozen=True)
class Rollback:
    """What undo does in one repository."""

    facts: Facts

    tag: str
    """The commit before the migration; empty when the migration has made no commit here."""

    way: RollbackKind
    edits: dict[str, Entry | None]

    kept: tuple[str, ...] = ()
    """Paths that somebody changed after the migration. They stay as they are."""

    commits: int = 0
    """The number of the migration's commits."""

    others: int = 0
    """The number of paths that differ from the tag but were not changed by the migration."""

    problems: tuple[Problem, ...] = ()
    """Why it cannot be done now."""

    def as_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "repo": self.facts.name,
            "head": self.facts.head,
            "tag": self.tag,
            "how": self.way,
            "paths": len(self.edits),
            "commits": self.commits,
            "kept": [shown(p) for p in self.kept],
            "problems": [{"what": p.what, "fix": p.fix} for p in self.problems],
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines for people."""
        name = self.facts.name
        yield from (f"{name}: {line}" if not line.startswith(" ") else line for line in self._summary())
        for path in self.kept:
            yield f"{name}: {shown(path)} was changed after the migration; it stays"
        for problem in self.problems:
            yield f"!! {problem.what}"
            yield f"  fix: {problem.fix}"

    def _summary(self) -> Iterator[str]:
        at_tag = f"{TAG} ({self.tag[:12]})"
        if not self.tag:
            yield f"there is no tag {TAG}; the migration has made no commit here"
        elif self.way is RollbackKind.RESET:
            yield f"{self.commits} commits are taken back: git -C {shlex.quote(str(self.facts.folder))} reset --keep {TAG}"
        elif self.way is RollbackKind.COMMIT:
            yield f"one commit gives {len(self.edits)} paths the content they had at {at_tag}"
        elif not self.others:
            yield f"is as it was at {at_tag}"
        elif self.commits:
            yield f"nothing of the migration is left; {self.others} paths were changed by others since {TAG}"
        else:
            yield f"{self.others} paths differ from {TAG}, but no commit since says `{TRAILER}:`; were they squashed?"
            yield f"  fix: find the commit with git -C {shlex.quote(str(self.facts.folder))} log {TAG}.. and git revert it"


def rollback(facts: Facts) -> Rollback:
    """Work out how this repository returns to its tag. Raises Refused when the migration was here but its tag is gone."""
    tag = facts.git.line("rev-parse", "-q", "--verify", f"refs/tags/{TAG}^{{commit}}", ok=(0, 1))
    if not tag:
        _refuse_lost_tag(facts)
        return Rollback(facts, "", RollbackKind.NOTHING, {})
    mine, foreign = _since(facts, tag)
    edits = _differences(facts.tree, facts.tree_of(tag))
    pushed = bool(facts.remotes()) and len(facts.unpushed(facts.head)) < len(mine) + len(foreign)
    if mine and edits and not foreign and not pushed and _is_ancestor(facts, tag):
        return Rollback(facts, tag, RollbackKind.RESET, edits, commits=len(mine), problems=_problems(facts, edits))
    return _rollback_by_commit(facts, tag, mine, foreign, edits)


def _rollback_by_commit(
    facts: Facts, tag: str, mine: list[str], foreign: list[str], edits: dict[str, Entry | None]
) -> Rollback:
    """Work out one new commit that restores what only the migration changed; paths changed by both are kept."""
    changed_by_others = {p for c in foreign for p in _changed(facts, c, "-c")}
    changed_by_us = {p for c in mine for p in _changed(facts, c, "-m", "--first-parent")}
    wanted = {p: e for p, e in edits.items() if p in changed_by_us and p not in changed_by_others}
    kept = tuple(sorted(edits.keys() & changed_by_us & changed_by_others))
    return Rollback(
        facts,
        tag,
        RollbackKind.COMMIT if wanted else RollbackKind.NOTHING,
        wanted,
        kept,
        commits=len(mine),
        others=len(edits) - len(wanted) - len(kept),
        problems=_problems(facts, wanted) if wanted else (),
    )


def _refuse_lost_tag(facts: Facts) -> None:
    """Refuse when there are commits of the migration but no tag: nobody should have to guess where they began."""
    trailer = f"%(trailers:key={TRAILER},valueonly)"
    log = facts.git.read("log", "--first-parent", "-E", f"--grep=^{TRAILER}: ", f"--format=%H {trailer}").decode()
    rows = [line.split() for line in log.split("\n") if line.strip()]
    if rows and rows[0][1:] != [UNDO]:
        raise Refused(
            f"{facts.name}: commits of the migration are here, but their tag {TAG} is gone",
            fix=f"git -C {shlex.quote(str(facts.folder))} tag {TAG} {rows[-1][0][:12]}^",
        )


@dataclass(frozen=True)
class _LogRow:
    """A commit as `git log` shows it."""

    commit: str
    parents: tuple[str, ...]
    body: str

    @property
    def ours(self) -> bool:
        return _OURS.search(self.body) is not None


def _since(facts: Facts, tag: str) -> tuple[list[str], list[str]]:
    """Return the migration's commits since the tag, and everybody else's, those that a merge brought in included."""
    since = f"{tag}..{facts.head}"
    # The history that phase 1 --history keep grafted on is a second parent of our commits: it is not work since the tag.
    grafts = [f"^{p}" for row in _log(facts, f"--grep={TRAILER}: ", since) if row.ours for p in row.parents[1:]]
    rows = _log(facts, since, *grafts)
    return [row.commit for row in rows if row.ours], [row.commit for row in rows if not row.ours]


def _log(facts: Facts, *words: str) -> list[_LogRow]:
    raw = facts.git.read("log", "--format=%H%x00%P%x00%B%x00%x01", *words)
    found = []
    for record in raw.split(b"\x01"):
        if record.strip():
            commit, parents, body = record.decode("utf-8", "surrogateescape").strip("\n").split("\0")[:3]
            found.append(_LogRow(commit, tuple(parents.split()), body))
    return found


def _is_ancestor(facts: Facts, tag: str) -> bool:
    return facts.git.line("merge-base", "--all", tag, facts.head, ok=(0, 1)) == tag


def _problems(facts: Facts, edits: dict[str, Entry | None]) -> tuple[Problem, ...]:
    """Return what prevents a commit, and files of people that would be overwritten: untracked, or hidden from status."""
    obstacles = {obstacle for path, entry in edits.items() if entry and (obstacle := _obstacle(facts, path, entry))}
    untracked = [
        Problem(
            f"{facts.name}: {shown(path)} is not tracked by git and is where a file is restored",
            fix=f"move it away: {facts.folder / path}",
            code=REFUSED,
        )
        for path in sorted(obstacles)[:10]
    ]
    return (*facts.problems, *untracked, *facts.hidden_changes(edits))


def _obstacle(facts: Facts, path: str, entry: Entry) -> str:
    """Return the untracked file at the path or at a folder above it; empty without one."""
    if path in facts.tree or entry.mode == GITLINK:
        return ""
    place, parts = str(facts.folder), path.split("/")
    for depth, part in enumerate(parts, 1):
        place = os.path.join(place, part)
        here = "/".join(parts[:depth])
        if not os.path.lexists(place) or here in facts.tree:  # a tracked file was made by the migration and goes
            return ""
        if depth < len(parts) and not _is_folder(place):
            return here
    return "" if _is_folder(place) and facts.tree.has_folder(path) else path


def _is_folder(place: str) -> bool:
    return os.path.isdir(place) and not os.path.islink(place)


def _differences(now: Tree, old: Tree) -> dict[str, Entry | None]:
    paths = now.files.keys() | old.files.keys()
    return {p: old.get(p) for p in paths if now.get(p) != old.get(p)}


def _changed(facts: Facts, commit: str, *merges: str) -> list[str]:
    """Return the paths that a commit changed.

    merges: how a merge is compared: `-m --first-parent` with its first parent; `-c` only what differs from all parents
    """
    words = ("diff-tree", "--root", "-r", *merges, "--name-only", "-z", "--no-commit-id", commit)
    return [name for name in facts.git.read(*words).decode("utf-8", "surrogateescape").split("\0") if name]


def undo(core: Path, gitops: Path, *, yes: bool, dry: bool, json: bool) -> None:
    """Show how to roll back; with `yes` do it. Exits 3 when something stays or prevents it."""
    if yes and not dry:
        rollbacks = _roll_back(core, gitops)
        _show(rollbacks, json)
    else:
        rollbacks = [rollback(facts) for facts in look(core, gitops)]
        _show(rollbacks, json)
        if not dry and any(r.way for r in rollbacks):
            ui.talk("nothing was changed; to do it: inv migrate.undo --yes")
    if any(r.kept or r.problems for r in rollbacks):
        raise SystemExit(REFUSED)


def _roll_back(core: Path, gitops: Path) -> list[Rollback]:
    """Roll both repositories back, gitops first. Raises Refused when anything prevents it, before any change."""
    with locked(core, gitops) as begun:
        for line in begun.resumed:
            ui.talk(line)
        rollbacks = [rollback(facts) for facts in look(core, gitops)]
        for problem in (p for r in rollbacks for p in r.problems):
            raise Refused(problem.what, fix=problem.fix)
        for one in reversed(rollbacks):
            if one.way:
                _perform(one, begun.mark, begun.since)
                _follow_pins(one, gitops, begun.mark)
    return rollbacks


def _follow_pins(one: Rollback, gitops: Path, run: str) -> None:
    """Check out the submodules whose pins were restored, and name those that stay where they are."""
    for path, entry in one.edits.items():
        now = one.facts.tree.get(path)
        if entry is None or now is None or (entry.mode, now.mode) != (GITLINK, GITLINK):
            continue
        stays = submodule.follow(one.facts.folder, path, now.oid, entry.oid, gitops, run)
        if stays:
            ui.talk(f"the submodule {shown(path)} is not checked out at the commit that core pins: {stays}")


def _show(rollbacks: list[Rollback], json: bool) -> None:
    if json:
        ui.as_json({"repositories": [r.as_json() for r in rollbacks]})
        return
    for one in rollbacks:
        for line in one.lines():
            ui.say(line)


def _perform(one: Rollback, run: str, since: int) -> None:
    facts = one.facts
    checkout = Checkout(facts.folder, facts.git_dir, facts.branch, run)
    if one.way is RollbackKind.RESET:
        write.move(checkout, facts.head, one.tag, one.edits, since)
        return
    author, committer = identities(facts)
    tree = facts.tree.copy()
    tree.apply(one.edits)
    message = f"{UNDO}: {len(one.edits)} paths are as they were at {TAG}\n\n{TRAILER}: {UNDO}\n"
    new = object_id("commit", commit_body(tree.id(), (facts.head,), author, committer, message), len(facts.head))
    head = commit_import.commit_head(author, committer, message)
    checkout.prepare()
    planned = commit_import.PlannedCommit(new, head, one.edits, (facts.head,))
    commit_import.import_commits(checkout.git, [planned], lambda oids: iter(()), [], new)
    write.move(checkout, facts.head, new, one.edits, since)
