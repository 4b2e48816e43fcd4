"""Brings a plan about: objects, then one move of each repository, gitops first, with a stop where a person pushes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from migration.engine import Plan
from migration.git import commit_import, locks, write
from migration.git.facts import TRAILER, UNDO, Facts
from migration.git.objects import GITLINK, Entry, Git, decode
from migration.git.worktree import Place
from migration.model import Commit, StepResult
from migration.simulation import Repository, Simulation, refuse_hindered
from tasks.core.errors import Refused, ToolError
from tasks.core.plan.steps import State

TAG = "before-remote-first"


@dataclass
class Session:
    """A writing run: both repositories are locked, what a killed run left is finished. since: when that was (ns)."""

    run: str
    since: int
    told: list[str]


@contextmanager
def session(core: Path, gitops: Path) -> Iterator[Session]:
    """Lock both repositories and finish what a killed run began."""
    run = f"{secrets.token_hex(8)}"
    found = Session(run, 0, [])
    with ExitStack() as stack:
        for folder in (core, gitops):
            place = _place(folder, run)
            if place is not None:
                stack.enter_context(locks.held(place.git_dir, run))
                line = write.resume(place)
                if line:
                    found.told.append(line)
        found.since = time.time_ns()
        yield found


def _place(folder: Path, run: str) -> Place | None:
    """Where to write, None when this is no repository of its own (which planning then says properly)."""
    if not folder.is_dir():
        return None
    try:
        git = Git(folder, run)
        git_dir, top = decode(git.read("rev-parse", "--absolute-git-dir", "--show-toplevel")).splitlines()[:2]
    except (ToolError, ValueError):
        return None
    if Path(top) != folder.resolve():
        return None
    return Place(folder, Path(git_dir), git.line("symbolic-ref", "-q", "HEAD", ok=(0, 1)), run)


def carry_out(plan: Plan, session: Session, *, push: bool, tell: Callable[[str, str], None]) -> str:
    """Do what the plan says. Returns what a person must do before it can go on, empty when all was done."""
    simulation = plan.simulation
    refuse_hindered(simulation)
    for side in (simulation.gitops, simulation.core):
        if side.commits or side.facts.head != side.facts.at:
            _tag(side, plan.start[side.name], session.run)
    from migration import history

    if simulation.grafts:
        history.bring(simulation)
    _bring(simulation, simulation.gitops, session, tell)
    if simulation.grafts:
        simulation.gitops.facts.git.read("update-ref", "-d", history.REF)  # the commits name it now
    waits = plan.person
    if waits and not _is_pushed(simulation.gitops.facts, simulation.gitops.head):
        if not push:
            return waits
        tell("running", "pushing gitops")
        _push(simulation.gitops.facts)
    _bring(simulation, simulation.core, session, tell)
    return ""


def _bring(simulation: Simulation, side: Repository, session: Session, tell: Callable[[str, str], None]) -> None:
    """Move one repository from where it stands in the plan to the plan's end."""
    rest = ahead(side)
    if not rest:
        return
    old, last = side.facts.head, rest[-1].id
    place = Place(side.facts.folder, side.facts.git_dir, side.facts.branch, session.run)
    place.own.mkdir(exist_ok=True)
    tell("running", f"{side.name}: {len(rest)} commits, {sum(len(c.edits) for c in rest)} paths")
    needed = [e[1] for c in rest for e in c.edits.values() if e and e[0] != GITLINK]
    missing = commit_import.absent(place.git, needed)
    commit_import.import_commits(
        place.git, map(_written, rest), lambda oids: _bytes(simulation, side, oids), missing, last
    )
    write.move(place, old, last, _together(rest, side), session.since)
    for one in rest:
        tell("done", f"{side.name} {one.id[:9]} {one.message.splitlines()[0]}")


def ahead(side: Repository) -> list[Commit]:
    """The plan's commits that this repository has not made yet."""
    ids = [c.id for c in side.commits]
    return side.commits[ids.index(side.facts.head) + 1 :] if side.facts.head in ids else side.commits


