"""Brings the files of a work tree to another commit: each new file by a rename, and all undone when one fails."""

from __future__ import annotations

import shlex
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from migration.git.beneath import Beneath, InTheWay
from migration.git.locks import OWN
from migration.git.objects import GITLINK, Entry, Git, encode
from tasks.core.errors import Refused, ToolError, Trouble

_LIMIT = 1800.0  # seconds; a filter may fetch what it restores
_ALL = "--ignore-skip-worktree-bits"  # git before 2.36 has no such option and skips none
_USAGE = 129  # git's exit code for an unknown option


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

    @property
    def fresh_index(self) -> Path:
        """The index of the new commit, until it becomes git's."""
        return self.own / "index.new"

    def check(self) -> None:
        """Raise Refused when a link or a file is where the suite's own folders belong."""
        for place in (self.own, self.stage):
            with suppress(FileNotFoundError):
                if not stat.S_ISDIR(place.lstat().st_mode):
                    raise Refused(f"{place} is not a folder", fix=f"look at it: ls -l {shlex.quote(str(place))}")

    def prepare(self) -> None:
        """Make the suite's own folder."""
        self.check()
        self.own.mkdir(exist_ok=True)


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


def lay_out(checkout: Checkout, edits: Mapping[str, Entry | None]) -> None:
    """Give every path its new state. When one cannot be written, those written so far get their old state back."""
    done: list[str] = []
    with Beneath(checkout.folder) as tree:
        try:
            fresh = {path for path, entry in edits.items() if entry is not None and entry.mode != GITLINK}
            stage(checkout, fresh, checkout.fresh_index)
            _delete(tree, edits, done)
            for path in sorted(fresh):
                done.append(path)
                tree.put(checkout.stage / path, path)
            for path, entry in edits.items():
                if entry is not None and entry.mode == GITLINK:
                    tree.make_folder(path)
        except InTheWay as why:
            restore(checkout, done)
            raise _replaced(checkout, str(why.filename)) from None
        except OSError:
            restore(checkout, done)
            raise
        finally:
            shutil.rmtree(checkout.stage, ignore_errors=True)


def stage(checkout: Checkout, paths: Iterable[str], index: Path) -> None:
    """Let git write these files of an index beside the work tree, converted as their attributes say."""
    checkout.prepare()
    shutil.rmtree(checkout.stage, ignore_errors=True)
    checkout.stage.mkdir()
    wanted = b"".join(encode(path) + b"\0" for path in sorted(paths))
    if not wanted:
        return
    words = ("checkout-index", "-z", "--stdin", f"--prefix={checkout.stage}/")
    try:
        checkout.git.feed(wanted, *words, _ALL, timeout=_LIMIT, GIT_INDEX_FILE=str(index))
    except ToolError as why:
        if why.exit != _USAGE:
            raise
        checkout.git.feed(wanted, *words, timeout=_LIMIT, GIT_INDEX_FILE=str(index))


def _delete(tree: Beneath, edits: Mapping[str, Entry | None], done: list[str]) -> None:
    """Delete what has no new state, and the folders that are empty then. done: gets each path that was tried."""
    folders: set[str] = set()
    for path in sorted(path for path, entry in edits.items() if entry is None):
        done.append(path)
        try:
            if not tree.unlink(path):
                continue  # a submodule's folder
        except InTheWay as why:
            if not edits.get(str(why.filename)):  # else a killed run has put it there
                raise
        folders.add(path.rpartition("/")[0])
    tree.prune(folders)


def _replaced(checkout: Checkout, place: str) -> Refused:
    what = f"{checkout.folder}: {place} became a link or a file while this ran; nothing was written through it"
    return Refused(
        what, fix=f"put the folder back: ls -ld {shlex.quote(str(checkout.folder / place))}, then run this again"
    )


def restore(checkout: Checkout, paths: Iterable[str]) -> None:
    """Give these paths the state they have in git's index, which is still the old one."""
    listing = checkout.git.read("ls-files", "-s", "-z").decode("utf-8", "surrogateescape").split("\0")
    tracked = {row.partition("\t")[2] for row in listing if not row.startswith(GITLINK)}
    links = {row.partition("\t")[2] for row in listing if row.startswith(GITLINK)}
    wanted = set(paths) - links
    stage(checkout, wanted & tracked, checkout.git_dir / "index")
    with Beneath(checkout.folder) as tree:
        for path in sorted(wanted - tracked):
            with suppress(InTheWay):
                tree.unlink(path)
        tree.prune(path.rpartition("/")[0] for path in wanted - tracked)
        for path in sorted(wanted & tracked):
            with suppress(InTheWay):  # what was there was moved away, with its files
                tree.put(checkout.stage / path, path)
