"""Changes files below a folder without following a link: a link that appears meanwhile leads nowhere else."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ACROSS = ".remote-first"  # ends the name of a file that is being copied to another file system


class InTheWay(OSError):
    """A link or a file is where a path needs a folder. filename: its path, from the root."""


class Beneath:
    """A folder whose files are changed. Use it as a context. Consecutive paths of one folder open it once."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, _FOLDER)
        self._names: list[str] = []
        self._open: list[int] = []

    def __enter__(self) -> Beneath:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keep(0)
        os.close(self._root)

    def unlink(self, path: str) -> bool:
        """Delete the file or the link. Return False for a folder; what does not exist is deleted already."""
        folder, name = self._parent(path)
        try:
            if folder is not None:
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            return False
        return True

    def put(self, source: Path, path: str) -> None:
        """Rename the file or link `source` to the path; the folders above it are created."""
        folder, name = self._parent(path, make=True)
        try:
            os.replace(source, name, dst_dir_fd=folder)
        except OSError as why:
            if why.errno != errno.EXDEV:  # the git folder is on another file system
                raise OSError(why.errno, why.strerror, path) from None
            _copy(source, name, folder)

    def make_folder(self, path: str) -> None:
        """Create the folder and those above it."""
        self._parent(f"{path}/.", make=True)

    def prune(self, folders: Iterable[str]) -> None:
        """Delete folders that are empty, and their parents. A folder with other files stays."""
        levels: dict[int, set[str]] = {}
        for folder in set(folders) - {""}:
            levels.setdefault(folder.count("/"), set()).add(folder)
        for depth in range(max(levels, default=-1), -1, -1):  # the deepest first, so that each folder is tried once
            for folder in sorted(levels.get(depth, ())):
                if self._is_pruned(folder) and depth:
                    levels.setdefault(depth - 1, set()).add(os.path.dirname(folder))

    def _is_pruned(self, path: str) -> bool:
        try:
            folder, name = self._parent(path)
            if folder is not None:
                os.rmdir(name, dir_fd=folder)
        except OSError:
            return False
        return True

    def _parent(self, path: str, *, make: bool = False) -> tuple[int | None, str]:
        """Return the open folder of the path, None when it does not exist, and the path's name in it."""
        *folders, name = path.split("/")
        same = 0
        while same < min(len(folders), len(self._names)) and folders[same] == self._names[same]:
            same += 1
        self._keep(same)
        for part in folders[same:]:
            handle = self._enter(part, make)
            if handle is None:
                return None, name
            self._names.append(part)
            self._open.append(handle)
        return self._here, name

    @property
    def _here(self) -> int:
        return self._open[-1] if self._open else self._root

    def _enter(self, part: str, make: bool) -> int | None:
        try:
            return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=self._here)
        except FileNotFoundError:
            if not make:
                return None
        except OSError as why:
            if why.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            place = "/".join([*self._names, part])
            raise InTheWay(errno.ENOTDIR, "a link or a file is where a folder belongs", place) from None
        os.mkdir(part, dir_fd=self._here)
        return self._enter(part, make=False)

    def _keep(self, count: int) -> None:
        """Close the open folders but the first ones."""
        while len(self._open) > count:
            os.close(self._open.pop())
            self._names.pop()


def _copy(source: Path, name: str, folder: int | None) -> None:
    """Copy the file or link under another name into the open folder, then rename it to its own name there."""
    fresh = f".{name[:80]}{_ACROSS}"
    try:
        os.unlink(fresh, dir_fd=folder)
    except FileNotFoundError:
        pass
    status = os.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source), fresh, dir_fd=folder)
    else:
        target = os.open(fresh, _FRESH, stat.S_IMODE(status.st_mode), dir_fd=folder)
        with os.fdopen(target, "wb") as file, source.open("rb") as content:
            shutil.copyfileobj(content, file)
    os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
