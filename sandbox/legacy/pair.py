"""Write the two repositories: bare remotes, clones, the submodule checked out at its pin."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from sandbox.legacy.archive import EXECUTABLE, LINK, Tree
from sandbox.legacy.blueprint import blueprint
from sandbox.legacy.definition import definition
from sandbox.legacy.fast_import import Commit, write
from sandbox.legacy.faults import named
from sandbox.legacy.git import MAINTAINER, MOMENT, git
from sandbox.legacy.history import history
from sandbox.legacy.model import Draft, Fault, Pair
from sandbox.legacy.paths import count_of
from tasks.core.errors import Trouble

_BY = f"{MAINTAINER[0]} <{MAINTAINER[1]}>"


def make(folder: Path, size: str | int = "S", faults: Sequence[str] = (), remotes: bool = True) -> Pair:
    """Generate the pair in `folder`, which must be empty or absent. The same arguments give the same commits.

    size:   S, M, L or a number of files; see paths.count_of
    faults: names from faults.FAULTS, applied in the order of that table
    Raises Trouble for a folder with files in it, an unknown size or fault, and a fault that needs remotes.
    """
    count, chosen = count_of(size), named(faults, remotes)
    folder = Path(folder).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Trouble(
            f"{folder} is not an empty folder",
            fix="name a folder that does not exist yet: inv sandbox.legacy --dir FOLDER",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        raise Trouble(f"cannot create {folder}: {why.strerror}", fix="choose another folder") from None
    try:
        pair = _write(folder, count, chosen)
        pair = pair if remotes else _without_remotes(pair)
        for fault in chosen:
            if fault.disturb:
                fault.disturb(pair)
    except BaseException:  # also on an interrupt: an incomplete pair would block the next run
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return pair


def _write(folder: Path, count: int, faults: tuple[Fault, ...]) -> Pair:
    """Write the histories into bare remotes, gitops first because core pins it; then clone each."""
    names, plan = definition(), blueprint(count)
    draft = Draft(dict(plan.core), dict(plan.gitops))
    for fault in faults:
        if fault.write:
            fault.write(draft)
    subject = "Add faults: " + ", ".join(fault.name for fault in faults if fault.write)
    bare = {key: folder / "remotes" / f"{getattr(names, key)}.git" for key in ("core", "gitops", "backlog")}
    for remote in bare.values():
        remote.mkdir(parents=True)
        git(remote, "init", "--quiet", "--bare", "--initial-branch=main")

    commits = [
        *history(names.history["gitops"], names.authors, plan.gitops),
        *_fault_commits(subject, plan.gitops, draft.gitops),
        *_fault_commits(f"{subject} (changed since)", {}, draft.gitops_later),
    ]
    later = _fault_commits(f"{subject} (not pinned)", {}, draft.gitops_unpinned)
    write(bare["gitops"], [*commits, *later])
    pinned = git(bare["gitops"], "rev-parse", "main~1" if later else "main")
    backlog = write(bare["backlog"], history(names.history["backlog"], names.authors, plan.backlog))
    gitops = _clone(bare["gitops"], folder / names.gitops)
    if draft.gitops_local:
        _write_files(gitops, draft.gitops_local)
        git(gitops, "add", "--all")
        git(gitops, "commit", "--quiet", "--message", f"{subject} (not pushed)")
        pinned = git(gitops, "rev-parse", "HEAD")
    _write_files(gitops, draft.gitops_loose)

    links = {names.submodules["gitops"]: pinned, names.submodules["backlog"]: backlog}
    commits = [*history(names.history["core"], names.authors, plan.core, links)]
    write(
        bare["core"], [*commits, *_fault_commits(subject, plan.core, draft.core, dict.fromkeys(draft.links, backlog))]
    )
    core = _clone(bare["core"], folder / names.core)
    files = len(draft.core) + len(draft.gitops) + len(links)
    pair = Pair(core, gitops, bare, files, tuple(fault.name for fault in faults))
    _check_out_submodules(pair, pinned)
    return pair


def _fault_commits(subject: str, before: Tree, after: Tree, links: dict[str, str] | None = None) -> list[Commit]:
    """The commit that turns one tree into the other; empty if they are the same."""
    files = {path: entry for path, entry in after.items() if before.get(path) != entry}
    gone = tuple(path for path in before if path not in after)
    return [Commit(_BY, MOMENT, subject, files, removed=gone, links=links or {})] if files or gone or links else []


def _write_files(folder: Path, tree: Tree) -> None:
    """Write files into a work tree."""
    for path, entry in tree.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if entry.mode == LINK:
            place.symlink_to(entry.data.decode())
            continue
        place.write_bytes(entry.data)
        place.chmod(0o755 if entry.mode == EXECUTABLE else 0o644)


def _clone(remote: Path, folder: Path) -> Path:
    git(remote, "clone", "--quiet", str(remote), str(folder))
    _name_user(folder)
    return folder


def _name_user(folder: Path) -> None:
    """Set an author, so that commits work on a machine without a git identity."""
    git(folder, "config", "user.name", MAINTAINER[0])
    git(folder, "config", "user.email", MAINTAINER[1])


def _check_out_submodules(pair: Pair, pinned: str) -> None:
    """Check out each submodule at its pin and on a branch, as in a developer's clone.

    A pin that was not pushed is in the remote only during the clone.
    """
    lent = "lent-for-the-clone"
    git(pair.gitops, "push", "--quiet", str(pair.remotes["gitops"]), f"{pinned}:refs/heads/{lent}")
    for folder in definition().submodules.values():
        git(pair.core, "submodule", "--quiet", "update", "--init", "--", folder)
        place = pair.core / folder
        git(place, "checkout", "--quiet", "-B", "main")
        git(place, "branch", "--quiet", "--set-upstream-to=origin/main")
        _name_user(place)
    git(pair.remotes["gitops"], "update-ref", "-d", f"refs/heads/{lent}")
    git(pair.submodule, "update-ref", "-d", f"refs/remotes/origin/{lent}")


def _without_remotes(pair: Pair) -> Pair:
    """Write the repositories without remotes. The submodule is cloned from the gitops clone next to core."""
    names = definition()
    for folder in (pair.core, pair.gitops, *(pair.core / path for path in names.submodules.values())):
        git(folder, "remote", "remove", "origin")
    git(pair.core, "config", f"submodule.{names.submodules['gitops']}.url", str(pair.gitops))
    shutil.rmtree(next(iter(pair.remotes.values())).parent)
    return Pair(pair.core, pair.gitops, {}, pair.files, pair.faults)
