"""The way back: both repositories get the content they had before the migration's first commit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migration.apply import TAG, session
from migration.git import commit_import, write
from migration.git.facts import TRAILER, UNDO, Facts, Hindrance, look, shown
from migration.git.objects import GITLINK, Entry, Tree, commit_body, object_id
from migration.git.worktree import Place
from migration.simulation import identities
from tasks.core import ui
from tasks.core.errors import REFUSED, Refused

# A squashed commit has the messages of those it is made of, indented or not.
_OURS = re.compile(rf"^\s*{TRAILER}: \S+\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Back:
    """The way back of one repository.

    how: `reset` when nothing was pushed and nobody else has committed since, `commit` otherwise, empty when nothing
    is to be undone. kept: paths that somebody changed after the migration did; they stay as they are.
    commits: those of the migration; others: paths that differ from the tag and are not the migration's
    problems: why it cannot be gone now
    """

    facts: Facts
    tag: str
    how: str
    edits: dict[str, Entry | None]
    kept: tuple[str, ...] = ()
    commits: int = 0
    others: int = 0
    problems: tuple[Hindrance, ...] = ()

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
            "problems": [{"what": p.what, "fix": p.fix} for p in self.problems],
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        name = self.facts.name
        if not self.tag:
            yield f"{name}: there is no tag {TAG}; the migration has made no commit here"
        elif self.how == "reset":
            yield f"{name}: {self.commits} commits are taken back: git -C {self.facts.folder} reset --keep {TAG}"
        elif self.how:
            yield f"{name}: one commit gives {len(self.edits)} paths the content they had at {TAG} ({self.tag[:12]})"
        elif not self.others:
            yield f"{name}: is as it was at {TAG} ({self.tag[:12]})"
        elif self.commits:
            yield f"{name}: nothing of the migration is left; {self.others} paths were changed by others since {TAG}"
        else:
            yield f"{name}: {self.others} paths differ from {TAG}, but no commit since says `{TRAILER}:`; were they squashed?"
            yield f"  fix: git -C {self.facts.folder} log {TAG}.. names the commit; git revert takes it back"
        for path in self.kept:
            yield f"{name}: {shown(path)} was changed after the migration; it stays"
        for problem in self.problems:
            yield f"!! {problem.what}"
            yield f"  fix: {problem.fix}"


def way_back(facts: Facts) -> Back:
    """How this repository comes back to its tag. Raises Refused when the migration was here and its tag is gone."""
    git = facts.git
    tag = git.line("rev-parse", "-q", "--verify", f"refs/tags/{TAG}^{{commit}}", ok=(0, 1))
    if not tag:
        _must_be_new(facts)
        return Back(facts, "", "", {})
    mine, foreign = _since(facts, tag)
    edits = _differences(facts.tree, facts.tree_of(tag))
    pushed = bool(facts.remotes()) and len(facts.unpushed(facts.head)) < len(mine) + len(foreign)
    if mine and edits and not foreign and not pushed and _is_below(facts, tag):
        return Back(facts, tag, "reset", edits, (), len(mine), 0, _problems(facts, edits))
    touched = {p for c in foreign for p in _touched(facts, c, merged="-c")}
    ours = {p for c in mine for p in _touched(facts, c, merged="-m")}
    wanted = {p: e for p, e in edits.items() if p in ours and p not in touched}
    kept = tuple(sorted(p for p in edits if p in ours and p in touched))
    how, problems = ("commit", _problems(facts, wanted)) if wanted else ("", ())
    return Back(facts, tag, how, wanted, kept, len(mine), len(edits) - len(wanted) - len(kept), problems)


def _must_be_new(facts: Facts) -> None:
    """Refuse when commits of the migration are there without the tag: where they began must not be guessed silently."""
    found = (
        facts.git.read(
            "log", "--first-parent", "-E", f"--grep=^{TRAILER}: ", f"--format=%H %(trailers:key={TRAILER},valueonly)"
        )
        .decode()
        .split("\n")
    )
    rows = [line.split() for line in found if line.strip()]
    if rows and rows[0][1:] != [UNDO]:
        raise Refused(
            f"{facts.name}: commits of the migration are here, but their tag {TAG} is gone",
            fix=f"git -C {facts.folder} tag {TAG} {rows[-1][0][:12]}^",
        )


def _since(facts: Facts, tag: str) -> tuple[list[str], list[str]]:
    """The migration's commits since the tag, and everybody else's; those that a merge brought in as well."""
    words = ("--format=%H%x00%P%x00%B%x00%x01", f"{tag}..{facts.head}")
    ours = [_fields(row) for row in facts.git.read("log", f"--grep={TRAILER}: ", *words).split(b"\x01") if row.strip()]
    # A history that was kept (phase 1, --history keep) hangs on a commit of ours: it is nobody's work since the tag.
    grafts = [f"^{p}" for _, parents, body in ours if _OURS.search(body) for p in parents[1:]]
    rows = [_fields(row) for row in facts.git.read("log", *words, *grafts).split(b"\x01") if row.strip()]
    mine = [commit for commit, _, body in rows if _OURS.search(body)]
    return mine, [commit for commit, _, body in rows if not _OURS.search(body)]


def _fields(row: bytes) -> tuple[str, list[str], str]:
    commit, parents, body = row.decode("utf-8", "surrogateescape").strip("\n").split("\0")[:3]
    return commit, parents.split(), body


def _is_below(facts: Facts, tag: str) -> bool:
    return facts.git.line("merge-base", "--all", tag, facts.head, ok=(0, 1)) == tag


def _problems(facts: Facts, edits: dict[str, Entry | None]) -> tuple[Hindrance, ...]:
    """What hinders a commit, and files that git does not know where others come back: they would be lost."""
    found = list(facts.hindrances)
    in_the_way = sorted({p for path, entry in edits.items() if entry and (p := _in_the_way(facts, path, entry))})
    for path in in_the_way[:10]:
        what = f"{facts.name}: {shown(path)} is not known to git, and stands where a file comes back"
        found.append(Hindrance(what, f"move it away: {facts.folder / path}"))
    return tuple(found)


def _in_the_way(facts: Facts, path: str, entry: Entry) -> str:
    """The untracked file at the path or at a folder above it; empty when there is none."""
    if path in facts.tree or entry.mode == GITLINK:
        return ""
    place, parts = str(facts.folder), path.split("/")
    for n, part in enumerate(parts, 1):
        place = os.path.join(place, part)
        if not os.path.lexists(place):
            return ""
        here = "/".join(parts[:n])
        if here in facts.tree:
            return ""  # a file of the migration, which goes
        if n < len(parts) and (os.path.islink(place) or not os.path.isdir(place)):
            return here
    return path if not os.path.isdir(place) or os.path.islink(place) or not facts.tree.has_folder(path) else ""


def _differences(now: Tree, old: Tree) -> dict[str, Entry | None]:
    paths = now.files.keys() | old.files.keys()
    return {p: old.get(p) for p in paths if now.get(p) != old.get(p)}


def _touched(facts: Facts, commit: str, *, merged: str) -> list[str]:
    """The paths that a commit changed. merged: of a merge `-m` takes what differs from its first parent, `-c` what
    differs from each of its parents."""
    how = ("-m", "--first-parent") if merged == "-m" else (merged,)
    names = facts.git.read("diff-tree", "--root", "-r", *how, "--name-only", "-z", "--no-commit-id", commit)
    return [n for n in names.decode("utf-8", "surrogateescape").split("\0") if n]


def undo(core: Path, gitops: Path, *, yes: bool, dry: bool, json: bool) -> None:
    """Show the way back; with `yes` go it."""
    if dry or not yes:
        backs = [way_back(f) for f in look(core, gitops)]
        _show(backs, json)
        if not dry and any(b.how for b in backs):
            ui.talk("nothing was changed; to go this way: inv migrate.undo --yes")
    else:
        with session(core, gitops) as run:
            for line in run.told:
                ui.talk(line)
            backs = [way_back(f) for f in look(core, gitops)]
            for problem in (p for b in backs for p in b.problems):
                raise Refused(problem.what, fix=problem.fix)
            for back in reversed(backs):
                if back.how:
                    _go(back, run.run, run.since)
        _show(backs, json)
    if any(b.kept or b.problems for b in backs):
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
        write.move(place, facts.head, back.tag, back.edits, since)
        return
    author, committer = identities(facts)
    tree = facts.tree.copy()
    tree.apply(back.edits)
    message = f"{UNDO}: {len(back.edits)} paths are as they were at {TAG}\n\n{TRAILER}: {UNDO}\n"
    body = commit_body(tree.id(), (facts.head,), author, committer, message)
    new = object_id("commit", body, len(facts.head))
    head = commit_import.commit_head(author, committer, message)
    place.own.mkdir(exist_ok=True)
    commit_import.import_commits(place.git, [(new, head, back.edits, (facts.head,))], lambda oids: iter(()), [], new)
    write.move(place, facts.head, new, back.edits, since)
