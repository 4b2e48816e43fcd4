"""Carries out a plan: git objects, then one move of each repository. gitops is first; core waits until it is pushed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from migration import history
from migration.engine import MigrationPlan
from migration.git import commit_import, locks, submodule, write
from migration.git.facts import TAG, TRAILER, UNDO, Facts, same_repository
from migration.git.objects import GITLINK, Entry, Git, decode
from migration.git.worktree import Checkout
from migration.model import ChangeKind, Commit, StepResult
from migration.repositories import Repository
from migration.simulation import Simulation
from tasks.core.errors import Refused, ToolError
from tasks.core.plan.outcome import State


@dataclass
class MigrationRun:
    """A writing run: both repositories are locked, and what a killed run began is finished."""

    mark: str
    """Marks the git processes of this run."""

    since: int = 0
    """When the repositories were locked (ns): a file changed later stops the run."""

    resumed: list[str] = field(default_factory=list)
    """What was finished for a killed run, a line each."""


@contextmanager
def locked(core: Path, gitops: Path) -> Iterator[MigrationRun]:
    """Lock both repositories and finish what a killed run began."""
    begun = MigrationRun(secrets.token_hex(8))
    with ExitStack() as stack:
        checkouts = [_checkout(folder, begun.mark) for folder in (core, gitops)]
        found = [checkout for checkout in checkouts if checkout]
        if len({checkout.git_dir for checkout in found}) < len(found):
            raise same_repository(core)  # else the run would meet its own lock
        for checkout in found:
            stack.enter_context(locks.held(checkout.git_dir, begun.mark))
            line = write.resume(checkout)
            if line:
                begun.resumed.append(line)
        begun.since = time.time_ns()
        yield begun


def _checkout(folder: Path, run: str) -> Checkout | None:
    """Where to write. None when this is not the root of a repository: planning then reports it."""
    if not folder.is_dir():
        return None
    try:
        git = Git(folder, run)
        git_dir, top = decode(git.read("rev-parse", "--absolute-git-dir", "--show-toplevel")).splitlines()[:2]
    except (ToolError, ValueError):
        return None
    if Path(top) != folder.resolve():
        return None
    return Checkout(folder, Path(git_dir), git.line("symbolic-ref", "-q", "HEAD", ok=(0, 1)), run)


def carry_out(plan: MigrationPlan, run: MigrationRun, *, push: bool, tell: Callable[[str, str], None]) -> str:
    """Do what the plan says. Return what a person must do before it can go on; empty when all was done."""
    simulation = plan.simulation
    core, gitops = simulation.core, simulation.gitops
    simulation.repositories.must_be_ready()
    for repository in (gitops, core):
        if repository.commits or repository.facts.head != repository.facts.at:
            _tag(repository, plan.start[repository.name], run.mark)
    history.fetch(simulation)
    _move_to_end(simulation, gitops, run, tell)
    history.drop(simulation)
    if plan.person and not _is_pushed(gitops.facts, gitops.head):
        if not push:
            return plan.person
        tell("running", "pushing gitops")
        _push(gitops.facts)
    _move_to_end(simulation, core, run, tell)
    return ""


def follow_pin(plan: MigrationPlan, run: MigrationRun) -> str:
    """Check out the submodule at its new pin. Return the command that a person must run for it; empty if none."""
    repositories = plan.simulation.repositories
    core, path = repositories.core.facts, repositories.pin_path
    old = core.tree.get(path) if path else None
    if not repositories.pin or old is None:
        return ""
    return submodule.follow(core.folder, path, old.oid, repositories.pin, repositories.gitops.facts.folder, run.mark)


def _move_to_end(
    simulation: Simulation, repository: Repository, run: MigrationRun, tell: Callable[[str, str], None]
) -> None:
    """Move one repository from where it is in the plan to the plan's end."""
    rest = ahead(repository)
    if not rest:
        return
    facts, last = repository.facts, rest[-1].id
    checkout = Checkout(facts.folder, facts.git_dir, facts.branch, run.mark)
    checkout.prepare()
    tell("running", f"{repository.name}: {len(rest)} commits, {sum(len(c.edits) for c in rest)} paths")
    needed = [entry[1] for c in rest for entry in c.edits.values() if entry and entry[0] != GITLINK]
    missing = commit_import.absent(checkout.git, needed)
    commit_import.import_commits(
        checkout.git, map(_planned, rest), lambda oids: _contents(simulation, repository, oids), missing, last
    )
    write.move(checkout, facts.head, last, _combined(rest, repository), run.since)
    for commit in rest:
        tell("done", f"{repository.name} {commit.id[:9]} {commit.message.splitlines()[0]}")


