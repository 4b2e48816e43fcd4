"""Files that `git status` does not look at, because a person set their assume-unchanged or skip-worktree bit."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from migration.git.objects import GITLINK, SYMLINK, Entry, Git, decode, encode, object_id
from tasks.core.errors import REFUSED, Problem, ToolError

LISTING = ("ls-files", "-v", "-z")
_ROW = re.compile(rb"\0([a-zS]) ([^\0]+)")
_ASSUMED, _SKIPPED = "assume-unchanged", "skip-worktree"
_MOST_NAMED = 10


def bits(listing: bytes) -> dict[str, tuple[str, ...]]:
    """Return path -> its bits, of the paths that have any. listing: what git prints for LISTING"""
    found = {}
    for letter, path in _ROW.findall(b"\0" + listing):
        skipped = letter in b"sS"
        assumed = letter.islower()
        found[decode(path)] = (*([_ASSUMED] if assumed else []), *([_SKIPPED] if skipped else []))
    return found


def problems(name: str, folder: Path, found: Mapping[str, tuple[str, ...]], changed: list[str]) -> list[Problem]:
    """Return a problem for each of the first of these paths. changed: paths with bits whose content would be lost"""
    place = shlex.quote(str(folder))
    rows = []
    for path in changed[:_MOST_NAMED]:
        unset = " && ".join(f"git -C {place} update-index --no-{bit} -- {shlex.quote(path)}" for bit in found[path])
        what = f"{name}: {path} differs from its commit, and git status does not show it: {', '.join(found[path])}"
        fix = f"{unset}; then commit it, or git -C {place} checkout -- {shlex.quote(path)}"
        rows.append(Problem(what, fix=fix, code=REFUSED))
    return rows


def unlike(git: Git, wanted: Mapping[str, Entry]) -> list[str]:
    """Return the paths whose file in the work tree is not what the entry says, in order. Only these files are read."""
    doubtful = []
    for path, entry in sorted(wanted.items()):
        if entry.mode != GITLINK and not _is_exactly(git.folder / path, entry):
            doubtful.append(path)
    converted = _as_git_stores(git, [path for path in doubtful if _is_regular(git.folder / path)])
    return [path for path in doubtful if converted.get(path) != wanted[path]]


def _is_regular(place: Path) -> bool:
    return place.is_file() and not place.is_symlink()


def _is_exactly(place: Path, entry: Entry) -> bool:
    """Whether the file holds the blob's own bytes. False also where a filter or line ends make the difference."""
    try:
        status = place.lstat()
        if stat.S_ISLNK(status.st_mode):
            body = encode(os.readlink(place))
        elif stat.S_ISREG(status.st_mode):
            body = place.read_bytes()
        else:
            return False
    except OSError:
        return False
    return Entry(_mode(status.st_mode), object_id("blob", body, len(entry.oid))) == entry


def _mode(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return SYMLINK
    return "100755" if mode & stat.S_IXUSR else "100644"


def _as_git_stores(git: Git, paths: list[str]) -> dict[str, Entry]:
    """Return the entries that git would make of these files: filters and line ends as their attributes say."""
    plain = [path for path in paths if "\n" not in path]
    try:
        answer = git.feed(
            "".join(f"{path}\n" for path in plain).encode("utf-8", "surrogateescape"), "hash-object", "--stdin-paths"
        )
        oids = dict(zip(plain, decode(answer).split(), strict=True)) if plain else {}
        oids |= {path: git.line("hash-object", "--", path) for path in paths if "\n" in path}
    except ToolError:
        return {}  # a filter failed: the files may hold changes
    return {path: Entry(_mode((git.folder / path).lstat().st_mode), oid) for path, oid in oids.items()}


def keep(git: Git, index: Path, wanted: Mapping[str, Iterable[str]]) -> None:
    """Set the bits of these paths in an index."""
    for bit in (_ASSUMED, _SKIPPED):
        paths = b"".join(encode(path) + b"\0" for path, found in wanted.items() if bit in found)
        if paths:
            git.feed(paths, "update-index", f"--{bit}", "-z", "--stdin", GIT_INDEX_FILE=str(index))
