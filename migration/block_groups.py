"""The blocks of a plan grouped by their cause, so that each cause and each `--accept` is shown once."""

from __future__ import annotations

import os.path
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from migration.git.facts import shown
from migration.model import Block, Reason, StepResult

_WHAT = {
    Reason.DIFFERS: "differ from what gitops has there",
    Reason.MISSING: "are not in gitops",
    Reason.MODE: "have another mode in gitops",
    Reason.UNCOMMITTED: "have a change or a copy that is not committed",
    Reason.UNPUSHED: "have a copy that is not pushed",
    Reason.UNPINNED: "have a copy that core does not pin",
    Reason.UNMAPPED: "are in no row of the mapping",
    Reason.DIVERGED: "compete with another file of core",
    Reason.CUSTOM: "need a decision",
}
_FIXES = {
    Reason.DIFFERS: "compare them and make them equal",
    Reason.MISSING: "copy them: inv migrate.phase1",
    Reason.MODE: "give the copies the same mode",
    Reason.UNPINNED: "pin them: inv migrate.phase1 --only RF-11",
    Reason.REFERENCED: "change the places that refer to it",
    Reason.UNMAPPED: "add rows to `moves` or `superseded` of config/migration.yaml",
    Reason.DIVERGED: "make them equal, or list twins in `decided` of config/migration.yaml",
}
_ACCEPTED = {Reason.REFERENCED: "or accept that these files break"}
_PLACES = 3  # places and words that a group shows


@dataclass
class BlockGroup:
    """Blocks of one step with one cause."""

    key: str
    reason: Reason
    blocks: list[Block] = field(default_factory=list)

    @property
    def area(self) -> str:
        """The path of the only block, or the folder that all of them have in common."""
        paths = list(dict.fromkeys(block.path for block in self.blocks))
        if len(paths) == 1:
            return paths[0]
        folder = os.path.commonpath([path.rstrip("/") for path in paths])
        return f"{folder}/" if folder else "several folders"

    @property
    def name(self) -> str:
        """The step and the reason."""
        return f"{self.key} {self.reason}"

    def title(self) -> str:
        """Return the cause in one line."""
        name = shown(self.area)
        if self.reason is Reason.REFERENCED:
            places = list(dict.fromkeys(block.where for block in self.blocks))
            files = {_file(place) for place in places}
            return f"{name}: {_count(places, 'place')} in {_count(files, 'file')} refer{'s' * (len(places) == 1)} to it"
        if self.reason is Reason.CONSUMED:
            return f"{name}: an Argo CD Application syncs from it"
        paths = {block.path for block in self.blocks}
        return f"{name}: {_count(paths, 'path')} {_WHAT[self.reason]}" if len(paths) > 1 else f"{name}: {self.reason}"

    def examples(self) -> str:
        """Return the first places, each in another file where there are several, and how many more there are."""
        by_place = self.reason in (Reason.REFERENCED, Reason.CONSUMED, Reason.DIVERGED) or len(self.blocks) == 1
        places = list(dict.fromkeys(block.where if by_place else shown(block.path) for block in self.blocks))
        first = {_file(place): place for place in reversed(places)}  # the first place of each file
        return _some(sorted(places, key=lambda place: first[_file(place)] != place))

    def fix(self, offered: set[str]) -> str:
        """Return how to remove the blocks. offered: the words of `--accept` that were shown before; they are not repeated."""
        fixes = dict.fromkeys(block.fix for block in self.blocks)
        if self.reason not in _FIXES or len(fixes) == 1:
            offered.update(self._accepts)
            more = f" (and {len(fixes) - 1} more: --verbose)" if len(fixes) > 1 else ""
            return next(iter(fixes)) + more
        words = [word for word in self._accepts if word not in offered]
        offered.update(words)
        return _FIXES[self.reason] + (f", {self._accepting(words)}" if words else "")

    def _accepting(self, words: list[str]) -> str:
        accepts = " ".join(shlex.join(("--accept", word)) for word in words[:_PLACES])
        more = f" and {len(words) - _PLACES} more" if len(words) > _PLACES else ""
        return f"{_ACCEPTED.get(self.reason, 'or accept their loss')}: {accepts}{more}"

    @property
    def _accepts(self) -> list[str]:
        return list(dict.fromkeys(block.accept for block in self.blocks if block.accept))


def block_groups(results: Sequence[StepResult]) -> list[BlockGroup]:
    """Group the blocks by step and cause; references are last, they often follow from the rest. A block of several steps counts once.

    Without the places in blocked files: those files stay because of another cause.
    """
    groups: dict[tuple[str, Reason], BlockGroup] = {}
    for key, block in _distinct(results):
        if not _follows(block):
            groups.setdefault((key, block.reason), BlockGroup(key, block.reason)).blocks.append(block)
    return sorted(groups.values(), key=lambda group: (group.reason is Reason.REFERENCED, -len(group.blocks)))


def following(results: Sequence[StepResult]) -> int:
    """Count the places in blocked files that keep other files."""
    return sum(_follows(block) for _, block in _distinct(results))


def _follows(block: Block) -> bool:
    return block.reason is Reason.REFERENCED and not block.accept


def _distinct(results: Sequence[StepResult]) -> Iterator[tuple[str, Block]]:
    """Each block with its first step. What blocks the copy of a file blocks its deletion as well: that is one block."""
    seen: set[tuple[str, ...]] = set()
    for result in results:
        for block in result.blocks:
            cause = (block.reason, *_parties(block))
            if cause not in seen:
                seen.add(cause)
                yield result.key, block


def _parties(block: Block) -> list[str]:
    """What must be the same in two blocks that are one: two files that compete each name the other one."""
    if block.reason is Reason.DIVERGED:
        return sorted((block.path, block.where))
    is_about_place = block.reason in (Reason.REFERENCED, Reason.CONSUMED)
    return [block.path, block.where if is_about_place else ""]


def _file(place: str) -> str:
    file, _, line = place.rpartition(":")
    return file if line.isdigit() else place


def _count(items: Sequence[str] | set[str], noun: str) -> str:
    return f"{len(items)} {noun}{'s' if len(items) != 1 else ''}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _PLACES} more" if len(names) > _PLACES else ""
    return ", ".join(names[:_PLACES]) + more