def ahead(repository: Repository) -> list[Commit]:
    """Return the plan's commits that this repository has not made yet."""
    ids = [c.id for c in repository.commits]
    made = ids.index(repository.facts.head) + 1 if repository.facts.head in ids else 0
    return repository.commits[made:]


def _planned(commit: Commit) -> commit_import.PlannedCommit:
    head = commit_import.commit_head(commit.author, commit.committer, commit.message)
    return commit_import.PlannedCommit(commit.id, head, _entries(commit), commit.parents)


def _entries(commit: Commit) -> dict[str, Entry | None]:
    return {path: Entry(*entry) if entry else None for path, entry in commit.edits.items()}


def _combined(commits: list[Commit], repository: Repository) -> dict[str, Entry | None]:
    """Return what differs between before the first and after the last commit."""
    edits: dict[str, Entry | None] = {}
    for commit in commits:
        edits.update(_entries(commit))
    if len(commits) == len(repository.commits):
        before = repository.facts.tree.files
        edits = {path: entry for path, entry in edits.items() if before.get(path) != entry}
    return edits


def _contents(simulation: Simulation, repository: Repository, oids: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the blobs that a repository lacks: planned ones, or core's where gitops gets a copy."""
    planned = [oid for oid in oids if repository.blobs.planned(oid) is not None]
    yield from repository.blobs.many(planned)
    known = set(planned)
    yield from simulation.core.blobs.many(oid for oid in oids if oid not in known)


def _tag(repository: Repository, commit: str, run: str) -> None:
    """Tag where the repository was before the migration's first commit. The tag of an undone migration moves."""
    git = Git(repository.facts.folder, run)
    old = git.line("rev-parse", "-q", "--verify", f"refs/tags/{TAG}", ok=(0, 1))
    if not old or not _goes_on(git, f"{TAG}..{commit}", commit):
        git.read("update-ref", f"refs/tags/{TAG}", commit, old or "0" * len(commit))


def _goes_on(git: Git, since: str, commit: str) -> bool:
    """Whether a migration that began at the tag continues here, even when its commits were squashed into one."""
    trailer = f"--format=%(trailers:key={TRAILER},valueonly)"
    newest = git.line("log", "-1", f"--grep=^{TRAILER}: ", trailer, since)
    if newest:
        return newest != UNDO
    return bool(git.read("grep", "-l", "-F", "<!-- remote-first:", commit, "--", "README.md", ok=(0, 1)))


def _is_pushed(facts: Facts, commit: str) -> bool:
    return not facts.remotes() or (facts.has(commit) and not facts.unpushed(commit))


def _push(facts: Facts) -> None:
    """Push gitops' branch to its upstream, else to the only remote, else to origin."""
    branch = facts.branch.removeprefix("refs/heads/")
    remote = facts.git.line("config", f"branch.{branch}.remote", ok=(0, 1))
    if not remote or remote == ".":
        names = facts.remotes()
        remote = names[0] if len(names) == 1 else "origin"
    merge = facts.git.line("config", f"branch.{branch}.merge", ok=(0, 1)) or facts.branch
    facts.git.read("push", remote, f"{facts.branch}:{merge}", timeout=600)


def carried_out(results: list[StepResult], stopped: str) -> list[StepResult]:
    """Return the results after the plan was carried out: pending steps are done.

    stopped: what a person must do first; while it is not empty, core's steps stay pending
    """
    return [
        replace(result, state=State.DONE)
        if result.state is State.PENDING and not (stopped and _waits(result))
        else result
        for result in results
    ]


def _waits(result: StepResult) -> bool:
    """Whether the step needs a person, or comes after the point where one is needed."""
    return any(change.repo == "core" or change.kind is ChangeKind.PERSON for change in result.changes)


def must_match(simulation: Simulation, commits: dict[str, list[str]], start: dict[str, str]) -> None:
    """Refuse when a repository is neither at the plan's start nor at one of the plan's own commits."""
    for repository in simulation.repositories.both:
        name, head = repository.name, repository.facts.head
        if head not in (start[name], *commits[name]):
            raise Refused(
                f"{name}: HEAD is {head[:12]}, the plan was made at {start[name][:12]}",
                why="somebody has committed here since",
                fix="make a new plan: inv migrate.plan --out FILE",
            )
