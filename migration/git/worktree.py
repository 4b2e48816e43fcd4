"""Brings the files of a work tree to another commit: each new file by a rename, and all undone when one fails."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from migration.git.locks import OWN
from migration.git.objects import GITLINK, SYMLINK, Blobs, Entry, Git, Tree
from tasks.core.errors import Trouble


@dataclass(frozen=True)
class Checkout:
    """A repository that is written to."""

    folder: Path
    """The work tree."""

    git_dir: Path

    branch: str
    """The full name of the ref; empty when HEAD is detached."""

    run: str
    """Marks the git processes of this run."""

    @property
    def git(self) -> Git:
        """Git in this work tree, its processes marked as this run's."""
        return Git(self.folder, self.run)

    @property
    def own(self) -> Path:
        """The folder inside the git folder that only the suite uses."""
        return self.git_dir / OWN

    @property
    def stage(self) -> Path:
        """Where new files are written before they are renamed to their places."""
        return self.own / "stage"


@contextmanager
def reported(folder: Path) -> Iterator[None]:
    """Report a write that fails with its file and its reason."""
    try:
        yield
    except OSError as why:
        what = f"{folder}: {why.filename or 'a file'} could not be written: {why.strerror}; all is as it was"
        place = shlex.quote(str(folder))
        fix = f"free some space (df -h {place}) or fix the owner (ls -ld {place}), then run this again"
        raise Trouble(what, fix=fix) from None


def lay_out(checkout: Checkout, edits: Mapping[str, Entry | None], old: str) -> None:
    """Give every path its new state. When one cannot be written, those written so far get their old state back."""
    shutil.rmtree(checkout.stage, ignore_errors=True)
    checkout.stage.mkdir(parents=True, exist_ok=True)
    done: list[str] = []
    blobs = Blobs(checkout.git)
    try:
        staged = _stage_all(checkout, edits, blobs)
        _delete(checkout.folder, [path for path, entry in edits.items() if entry is None], done)
        for path, source in staged.items():
            done.append(path)
            _put(source, checkout.folder / path)
        for path, entry in edits.items():
            if entry is not None and entry.mode == GITLINK:
                (checkout.folder / path).mkdir(parents=True, exist_ok=True)
    except OSError:
        restore(checkout, done, old, blobs)
        raise
    finally:
        blobs.close()
        shutil.rmtree(checkout.stage, ignore_errors=True)


def _stage_all(checkout: Checkout, edits: Mapping[str, Entry | None], blobs: Blobs) -> dict[str, Path]:
    """Write every new file beside the work tree: path -> where it is staged."""
    by_oid: dict[str, list[tuple[str, Entry]]] = {}
    for path, entry in edits.items():
        if entry is not None and entry.mode != GITLINK:
            by_oid.setdefault(entry.oid, []).append((path, entry))
    staged: dict[str, Path] = {}
    for oid, data in blobs.many(by_oid):
        for path, entry in by_oid[oid]:
            staged[path] = _staged(checkout.stage / str(len(staged)), entry, data)
    return staged


def _delete(root: Path, paths: list[str], done: list[str]) -> None:
    """Delete these files and the folders that are empty then. done: gets each path that was tried."""
    folders: set[str] = set()
    for path in paths:
        done.append(path)
        try:
            os.unlink(os.path.join(root, path))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except IsADirectoryError:
            continue  # a submodule's folder
        folders.add(os.path.dirname(path))
    _delete_empty(root, folders)


def _staged(target: Path, entry: Entry, data: bytes) -> Path:
    if entry.mode == SYMLINK:
        os.symlink(data, os.fsencode(target))
    else:
        mode = 0o777 if entry.mode == "100755" else 0o666
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    return target


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(source, target)
    except OSError as why:
        if why.errno != errno.EXDEV:  # the git folder is on another file system
            raise
        beside = target.with_name(f".{target.name[:80]}.remote-first")
        shutil.copy2(source, beside, follow_symlinks=False)
        os.replace(beside, target)


def _delete_empty(root: Path, folders: set[str]) -> None:
    """Delete folders that are empty now, and their parents. A folder with untracked files stays."""
    levels: dict[int, set[str]] = {}
    for folder in folders - {""}:
        levels.setdefault(folder.count("/"), set()).add(folder)
    for depth in range(max(levels, default=-1), -1, -1):  # the deepest first, so that each folder is tried once
        for folder in levels.get(depth, ()):
            try:
                os.rmdir(os.path.join(root, folder))
            except OSError:
                continue
            if depth:
                levels.setdefault(depth - 1, set()).add(os.path.dirname(folder))


def restore(checkout: Checkout, paths: list[str], old: str, blobs: Blobs) -> None:
    """Give these paths the state they have in the commit `old`, and delete folders that are empty then."""
    tree = Tree.parse(checkout.git.read("ls-tree", "-r", "-z", old), old)
    for path in paths:
        entry, target = tree.get(path), checkout.folder / path
        if entry is None:
            target.unlink(missing_ok=True)
            _delete_empty(checkout.folder, {os.path.dirname(path)})
        elif entry.mode != GITLINK:
            scratch = checkout.stage / "back"
            scratch.unlink(missing_ok=True)
            _put(_staged(scratch, entry, blobs.get(entry.oid)), target)
