"""Git's trees and blobs, read in bulk: one process for a tree, one for any number of blobs, none per file.

Ids of trees and commits are computed here, so that a plan knows them before anything is written.
Paths are str. Bytes that are not UTF-8 become surrogates, and turn back into the same bytes.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shlex
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from migration.git.pipe import Piped
from tasks.core.errors import ToolError

# Set by a surrounding git (a hook, an alias): they would point every call to another repository.
_FOREIGN = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
)
# A user's configuration may set these otherwise. With submodule.recurse every move would also update submodules.
_PINNED = (
    *("-c", "core.quotepath=off", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false"),
    *("-c", "submodule.recurse=false"),
)
NO_HOOKS = ("core.hooksPath", os.devnull)  # where no hook can be
MARK = "REMOTE_FIRST_RUN"  # in the environment of every git process: a later run recognises the processes of a dead one
SYMLINK, GITLINK = "120000", "160000"


class Entry(NamedTuple):
    """What is at a path: git's mode (six digits) and the id of the blob, or of a submodule's commit."""

    mode: str
    oid: str


def encode(path: str) -> bytes:
    """Return the path's bytes."""
    return path.encode("utf-8", "surrogateescape")


def decode(path: bytes) -> str:
    """Return the path of these bytes."""
    return path.decode("utf-8", "surrogateescape")


def environment(run: str = "", **more: str) -> dict[str, str]:
    """Return the environment of a git process: no other repository, no optional locks, no prompts, English messages."""
    kept = {k: v for k, v in os.environ.items() if k not in _FOREIGN}
    kept |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_NO_REPLACE_OBJECTS": "1"}
    return kept | ({MARK: run} if run else {}) | more


@dataclass(frozen=True)
class Git:
    """Git in one work tree. run: marks the processes of a writing run."""

    folder: Path
    run: str = ""

    def start(self, *args: str, stdin: bool = False, **env: str) -> Piped:
        """Start git and return at once, so that several processes work at the same time."""
        hooks = () if args[0] == "push" else ("-c", "=".join(NO_HOOKS))  # a pre-push hook may guard what leaves
        argv = ["git", *_PINNED, *hooks, *args]
        return Piped(argv, cwd=self.folder, env=environment(self.run, **env), said=f"git {args[0]}", stdin=stdin)

    def read(self, *args: str, ok: tuple[int, ...] = (0,), timeout: float = 300.0, **env: str) -> bytes:
        """Run git and return its stdout."""
        with self.start(*args, stdin=False, **env) as child:
            return child.result(ok=ok, timeout=timeout)

    def line(self, *args: str, ok: tuple[int, ...] = (0,), **env: str) -> str:
        """Run git and return its stdout as one stripped line of text."""
        return decode(self.read(*args, ok=ok, timeout=300.0, **env)).strip()

    def feed(self, data: bytes, *args: str, timeout: float = 300.0, **env: str) -> bytes:
        """Run git with these bytes on its stdin."""
        with self.start(*args, stdin=True, **env) as child:
            child.send(data, close=True)
            return child.result(timeout=timeout)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector: with 100,000 new tuples it would scan all of them many times and free nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Tree:
    """A repository's tree: path -> Entry. It can be changed in memory and computes the id that git would give it.

    Folders that were not changed keep the id they were read with: the cost is that of the change, not of the tree.
    """

    def __init__(self, files: dict[str, Entry], folders: dict[str, str], width: int = 40) -> None:
        self.files = files
        self._folders = folders  # path of a folder ("" is the root) -> id of its tree, where it is known
        self._width = width
        self._order: list[str] | None = None

    @classmethod
    def parse(cls, listing: bytes, root: str) -> Tree:
        """Return the tree of `git ls-tree -r -t -z`. root: the id of its root."""
        files: dict[str, Entry] = {}
        folders = {"": root}
        entry = partial(tuple.__new__, Entry)
        with _no_collection():
            for line in decode(listing).split("\0"):
                head, _, path = line.partition("\t")
                kind = head[7:11]
                if kind == "blob":
                    files[path] = entry((head[:6], head[12:]))
                elif kind == "tree":
                    folders[path] = head[12:]
                elif kind == "comm":
                    files[path] = entry((GITLINK, head[14:]))
        return cls(files, folders, len(root))

    def copy(self) -> Tree:
        """Return an independent copy."""
        return Tree(dict(self.files), dict(self._folders), self._width)

    def get(self, path: str) -> Entry | None:
        """Return what is at the path: a file, a symlink or a submodule; None for a folder or nothing."""
        return self.files.get(path)

    def __contains__(self, path: str) -> bool:
        return path in self.files

    def has_folder(self, folder: str) -> bool:
        """Whether there is anything below this folder. folder: without a slash at its end"""
        return next(self.under(folder + "/"), None) is not None

    def under(self, prefix: str) -> Iterator[str]:
        """Yield the paths that begin with the prefix, in order. A folder's prefix ends in `/`."""
        order = self.order
        place = bisect_left(order, prefix)
        while place < len(order) and order[place].startswith(prefix):
            yield order[place]
            place += 1

    @property
    def order(self) -> list[str]:
        """All paths, sorted."""
        if self._order is None:
            self._order = sorted(self.files)
        return self._order

    def apply(self, edits: dict[str, Entry | None]) -> None:
        """Set the entries; None deletes the path."""
        few = len(edits) < 64
        for path, entry in edits.items():
            if self._order is not None and few:
                if entry is None and path in self.files:
                    del self._order[bisect_left(self._order, path)]
                elif entry is not None and path not in self.files:
                    insort(self._order, path)
            if entry is None:
                self.files.pop(path, None)
            else:
                self.files[path] = entry
            folder = path
            while folder:
                folder = folder.rpartition("/")[0]
                self._folders.pop(folder, None)
        if not few:
            self._order = None

    def id(self) -> str:
        """Return the id of the root tree."""
        return self._id_of("")

    def _id_of(self, folder: str) -> str:
        known = self._folders.get(folder)
        if known is None:
            known = object_id("tree", self._body(folder), self._width)
            self._folders[folder] = known
        return known

    def _body(self, folder: str) -> bytes:
        order, prefix = self.order, f"{folder}/" if folder else ""
        place = bisect_left(order, prefix)
        rows: list[tuple[bytes, bytes]] = []
        while place < len(order) and order[place].startswith(prefix):
            name, below, _ = order[place][len(prefix) :].partition("/")
            raw = encode(name)
            if below:
                oid = self._id_of(prefix + name)
                rows.append((raw + b"/", b"40000 " + raw + b"\0" + bytes.fromhex(oid)))
                place = bisect_left(order, f"{prefix}{name}0", place)  # "0" follows "/": past all of the folder
            else:
                entry = self.files[order[place]]
                rows.append((raw, entry.mode.encode() + b" " + raw + b"\0" + bytes.fromhex(entry.oid)))
                place += 1
        return b"".join(row for _, row in sorted(rows))


