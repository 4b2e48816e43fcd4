"""Write a history with `git fast-import`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.legacy.archive import Tree
from sandbox.legacy.git import git

GITLINK = "160000"


@dataclass(frozen=True)
class Commit:
    """One commit: author, time (seconds since 1970 and zone), message and changes.

    renames:  old folder or file -> new, applied first
    files:    written unchanged
    removed:  deleted paths
    links:    path of a submodule -> the commit that it pins
    branch:   its branch; a new branch starts at `main`
    merges:   a branch that this commit joins
    """

    author: str
    when: str
    subject: str
    files: Tree
    renames: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    branch: str = "main"
    merges: str = ""


def write(repository: Path, commits: Iterable[Commit]) -> str:
    """Write the commits into an empty repository and return the head of `main`."""
    stream = b"".join(_stream(commits))
    fast = ("-c", "core.compression=1", "fast-import", "--quiet", "--done", "--depth=0")
    git(repository, *fast, data=stream)
    return git(repository, "rev-parse", "refs/heads/main")


def _stream(commits: Iterable[Commit]) -> Iterator[bytes]:
    started: set[str] = set()
    for commit in commits:
        yield f"commit refs/heads/{commit.branch}\n".encode()
        yield f"author {commit.author} {commit.when}\ncommitter {commit.author} {commit.when}\n".encode()
        yield _data(f"{commit.subject}\n".encode())
        if commit.branch not in started and started:
            yield b"from refs/heads/main\n"
        if commit.merges:
            yield f"merge refs/heads/{commit.merges}\n".encode()
        started.add(commit.branch)
        for old, new in commit.renames.items():
            yield b"R %s %s\n" % (quoted(old), quoted(new))
        for path in commit.removed:
            yield b"D %s\n" % quoted(path)
        for path, entry in commit.files.items():
            yield b"M %s inline %s\n" % (entry.mode.encode(), quoted(path)) + _data(entry.data)
        for path, pinned in commit.links.items():
            yield b"M %s %s %s\n" % (GITLINK.encode(), pinned.encode(), quoted(path))
    yield b"done\n"


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def quoted(path: str) -> bytes:
    """The path as fast-import reads it: quoted, with backslash, quote and line feed escaped."""
    raw = path.encode("utf-8", "surrogateescape")
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
