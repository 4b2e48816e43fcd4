"""List what a migrated work tree still says about the paths that were deleted: an independent check of the migration.

It shares no code with `migration.references`. It asks git which paths are gone, searches every remaining text file for
their full names, their base names and the names of folders that vanished, and resolves what it finds.

    python -m tests.migration.trials.left_references WORK_TREE BASE_COMMIT [--json]

Three kinds of findings, of which the first two make the exit code 1:

path      the line contains the full path of something deleted
relative  a token of the line leads to something deleted, from the file's folder or from a folder above it
name      only a base name that nothing else in the repository has; for a person to judge
"""

from __future__ import annotations

import argparse
import json
import os
import posixpath
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

_WORD = re.compile(r"[\w.@+-]+")
_TOKEN = re.compile(r"[\w./@+~-]+")
_MODULE_SUFFIXES = ("", ".py", ".js", ".ts", ".tsx", ".mjs", ".sh", ".star", ".bicep", ".tf")
_TEXT_SUFFIXES = (".md", ".mdx", ".rst", ".adoc", ".txt")
_MAX_LINE = 2000


@dataclass(frozen=True)
class Finding:
    """A place in a remaining file, and the deleted path that it seems to mean."""

    kind: str
    file: str
    line: int
    deleted: str
    text: str

    @property
    def is_document(self) -> bool:
        """Whether the file is prose."""
        return self.file.lower().endswith(_TEXT_SUFFIXES)


@dataclass(frozen=True)
class Deletion:
    """What is gone: the files, and the folders in which nothing is left."""

    files: frozenset[str]
    left: frozenset[str]

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders that vanished."""
        return frozenset(_folders_of(self.files) - _folders_of(self.left))

    @cached_property
    def unique_names(self) -> dict[str, str]:
        """Base name -> deleted path, where no remaining file has that name."""
        left = {posixpath.basename(path) for path in self.left}
        return {posixpath.basename(p): p for p in sorted(self.files) if posixpath.basename(p) not in left}

    @cached_property
    def words(self) -> frozenset[str]:
        """A line that means something deleted contains one of these words."""
        names = {posixpath.basename(path) for path in (*self.files, *self.folders)}
        return frozenset(names | {posixpath.splitext(name)[0] for name in names})

    def resolve(self, place: str) -> str:
        """The deleted path or vanished folder at this place; empty when nothing was deleted there."""
        return place if place in self.files or place in self.folders else ""


def _folders_of(paths: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return folders


def deletion(work_tree: Path, base: str) -> Deletion:
    """What was deleted between the commit `base` and the index."""
    before = _git(work_tree, "ls-tree", "-r", "--name-only", "-z", base)
    now = _git(work_tree, "ls-files", "-z")
    left = frozenset(filter(None, now.split("\0")))
    return Deletion(frozenset(filter(None, before.split("\0"))) - left, left)


def findings(work_tree: Path, deleted: Deletion) -> Iterator[Finding]:
    """Every suspicious place, in the order of the files."""
    for path in sorted(deleted.left):
        place = work_tree / path
        if place.is_symlink():
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), os.readlink(place)))
            if deleted.resolve(target):
                yield Finding("relative", path, 0, target, os.readlink(place))
        elif place.is_file():
            data = place.read_bytes()
            if b"\0" not in data[:8000]:
                yield from _in_text(path, data.decode("utf-8", "surrogateescape"), deleted)


def _in_text(path: str, text: str, deleted: Deletion) -> Iterator[Finding]:
    if deleted.words.isdisjoint(_WORD.findall(text)) and deleted.words.isdisjoint(re.findall(r"\w+", text)):
        return
    for number, line in enumerate(text.split("\n"), 1):
        found: dict[str, str] = {}
        for token in _TOKEN.findall(line[:_MAX_LINE]):
            kind, target = _judge(path, token, deleted)
            if kind:
                found.setdefault(target, kind)
        for target, kind in found.items():
            yield Finding(kind, path, number, target, line.strip()[:200])


def _judge(path: str, token: str, deleted: Deletion) -> tuple[str, str]:
    """How the token means something deleted, and what; both empty when it does not."""
    token = token.strip(".,:").rstrip("/") if not token.startswith(".") else token.rstrip(".,:/")
    if "/" in token:
        suffix = token.lstrip("/")
        while "/" in suffix:  # also below a prefix, such as that of a URL or of a checkout
            if suffix in deleted.files:
                return "path", suffix
            suffix = suffix.partition("/")[2]
    looks_like_a_path = "/" in token or posixpath.splitext(token)[1]
    folder = posixpath.dirname(path)
    while token.strip("./") and looks_like_a_path:
        for suffix in _MODULE_SUFFIXES if "/" in token else ("",):
            target = deleted.resolve(posixpath.normpath(posixpath.join(folder, token + suffix)))
            if target:
                return "relative", target
        if not folder or "/" not in token:
            break
        folder = posixpath.dirname(folder)
    name = posixpath.basename(token)
    return ("name", deleted.unique_names[name]) if "." in name and name in deleted.unique_names else ("", "")


def _git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, timeout=300)
    return done.stdout.decode("utf-8", "surrogateescape")


def main(argv: list[str]) -> int:
    """Print the findings; return 1 when code still leads to something deleted."""
    parser = argparse.ArgumentParser(description="list references to deleted paths")
    parser.add_argument("work_tree", type=Path)
    parser.add_argument("base", help="the commit before the migration")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    found = list(findings(asked.work_tree, deletion(asked.work_tree, asked.base)))
    if asked.json:
        sys.stdout.write(json.dumps([asdict(one) for one in found], indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{one.kind}\t{one.file}:{one.line}\t{one.deleted}\t{one.text}\n" for one in found)
    return int(any(one.kind != "name" and not one.is_document for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