def object_id(kind: str, body: bytes, width: int = 40) -> str:
    """Return the id git gives an object of this kind and content. width: 40 in a SHA-1 repository, 64 with SHA-256."""
    digest = hashlib.sha256() if width == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(f"{kind} {len(body)}\0".encode())
    digest.update(body)
    return digest.hexdigest()


def commit_body(tree: str, parents: Iterable[str], author: str, committer: str, message: str) -> bytes:
    """Return the content of a commit object. author and committer: `Name <mail> seconds +zone`."""
    lines = [f"tree {tree}", *(f"parent {p}" for p in parents), f"author {author}", f"committer {committer}", ""]
    return encode("\n".join(lines) + "\n" + message)


class Blobs:
    """A repository's blobs, read through one `git cat-file --batch` that is started when first needed."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._child: Piped | None = None
        self._fresh: dict[str, bytes] = {}  # planned, not written yet
        self._lent: dict[str, Blobs] = {}  # planned copies from another repository

    def plan(self, data: bytes, width: int) -> str:
        """Keep the bytes of a blob that a plan will write. Return its id."""
        oid = object_id("blob", data, width)
        self._fresh[oid] = data
        return oid

    def lend(self, oid: str, lender: Blobs) -> None:
        """Read this blob in another repository, until the plan copies it from there."""
        self._lent[oid] = lender

    def planned(self, oid: str) -> bytes | None:
        """Return the bytes of a planned blob; None for any other."""
        return self._fresh.get(oid)

    def get(self, oid: str) -> bytes:
        """Return one blob's bytes."""
        return next(iter(self.many([oid])))[1]

    def many(self, oids: Iterable[str], most: int = 1000) -> Iterator[tuple[str, bytes]]:
        """Yield each id with its bytes, in any order. At most `most` requests are in the pipe, so that it never fills up."""
        batch: list[str] = []
        for oid in oids:
            fresh = self._fresh.get(oid)
            if fresh is not None:
                yield oid, fresh
                continue
            batch.append(oid)
            if len(batch) >= most:
                yield from self._split(batch)
                batch = []
        yield from self._split(batch)

    def _split(self, oids: list[str]) -> Iterator[tuple[str, bytes]]:
        yield from self._ask([o for o in oids if o not in self._lent])
        lenders = {id(self._lent[o]): self._lent[o] for o in oids if o in self._lent}
        for lender in lenders.values():
            yield from lender.many([o for o in oids if self._lent.get(o) is lender])

    def _ask(self, oids: list[str]) -> Iterator[tuple[str, bytes]]:
        if not oids:
            return
        if self._child is None:
            self._child = self._git.start("cat-file", "--batch", stdin=True)
        child = self._child
        try:
            child.send("".join(f"{oid}\n" for oid in oids).encode())
            for oid in oids:
                head = child.stdout.readline().split()
                if len(head) != 3:
                    raise ToolError(
                        f"git cat-file: the object {oid} is missing in {self._git.folder}",
                        tool="git",
                        fix=f"git -C {shlex.quote(str(self._git.folder))} fsck, then fetch it again",
                    )
                data = child.stdout.read(int(head[2]))
                child.stdout.read(1)
                yield oid, data
        except BrokenPipeError:
            raise child.failed() from None

    def close(self) -> None:
        """End the git process."""
        if self._child is not None:
            self._child.__exit__(None, None, None)
            self._child = None


def is_binary(data: bytes) -> bool:
    """Does git take the content for binary? It searches the first 8000 bytes for a NUL."""
    return b"\0" in data[:8000]
