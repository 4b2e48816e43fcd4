"""Commits and blobs written in bulk by one git process. Nothing points to them: a kill leaves what nobody sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from migration.git.locks import NEXT
from migration.git.objects import Entry, Git, decode, encode
from tasks.core.errors import Trouble


def import_commits(
    git: Git, commits: Iterable[tuple[str, bytes, dict[str, Entry | None], tuple[str, ...]]],
    blobs: Callable[[list[str]], Iterator[tuple[str, bytes]]], missing: list[str], expected: str,
) -> None:  # fmt: skip
    """Write commits and the blobs they need, in one process. No branch moves.

    commits: (id, headers and message as fast-import reads them, edits, parents), oldest first
    missing: ids of the blobs that the repository lacks; blobs: gives their bytes
    expected: the id of the last commit; another one is an error, and nothing points to it
    """
    with git.start("fast-import", "--quiet", "--done", "--force", "--date-format=raw", stdin=True) as child:
        try:
            write = child.stdin.write
            for _, data in blobs(missing):
                write(b"blob\ndata %d\n" % len(data))
                write(data)
                write(b"\n")
            for number, (_, head, edits, parents) in enumerate(commits, 1):
                write(b"commit %s\nmark :%d\n" % (NEXT.encode(), number) + head)
                # By its mark: fast-import does not yet find what it has just written by its id.
                first = b":%d" % (number - 1) if number > 1 else parents[0].encode()
                write(b"from %s\n" % first)
                for other in parents[1:]:
                    write(b"merge %s\n" % other.encode())
                for path, entry in edits.items():
                    if entry is None:
                        write(b"D " + _quoted(path) + b"\n")
                for path, entry in edits.items():
                    if entry is not None:
                        write(b"M %s %s " % (entry.mode.encode(), entry.oid.encode()) + _quoted(path) + b"\n")
                write(b"\n")
            write(b"done\n")
            child.stdin.flush()
        except BrokenPipeError:
            raise child.failed() from None
        child.result(timeout=1800)
    made = git.line("rev-parse", "--verify", NEXT)
    if made != expected:
        raise Trouble(f"git made the commit {made[:12]}, planned was {expected[:12]}; no branch was moved")


def commit_head(author: str, committer: str, message: str) -> bytes:
    """The lines of a commit as fast-import reads them."""
    body = encode(message)
    return encode(f"author {author}\ncommitter {committer}\n") + b"data %d\n" % len(body) + body + b"\n"


def absent(git: Git, oids: Iterable[str]) -> list[str]:
    """Those of the ids that the repository has not."""
    asked = list(dict.fromkeys(oids))
    if not asked:
        return []
    answer = decode(git.feed("".join(f"{o}\n" for o in asked).encode(), "cat-file", "--batch-check=%(objectname)"))
    return [line.split()[0] for line in answer.splitlines() if line.endswith(" missing")]


def _quoted(path: str) -> bytes:
    if path.isascii() and path.isprintable() and '"' not in path and "\\" not in path:
        return b'"' + path.encode() + b'"'
    special = {10: b"\\n", 34: b'\\"', 92: b"\\\\"}
    plain = (special.get(c) or (bytes((c,)) if 32 <= c < 127 else b"\\%03o" % c) for c in encode(path))
    return b'"' + b"".join(plain) + b'"'
