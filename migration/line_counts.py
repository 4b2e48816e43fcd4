"""How many lines the plan removes from and adds to each file that it rewrites."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migration.git.facts import shown
from migration.git.objects import GITLINK, is_binary
from migration.repositories import Repository

_MANY_LINES = 2000  # in longer files, difflib takes seconds; there a moved line counts as unchanged


@dataclass(frozen=True)
class LineCount:
    """A rewritten file, and its lines that go and come."""

    path: str
    removed: int
    added: int

    def text(self) -> str:
        """Return it as `Tiltfile -12 +9`."""
        return f"{shown(self.path)} -{self.removed} +{self.added}"


@dataclass(frozen=True)
class Rewritten:
    """A file before and after the plan."""

    path: str
    before: bytes
    after: bytes


def rewritten(repository: Repository) -> Iterator[Rewritten]:
    """Yield the files that the plan rewrites, from their state now to the plan's end. New files are not among them."""
    edited = {path for commit in repository.commits for path, entry in commit.edits.items() if entry is not None}
    for path in sorted(edited):
        before, after = repository.facts.tree.get(path), repository.tree.get(path)
        if before is not None and after is not None and before != after and after.mode != GITLINK:
            yield Rewritten(path, repository.blobs.get(before.oid), repository.blobs.get(after.oid))


def line_counts(repository: Repository) -> list[LineCount]:
    """Count the lines of the rewritten text files; those that lose most are first."""
    texts = [file for file in rewritten(repository) if not is_binary(file.before) and not is_binary(file.after)]
    counts = [LineCount(file.path, *_count(file.before.splitlines(), file.after.splitlines())) for file in texts]
    return sorted(counts, key=lambda count: (-count.removed, count.path))


def _count(old: Sequence[bytes], new: Sequence[bytes]) -> tuple[int, int]:
    if max(len(old), len(new)) > _MANY_LINES:
        return (Counter(old) - Counter(new)).total(), (Counter(new) - Counter(old)).total()
    opcodes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    changed = [code for code in opcodes if code[0] != "equal"]
    return sum(code[2] - code[1] for code in changed), sum(code[4] - code[3] for code in changed)
