"""Writes commits and blobs in bulk with one `git fast-import`. No branch points to them, so a kill leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from migration.git.locks import NEXT
from migration.git.objects import Entry, Git, decode, encode
from tasks.core.errors import Trouble

_LIMIT = 1800.0  # seconds; a large repository on a slow disk


class PlannedCommit(NamedTuple):
    """A commit to be written."""

    id: str
    head: bytes
    """Headers and message as fast-import reads them, see `commit_head`."""

    edits: dict[str, Entry | None]
    """Path -> entry; None where the path is deleted."""

    parents: tuple[str, ...]


def import_commits(
    git: Git,
    commits: Iterable[PlannedCommit],
    blobs: Callable[[list[str]], Iterator[tuple[str, bytes]]],
    missing: list[str],
    expected: str,
) -> None:
    """Write commits, oldest first, and the blobs they need. No branch moves.

    missing: ids of the blobs that the repository lacks; blobs: returns their content
    expected: the id of the last commit; any other id is an error
    """
    with git.start("fast-import", "--quiet", "--done", "--force", "--date-format=raw", stdin=True) as child:
        write = child.stdin.write
        try:
            for _, data in blobs(missing):
                write(b"blob\ndata %d\n" % len(data) + data + b"\n")
            for number, commit in enumerate(commits, 1):
                _write_commit(write, number, commit)
            write(b"done\n")
            child.stdin.flush()
        except BrokenPipeError:
            raise child.failed() from None
        child.result(timeout=_LIMIT)
    made = git.line("rev-parse", "--verify", NEXT)
    if made != expected:
        raise Trouble(f"git made the commit {made[:12]}, planned was {expected[:12]}; no branch was moved")


def _write_commit(write: Callable[[bytes], object], number: int, commit: PlannedCommit) -> None:
    """Write one commit. Deletions come first: a file may become a folder."""
    write(b"commit %s\nmark :%d\n" % (NEXT.encode(), number) + commit.head)
    # By its mark: fast-import does not yet find what it has just written by its id.
    first = b":%d" % (number - 1) if number > 1 else commit.parents[0].encode()
    write(b"from %s\n" % first)
    for other in commit.parents[1:]:
        write(b"merge %s\n" % other.encode())
    for path, entry in commit.edits.items():
        if entry is None:
            write(b"D " + _quoted(path) + b"\n")
    for path, entry in commit.edits.items():
        if entry is not None:
            write(b"M %s %s " % (entry.mode.encode(), entry.oid.encode()) + _quoted(path) + b"\n")
    write(b"\n")


def commit_head(author: str, committer: str, message: str) -> bytes:
    """Return the lines of a commit as fast-import reads them."""
    body = encode(message)
    return encode(f"author {author}\ncommitter {committer}\n") + b"data %d\n" % len(body) + body + b"\n"


def absent(git: Git, oids: Iterable[str]) -> list[str]:
    """Return those of the ids that the repository lacks."""
    asked = list(dict.fromkeys(oids))
    if not asked:
        return []
    answer = decode(git.feed("".join(f"{oid}\n" for oid in asked).encode(), "cat-file", "--batch-check=%(objectname)"))
    return [line.split()[0] for line in answer.splitlines() if line.endswith(" missing")]


def _quoted(path: str) -> bytes:
    if path.isascii() and path.isprintable() and '"' not in path and "\\" not in path:
        return b'"' + path.encode() + b'"'
    special = {10: b"\\n", 34: b'\\"', 92: b"\\\\"}
    plain = (special.get(c) or (bytes((c,)) if 32 <= c < 127 else b"\\%03o" % c) for c in encode(path))
    return b'"' + b"".join(plain) + b'"'
