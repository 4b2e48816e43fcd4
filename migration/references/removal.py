"""What a run may delete, as an index: which files a path, a folder or a glob means."""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator

from migration.git.objects import Tree
from migration.mapping import glob

# What a tool reads first in a folder that it is given.
_ENTRY = re.compile(
    r"(?:kustomization\.ya?ml|Kustomization|Chart\.yaml|[^/]*\.tf(?:\.json)?|Tiltfile|__init__\.py|index\.[cm]?[jt]sx?|"
    r"package\.json|action\.ya?ml|(?:docker-)?compose\.ya?ml|Dockerfile|Pulumi\.yaml|go\.mod|skaffold\.yaml|"
    r"helmfile\.ya?ml|Makefile|main\.bicep)"
)


class Removal:
    """The files that may be deleted, and the folders of which every file may be."""

    def __init__(self, tree: Tree, files: Iterable[str]) -> None:
        self.files = frozenset(files)
        self._order = sorted(self.files)
        self._tree = tree
        self._matches: dict[str, list[str]] = {}
        counts = Counter(folder for path in self.files for folder in ancestors(path))
        self.folders = frozenset(folder for folder, count in counts.items() if count == _count(tree.order, folder))
        self.touched = frozenset(counts)

    def targets(self, pattern: str) -> list[str]:
        """The files that the target of a reference means: a file, a folder ending in `/`, a glob."""
        if is_glob(pattern):
            return self._globbed(pattern.rstrip("/"))
        if pattern.endswith("/"):
            return list(self.below(pattern))
        return [pattern] if pattern in self.files else []

    def below(self, prefix: str) -> Iterator[str]:
        """The files below the folder, in order. prefix: ends in `/`"""
        place = bisect_left(self._order, prefix)
        while place < len(self._order) and self._order[place].startswith(prefix):
            yield self._order[place]
            place += 1

    def entries(self, folder: str) -> list[str]:
        """The files directly in the folder that a tool reads first."""
        prefix = f"{folder}/" if folder else ""
        if folder not in self.touched and folder:
            return []
        return [path for path in self.below(prefix) if _ENTRY.fullmatch(path[len(prefix) :])]

    def share(self, pattern: str) -> tuple[int, int]:
        """How many of the files that the glob matches may be deleted, and how many it matches."""
        start, rule = literal_start(pattern), at_or_below(pattern)
        if not start.strip("/"):  # a pattern that starts with a wildcard matches files everywhere: it says too little
            return 0, 0
        doomed = len(self._globbed(pattern))
        return doomed, sum(rule.match(path) is not None for path in self._tree.under(start)) if doomed else 0

    def _globbed(self, pattern: str) -> list[str]:
        if pattern not in self._matches:
            rule = at_or_below(pattern)
            self._matches[pattern] = [path for path in self.below(literal_start(pattern)) if rule.match(path)]
        return self._matches[pattern]


def ancestors(path: str) -> Iterator[str]:
    """The folders above the path, without the root."""
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def is_glob(text: str) -> bool:
    """Does the text contain a wildcard?"""
    return "*" in text or "?" in text


def literal_start(pattern: str) -> str:
    """What is before the first wildcard."""
    return re.split(r"[*?]", pattern)[0]


def at_or_below(pattern: str) -> re.Pattern[str]:
    """What the glob matches, and all files below it."""
    expression = glob(pattern).pattern.removesuffix(r"\Z")
    return re.compile(rf"(?:{expression})(?:/.*)?\Z", re.DOTALL)


def _count(order: list[str], folder: str) -> int:
    return bisect_left(order, f"{folder}0") - bisect_left(order, f"{folder}/")  # "0" follows "/"