def _written(one: Commit) -> tuple[str, bytes, dict[str, Entry | None], tuple[str, ...]]:
    edits = {p: Entry(*e) if e else None for p, e in one.edits.items()}
    return one.id, commit_import.commit_head(one.author, one.committer, one.message), edits, one.parents


def _together(commits: list[Commit], side: Repository) -> dict[str, Entry | None]:
    """What differs between before the first and after the last commit."""
    last: dict[str, Entry | None] = {}
    for one in commits:
        last.update({p: Entry(*e) if e else None for p, e in one.edits.items()})
    if len(commits) == len(side.commits):
        before = side.facts.tree.files
        last = {p: e for p, e in last.items() if before.get(p) != e}
    return last


def _bytes(simulation: Simulation, side: Repository, oids: list[str]) -> Iterator[tuple[str, bytes]]:
    """The bytes of blobs that a repository lacks: planned, or core's where gitops gets a copy."""
    planned = [o for o in oids if side.blobs.planned(o) is not None]
    yield from side.blobs.many(planned)
    known = set(planned)
    yield from simulation.core.blobs.many(o for o in oids if o not in known)


def _tag(side: Repository, commit: str, run: str) -> None:
    """Tag where the repository stood before the first commit of the migration; the tag of one that was taken back moves."""
    git = Git(side.facts.folder, run)
    old = git.line("rev-parse", "-q", "--verify", f"refs/tags/{TAG}", ok=(0, 1))
    if not old or not _goes_on(git, f"{TAG}..{commit}", commit):
        git.read("update-ref", f"refs/tags/{TAG}", commit, old or "0" * len(commit))


def _goes_on(git: Git, since: str, commit: str) -> bool:
    """Does a migration that began at the tag go on here? Also when its commits were squashed into one."""
    shown_as = f"--format=%(trailers:key={TRAILER},valueonly)"
    newest = git.line("log", "-1", f"--grep=^{TRAILER}: ", shown_as, since)
    if newest:
        return newest != UNDO
    return bool(git.read("grep", "-l", "-F", "<!-- remote-first:", commit, "--", "README.md", ok=(0, 1)))


def _is_pushed(facts: Facts, commit: str) -> bool:
    return not facts.remotes() or (facts.has(commit) and not facts.unpushed(commit))


def _push(facts: Facts) -> None:
    """Push gitops' branch to the remote it follows, else to the only one, else to origin."""
    branch = facts.branch.removeprefix("refs/heads/")
    remote = facts.git.line("config", f"branch.{branch}.remote", ok=(0, 1))
    if not remote or remote == ".":
        names = facts.remotes()
        remote = names[0] if len(names) == 1 else "origin"
    merge = facts.git.line("config", f"branch.{branch}.merge", ok=(0, 1)) or facts.branch
    facts.git.read("push", remote, f"{facts.branch}:{merge}", timeout=600)


def after(results: list[StepResult], stopped: str) -> list[StepResult]:
    """The results once the plan was carried out: what was pending is done, unless a person is waited for."""
    done = []
    for one in results:
        waits = bool(stopped) and any(c.repo == "core" or c.kind == "person" for c in one.changes)
        done.append(replace(one, state=State.DONE) if one.state is State.PENDING and not waits else one)
    return done


def must_match(simulation: Simulation, commits: dict[str, list[str]], start: dict[str, str]) -> None:
    """Refuse when a repository is not where the plan left it: at its start, or at one of the plan's own commits."""
    for side in (simulation.core, simulation.gitops):
        if side.facts.head not in (start[side.name], *commits[side.name]):
            raise Refused(
                f"{side.name}: HEAD is {side.facts.head[:12]}, the plan was made at {start[side.name][:12]}",
                why="somebody has committed here since",
                fix="make a new plan: inv migrate.plan --out FILE",
            )
