"""The files of a work tree brought to another commit: each new file by a rename, and all undone when one fails."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from migration.git.locks import OWN
from migration.git.objects import GITLINK, SYMLINK, Blobs, Entry, Git, Tree
from tasks.core.errors import Trouble


@dataclass(frozen=True)
class Place:
    """A repository that is written to: its work tree, its git folder, its branch (full ref), and this run's mark."""

    folder: Path
    git_dir: Path
    branch: str
    run: str

    @property
    def git(self) -> Git:
        """git here, its children marked as this run's."""
        return Git(self.folder, self.run)

    @property
    def own(self) -> Path:
        """The folder inside the git folder that is ours."""
        return self.git_dir / OWN


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A write that fails is told with its file and its reason."""
    try:
        yield
    except OSError as why:
        what = f"{folder}: {why.filename or 'a file'} could not be written: {why.strerror}; all is as it was"
        fix = f"free some space (df -h {folder}) or mend the owner (ls -ld {folder}), then run this again"
        raise Trouble(what, fix=fix) from None


def lay_out(place: Place, edits: Mapping[str, Entry | None], old: str) -> None:
    """Give every path its new state. When one cannot be written, those done so far get their old state back."""
    stage = place.own / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True, exist_ok=True)
    writes = {p: e for p, e in edits.items() if e is not None and e.mode != GITLINK}
    done: list[str] = []
    staged: dict[str, Path] = {}
    blobs = Blobs(place.git)
    try:
        by_oid: dict[str, list[str]] = {}
        for path, entry in writes.items():
            by_oid.setdefault(entry.oid, []).append(path)
        for oid, data in blobs.many(by_oid):
            for path in by_oid[oid]:
                staged[path] = _staged(stage / str(len(staged)), writes[path], data)
        folders: set[str] = set()
        for path, new in edits.items():
            if new is None:
                done.append(path)
                target = os.path.join(place.folder, path)
                try:
                    os.unlink(target)
                except (FileNotFoundError, NotADirectoryError):
                    pass
                except IsADirectoryError:
                    continue  # a submodule's folder
                folders.add(os.path.dirname(path))
        _drop_empty(place.folder, folders)
        for path, source in staged.items():
            done.append(path)
            _put(source, place.folder / path)
        for path, new in edits.items():
            if new is not None and new.mode == GITLINK:
                (place.folder / path).mkdir(parents=True, exist_ok=True)
    except OSError:
        restore(place, done, old, blobs)
        raise
    finally:
        blobs.close()
        shutil.rmtree(stage, ignore_errors=True)


def _staged(place: Path, entry: Entry, data: bytes) -> Path:
    if entry.mode == SYMLINK:
        os.symlink(data, os.fsencode(place))
    else:
        mode = 0o777 if entry.mode == "100755" else 0o666
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    return place


def _put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(source, target)
    except OSError as why:
        if why.errno != errno.EXDEV:  # the git folder lies on another file system
            raise
        beside = target.with_name(f".{target.name[:80]}.remote-first")
        shutil.copy2(source, beside, follow_symlinks=False)
        os.replace(beside, target)


def _drop_empty(root: Path, folders: set[str]) -> None:
    """Remove folders that are empty now; one that still holds untracked files stays."""
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


def restore(place: Place, paths: list[str], old: str, blobs: Blobs) -> None:
    """Give these paths the state they have in the commit `old`; an empty folder that is left goes too."""
    listing = place.git.read("ls-tree", "-r", "-z", old)
    tree = Tree.parse(listing, old)
    for path in paths:
        entry, target = tree.get(path), place.folder / path
        if entry is None:
            target.unlink(missing_ok=True)
            _drop_empty(place.folder, {os.path.dirname(path)})
        elif entry.mode != GITLINK:
            scratch = place.own / "stage" / "back"
            scratch.unlink(missing_ok=True)
            _put(_staged(scratch, entry, blobs.get(entry.oid)), target)
