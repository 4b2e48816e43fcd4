"""The repository as its last commit has it: names, texts in bulk, and lines that hold a word. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from migration.git.objects import GITLINK, SYMLINK, Blobs, Git, Tree, decode, is_binary
from tasks.core.errors import REFUSED, ToolError, Trouble

_MAX_BYTES = 1_000_000


class Hit(NamedTuple):
    """A line of a file. line: from 1."""

    path: str
    line: int
    text: str

    @property
    def where(self) -> str:
        """Return `file:line`."""
        return f"{self.path}:{self.line}"


class Sources:
    """What a scan may read of one repository."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.git = folder, Git(folder)
        try:
            self.commit, root = self.git.line("rev-parse", "HEAD^{commit}", "HEAD^{tree}").split()
            listing = self.git.read("ls-tree", "-r", "-t", "-z", "HEAD")
        except (ToolError, OSError):
            fix = f"name another: --core PATH; {folder} must be a git repository with a commit"
            raise Trouble(f"{folder} has no commit to scan", fix=fix, code=REFUSED) from None
        if below := self.git.line("rev-parse", "--show-prefix"):
            top = self.folder.resolve().parents[below.rstrip("/").count("/")]
            raise Trouble(f"{folder} is a folder of the repository {top}", fix=f"--core {top}", code=REFUSED)
        self.tree = Tree.parse(listing, root)
        self.blobs = Blobs(self.git)

    def close(self) -> None:
        """End the git process that reads objects."""
        self.blobs.close()

    @cached_property
    def files(self) -> list[str]:
        """The paths of all files, in order, without symlinks and submodules."""
        entries = self.tree.files
        return [path for path in self.tree.order if entries[path].mode not in {SYMLINK, GITLINK}]

    @cached_property
    def submodules(self) -> list[str]:
        """The paths of all submodules."""
        return [path for path, entry in self.tree.files.items() if entry.mode == GITLINK]

    @cached_property
    def remote_urls(self) -> list[str]:
        """The URLs of the remotes."""
        config = decode(self.git.read("config", "--get-regexp", r"^remote\..*\.url$", ok=(0, 1)))
        return [line.partition(" ")[2] for line in config.splitlines()]

    def data(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the files that are text and not huge, with their bytes."""
        by_blob: dict[str, list[str]] = {}
        for path in paths:
            by_blob.setdefault(self.tree.files[path].oid, []).append(path)
        for oid, data in self.blobs.many(by_blob):
            if len(data) < _MAX_BYTES and not is_binary(data):
                for path in by_blob[oid]:
                    yield path, data

    def texts(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the text of each of these files that is text and not huge, by path."""
        return {path: data.decode("utf-8", "replace") for path, data in self.data(paths)}

    def text(self, path: str) -> str:
        """Return the text of a file; empty when it does not exist."""
        return self.texts([path]).get(path, "") if path in self.tree.files else ""

    def lines_with(self, words: Iterable[str], without: Iterable[str] = ()) -> list[Hit]:
        """Return the lines that hold one of the words. without: globs of git for paths that are not searched."""
        patterns = [part for word in words for part in ("-e", word)]
        if not patterns:
            return []
        excluded = [f":(exclude,glob){glob}" for glob in without]
        argv = ["grep", "-n", "-z", "-I", "-F", "--no-color", *patterns, "HEAD", "--", ".", *excluded]
        hits = []
        for line in decode(self.git.read(*argv, ok=(0, 1))).split("\n"):
            name, _, rest = line.partition("\0")
            number, _, text = rest.partition("\0")
            if number.isdigit():
                hits.append(Hit(name.removeprefix("HEAD:"), int(number), text[:500]))
        return hits
