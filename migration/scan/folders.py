"""The highest folders that are mostly infrastructure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from migration.scan.kinds import Kind, is_elsewhere

_MOSTLY = 0.8  # of what is infrastructure or code
_ENOUGH = 0.3  # of all files: a manifest beside a hundred pictures says little
_SURE = 0.95
_STRONG = {
    Kind.CHART,
    Kind.KUSTOMIZATION,
    Kind.HELMFILE,
    Kind.TERRAFORM,
    Kind.BICEP,
    Kind.PULUMI,
    Kind.ARGO,
    Kind.CROSSPLANE,
}


@dataclass(frozen=True)
class Folder:
    """A folder (ending in `/`) and the kinds of the files below it."""

    path: str
    counts: Counter[Kind]

    @property
    def infrastructure(self) -> int:
        """The number of its files that are infrastructure."""
        return sum(count for kind, count in self.counts.items() if kind.infrastructure)

    @property
    def share(self) -> float:
        """Infrastructure as a share of infrastructure and code. A script may belong to either."""
        code = self.counts[Kind.CODE] + self.counts[Kind.SCRIPT] / 2
        return self.infrastructure / max(1, self.infrastructure + code)

    @property
    def is_infrastructure(self) -> bool:
        """Whether it is mostly infrastructure."""
        return self.share >= _MOSTLY and self.infrastructure >= _ENOUGH * sum(self.counts.values())

    @property
    def sure(self) -> bool:
        """Whether the kinds alone leave no doubt."""
        return self.share >= _SURE and any(self.counts[kind] for kind in _STRONG)

    @property
    def evidence(self) -> str:
        """The counts in one line."""
        parts = [f"{count} x {kind}" for kind, count in self.counts.most_common() if kind.infrastructure]
        total = sum(self.counts.values())
        return f"{self.infrastructure} of {total} files are infrastructure ({', '.join(parts)}), {self.counts[Kind.CODE]} code"


class Folders:
    """All folders of a repository with their kinds."""

    def __init__(self, kinds: dict[str, Kind]) -> None:
        self.kinds = kinds
        self._counts: dict[str, Counter[Kind]] = {"": Counter()}
        self._below: dict[str, set[str]] = {}
        for path, kind in kinds.items():
            counted = Kind.OTHER if kind.infrastructure and is_elsewhere(path) else kind
            folder = path
            while folder:
                below, folder = folder, folder.rpartition("/")[0]
                if folder or "/" not in below:
                    self._counts.setdefault(folder, Counter())[counted] += 1
                if below != path:
                    self._below.setdefault(folder, set()).add(below)

    def folder(self, path: str) -> Folder:
        """Return the folder. path: with or without a slash at its end"""
        name = path.rstrip("/")
        return Folder(f"{name}/", self._counts.get(name, Counter()))

    def children(self, path: str) -> list[Folder]:
        """Return the folders directly in this one, in order."""
        return [self.folder(name) for name in sorted(self._below.get(path.rstrip("/"), ()))]

    def highest(self, path: str = "") -> Iterator[Folder]:
        """Yield the highest folders below this one that are mostly infrastructure."""
        for child in self.children(path):
            if is_elsewhere(child.path + "x"):
                continue
            if child.infrastructure and child.is_infrastructure:
                yield child
            elif child.infrastructure:
                yield from self.highest(child.path)
