"""Writing to a repository so that a kill at any moment leaves the old commit or the new one, never something between.

A move from one commit to another goes: objects; an index of its own; a journal; the lock of git's index, held as a
second name of that very file, so that a later run knows whose lock it is; the work tree, each file by a rename; the
branch; the index. Whoever finds the journal of a dead run goes on from what he sees.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping

from migration.git.locks import NEXT, drop_dead_ref_locks, foreign_lock, same_file, write_json
from migration.git.objects import GITLINK, Blobs, Entry, Git, decode, encode, object_id
from migration.git.worktree import Place, lay_out, restore, writing
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.process.processes import started


def move(place: Place, old: str, new: str, edits: Mapping[str, Entry | None], since: int) -> None:
    """Bring branch, index and work tree from `old` to `new`. edits: all paths that differ between the two.

    since: when the work tree was found clean (ns); a file changed after it stops the move, before anything is done
    """
    with writing(place.folder):
        _move(place, old, new, edits, since)
    if any(edits.values()):
        place.git.read("update-index", "-q", "--refresh", ok=(0, 1))


def _move(place: Place, old: str, new: str, edits: Mapping[str, Entry | None], since: int) -> None:
    own = place.own
    own.mkdir(exist_ok=True)
    index = own / "index.new"
    for rest in (index, own / "index.new.lock"):
        rest.unlink(missing_ok=True)
    current = place.git_dir / "index"
    if current.exists():
        shutil.copyfile(current, index)
    place.git.read("read-tree", "-i", "-m", old, new, GIT_INDEX_FILE=str(index))
    run = {"run": place.run, "pid": os.getpid(), "start": started(os.getpid())}
    write_json(own / "journal.json", {**run, "old": old, "new": new, "branch": place.branch})
    lock = place.git_dir / "index.lock"
    try:
        os.link(index, lock)
    except FileExistsError:
        (own / "journal.json").unlink()
        raise foreign_lock(lock) from None
    try:
        if place.git.line("rev-parse", "--verify", "HEAD") != old:
            raise Refused(f"{place.folder}: HEAD moved while this ran", fix="look again: inv migrate.status")
        _unchanged(place, edits, since)
        lay_out(place, edits, old)
        _point(place, old, new, edits)
    except (Trouble, OSError):  # all is as it was; an interrupt leaves the journal, and the next run goes on from there
        lock.unlink(missing_ok=True)
        (own / "journal.json").unlink(missing_ok=True)
        raise
    os.replace(lock, current)
    _close(place)


def resume(place: Place) -> str:
    """Finish what a killed run began here. Returns a line about it, empty when nothing was open.

    Only with the run's lock held. A file that is neither in its old nor in its new state is a person's: it stops us.
    """
    drop_dead_ref_locks(place.git_dir, place.branch)
    path = place.own / "journal.json"
    index, lock = place.own / "index.new", place.git_dir / "index.lock"
    try:
        noted = json.loads(path.read_text())
        old, new, branch = noted["old"], noted["new"], noted["branch"]
    except FileNotFoundError:
        if lock.exists():
            if same_file(lock, index):
                lock.unlink()
            else:
                raise foreign_lock(lock) from None
        shutil.rmtree(place.own / "stage", ignore_errors=True)
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        raise Trouble(f"{path} cannot be read", fix=f"look at it, then remove it: rm {path}") from None
    if lock.exists() and not same_file(lock, index):
        raise foreign_lock(lock)
    there = Place(place.folder, place.git_dir, branch, place.run)
    now = there.git.line("rev-parse", "--verify", branch)
    if now not in (old, new) or there.git.line("symbolic-ref", "-q", "HEAD", ok=(0, 1)) != branch:
        lock.unlink(missing_ok=True)
        _close(place)
        return f"{place.folder}: {branch} has moved since a run was killed here; nothing was finished"
    finished = (
        not lock.exists()
        and now == new
        and (
            not index.exists()
            or same_file(index, place.git_dir / "index")
            or not there.git.read("diff-index", "--cached", "--name-only", new)
        )
    )
    if finished or not index.exists():
        lock.unlink(missing_ok=True)
        _close(place)
        return f"{place.folder}: a killed run had just finished"
    if not lock.exists():
        os.link(index, lock)
    edits = _between(there.git, old, new)
    foreign = [p for p, e in edits.items() if not _is_either(there, p, old, e)]
    if foreign:
        lock.unlink(missing_ok=True)
        raise Refused(
            f"{place.folder}: a run was killed here, and {foreign[0]} has been changed since",
            fix=f"save your change elsewhere, then git -C {place.folder} checkout {now[:12]} -- '{foreign[0]}'",
        )
    lay_out(there, edits, old)
    if now == old:
        _point(there, old, new, edits)
    os.replace(lock, place.git_dir / "index")
    _close(place)
    there.git.read("update-index", "-q", "--refresh", ok=(0, 1))
    return f"{place.folder}: finished what a killed run began ({old[:12]} -> {new[:12]})"


def _unchanged(place: Place, edits: Mapping[str, Entry | None], since: int) -> None:
    for path in edits:
        try:
            found = os.lstat(os.path.join(place.folder, path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISDIR(found.st_mode) and max(found.st_mtime_ns, found.st_ctime_ns) > since:
            raise Refused(f"{path} was changed while this ran", fix="commit or stash it, then run this again")


def _is_either(place: Place, path: str, old: str, new: Entry | None) -> bool:
    target = place.folder / path
    if not os.path.lexists(target):
        return True
    if new is not None and new.mode == GITLINK:
        return True
    if target.is_dir() and not target.is_symlink():
        return new is None
    body = encode(os.readlink(target)) if target.is_symlink() else target.read_bytes()
    oid = object_id("blob", body, len(old))
    if new is not None and oid == new.oid:
        return True
    row = place.git.read("ls-tree", "-z", old, "--", f":(literal){path}").split(b"\t")[0].split()
    return len(row) == 3 and row[2].decode() == oid


def _between(git: Git, old: str, new: str) -> dict[str, Entry | None]:
    words = iter(decode(git.read("diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", old, new)).split("\0"))
    found: dict[str, Entry | None] = {}
    for head in words:
        if head.startswith(":"):
            fields = head[1:].split()
            found[next(words)] = None if fields[1] == "000000" else Entry(fields[1], fields[3])
    return found


def _point(place: Place, old: str, new: str, edits: Mapping[str, Entry | None]) -> None:
    try:
        place.git.read("update-ref", "-m", "remote-first: migrate", place.branch, new, old)
    except ToolError:
        blobs = Blobs(place.git)
        (place.own / "stage").mkdir(exist_ok=True)
        restore(place, list(edits), old, blobs)
        blobs.close()
        raise


def _close(place: Place) -> None:
    (place.own / "index.new").unlink(missing_ok=True)
    (place.own / "journal.json").unlink(missing_ok=True)
    shutil.rmtree(place.own / "stage", ignore_errors=True)
    try:
        place.git.read("update-ref", "-d", NEXT)
    except ToolError:
        pass  # a leftover ref of ours does no harm; the next run overwrites it
