"""Moves a repository from one commit to another so that a kill leaves the old commit or the new one, never a mixture.

The order: git objects; a private index; a journal; git's index.lock, as a hard link to that private index, so that a
later run recognises the lock; the work tree, each file by a rename; the branch; the index. A run that finds the journal
of a killed run goes on from the state it sees.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from migration.git import hidden
from migration.git.locks import NEXT, foreign_lock, refuse_foreign_locks, same_file, write_json
from migration.git.objects import Entry, Git, decode
from migration.git.worktree import Checkout, lay_out, reported, restore
from tasks.core import regular_file, strict_json
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.process.processes import started


@dataclass(frozen=True)
class _Files:
    """The files that a move uses."""

    journal: Path
    fresh_index: Path
    index: Path
    lock: Path

    @classmethod
    def of(cls, checkout: Checkout) -> _Files:
        own, git_dir = checkout.own, checkout.git_dir
        return cls(own / "journal.json", checkout.fresh_index, git_dir / "index", git_dir / "index.lock")


def move(checkout: Checkout, old: str, new: str, edits: Mapping[str, Entry | None], since: int) -> None:
    """Bring branch, index and work tree from `old` to `new`.

    edits: all paths that differ between the two
    since: when the work tree was found clean (ns); a file changed after it stops the move before anything is written
    """
    with reported(checkout.folder):
        _move(checkout, old, new, edits, since)
    if any(edits.values()):
        checkout.git.read("update-index", "-q", "--refresh", ok=(0, 1))


def _move(checkout: Checkout, old: str, new: str, edits: Mapping[str, Entry | None], since: int) -> None:
    files = _Files.of(checkout)
    _make_index(checkout, files, old, new, edits)
    owner = {"run": checkout.run, "pid": os.getpid(), "start": started(os.getpid())}
    write_json(files.journal, {**owner, "old": old, "new": new, "branch": checkout.branch})
    try:
        os.link(files.fresh_index, files.lock)
    except FileExistsError:
        files.journal.unlink()
        files.fresh_index.unlink(missing_ok=True)
        raise foreign_lock(files.lock) from None
    try:
        if checkout.git.line("rev-parse", "--verify", "HEAD") != old:
            raise Refused(f"{checkout.folder}: HEAD moved while this ran", fix="look again: inv migrate.status")
        _refuse_changed(checkout, edits, since)
        lay_out(checkout, edits)
        _point(checkout, old, new, edits)
    except (Trouble, OSError):  # all is restored; an interrupt leaves the journal, and the next run goes on from there
        for leftover in (files.lock, files.journal, files.fresh_index):
            leftover.unlink(missing_ok=True)
        raise
    os.replace(files.lock, files.index)
    _close(checkout)


def _make_index(checkout: Checkout, files: _Files, old: str, new: str, edits: Mapping[str, Entry | None]) -> None:
    """Write the index of `new` beside git's own. Paths keep their assume-unchanged and skip-worktree bits."""
    checkout.prepare()
    for leftover in (files.fresh_index, checkout.own / "index.new.lock"):
        leftover.unlink(missing_ok=True)
    if files.index.exists():
        shutil.copyfile(files.index, files.fresh_index)
    git, index = checkout.git, files.fresh_index
    with git.start(*hidden.LISTING).gather() as listing:
        git.read("read-tree", "-i", "-m", old, new, GIT_INDEX_FILE=str(index))
        found = hidden.bits(listing.result())
    lost = _recorded(checkout) | {path: bits for path, bits in found.items() if path in edits}
    hidden.keep(git, index, {path: bits for path, bits in lost.items() if edits.get(path)})
    lost = {path: bits for path, bits in lost.items() if not edits.get(path)}
    if lost or _bits_of_deleted(checkout).exists():
        write_json(_bits_of_deleted(checkout), lost)


def _bits_of_deleted(checkout: Checkout) -> Path:
    """Where the bits of deleted files are recorded, so that undo sets them again."""
    return checkout.own / "bits.json"


def _recorded(checkout: Checkout) -> dict[str, tuple[str, ...]]:
    try:
        record = strict_json.mapping(regular_file.text(_bits_of_deleted(checkout)))
        return {path: tuple(map(str, bits)) for path, bits in record.items()}
    except (OSError, ValueError, TypeError):
        return {}


def resume(checkout: Checkout) -> str:
    """Finish what a killed run began here. Return a line about it; empty when nothing was begun.

    Call it only with the run's lock held. A file that is in neither its old nor its new state is a person's: Refused.
    """
    checkout.check()
    files = _Files.of(checkout)
    journal = _journal(files)
    old, new, branch = journal or ("", "", checkout.branch)
    refuse_foreign_locks(checkout.git_dir, branch, new)
    if journal is None:
        _drop_dead_index_lock(files)
        files.fresh_index.unlink(missing_ok=True)
        shutil.rmtree(checkout.stage, ignore_errors=True)
        return ""
    if files.lock.exists() and not same_file(files.lock, files.fresh_index):
        raise foreign_lock(files.lock)
    checkout = replace(checkout, branch=branch)
    now = checkout.git.line("rev-parse", "--verify", branch)
    if now not in (old, new) or checkout.git.line("symbolic-ref", "-q", "HEAD", ok=(0, 1)) != branch:
        said = f"{branch} has moved since a run was killed here; nothing was finished"
    elif _is_finished(checkout, files, now, new):
        said = "a killed run had just finished"
    else:
        _finish(checkout, files, old, new, now)
        return f"{checkout.folder}: finished what a killed run began ({old[:12]} -> {new[:12]})"
    files.lock.unlink(missing_ok=True)
    _close(checkout)
    return f"{checkout.folder}: {said}"


def _journal(files: _Files) -> tuple[str, str, str] | None:
    """Return what a killed run had begun: the old commit, the new one, the branch. None when it had begun nothing."""
    try:
        journal = strict_json.mapping(regular_file.text(files.journal))
        return str(journal["old"]), str(journal["new"]), str(journal["branch"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise Trouble(
            f"{files.journal} cannot be read", fix=f"read it, then delete it: rm {shlex.quote(str(files.journal))}"
        ) from None


def _drop_dead_index_lock(files: _Files) -> None:
    """Without a journal nothing was begun: delete a lock of ours, refuse another's."""
    if not files.lock.exists():
        return
    if not same_file(files.lock, files.fresh_index):
        raise foreign_lock(files.lock) from None
    files.lock.unlink()


def _is_finished(checkout: Checkout, files: _Files, now: str, new: str) -> bool:
    """Whether the killed run had only to clean up."""
    if not files.fresh_index.exists():
        return True
    if files.lock.exists() or now != new:
        return False
    if same_file(files.fresh_index, files.index):
        return True
    return not checkout.git.read("diff-index", "--cached", "--name-only", new)


def _finish(checkout: Checkout, files: _Files, old: str, new: str, now: str) -> None:
    """Bring work tree, branch and index to `new`, whatever the killed run had done."""
    if not files.lock.exists():
        os.link(files.fresh_index, files.lock)
    edits = _between(checkout.git, old, new)
    foreign = _foreign(checkout, _between(checkout.git, new, old), edits)
    if foreign:
        files.lock.unlink(missing_ok=True)
        raise Refused(
            f"{checkout.folder}: a run was killed here, and {foreign[0]} has been changed since",
            fix=f"save your change elsewhere, then git -C {shlex.quote(str(checkout.folder))} checkout {now[:12]} -- {shlex.quote(foreign[0])}",
        )
    lay_out(checkout, edits)
    if now == old:
        _point(checkout, old, new, edits)
    os.replace(files.lock, files.index)
    _close(checkout)
    checkout.git.read("update-index", "-q", "--refresh", ok=(0, 1))


def _refuse_changed(checkout: Checkout, edits: Mapping[str, Entry | None], since: int) -> None:
    """Refuse when a file to be written was changed after the work tree was found clean."""
    for path in edits:
        try:
            status = os.lstat(os.path.join(checkout.folder, path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISDIR(status.st_mode) and max(status.st_mtime_ns, status.st_ctime_ns) > since:
            raise Refused(f"{path} was changed while this ran", fix="commit or stash it, then run this again")


def _foreign(checkout: Checkout, before: Mapping[str, Entry | None], edits: Mapping[str, Entry | None]) -> list[str]:
    """Return the paths whose file is neither in its old nor in its new state. An absent file and a folder are neither."""
    there = {path for path in edits if _is_file(checkout.folder / path)}
    odd = there - _alike(checkout.git, before, there)
    return sorted(odd - _alike(checkout.git, edits, odd))


def _alike(git: Git, states: Mapping[str, Entry | None], paths: set[str]) -> set[str]:
    """Return those of the paths whose file is in this state."""
    wanted = {path: entry for path in paths if (entry := states.get(path))}
    return wanted.keys() - set(hidden.unlike(git, wanted))


def _is_file(place: Path) -> bool:
    return os.path.lexists(place) and (place.is_symlink() or not place.is_dir())


def _between(git: Git, old: str, new: str) -> dict[str, Entry | None]:
    """Return what differs between two commits."""
    words = iter(decode(git.read("diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", old, new)).split("\0"))
    edits: dict[str, Entry | None] = {}
    for head in words:
        if head.startswith(":"):
            fields = head[1:].split()
            edits[next(words)] = None if fields[1] == "000000" else Entry(fields[1], fields[3])
    return edits


def _point(checkout: Checkout, old: str, new: str, edits: Mapping[str, Entry | None]) -> None:
    """Move the branch. When git refuses, the files get their old state back."""
    try:
        checkout.git.read("update-ref", "-m", "remote-first: migrate", checkout.branch, new, old)
    except ToolError:
        restore(checkout, edits)
        raise


def _close(checkout: Checkout) -> None:
    """Delete what a move leaves behind."""
    files = _Files.of(checkout)
    files.fresh_index.unlink(missing_ok=True)
    files.journal.unlink(missing_ok=True)
    shutil.rmtree(checkout.stage, ignore_errors=True)
    try:
        checkout.git.read("update-ref", "-d", NEXT)
    except ToolError:
        pass  # the next run overwrites the ref
