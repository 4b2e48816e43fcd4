"""The title of a step: the state that holds after it, also where a part of it is blocked. It becomes the commit's subject."""

from __future__ import annotations

from collections.abc import Sequence

from migration.deletion.candidates import matching
from migration.destinations import destinations
from migration.git.facts import shown
from migration.mapping import Cleanup
from migration.simulation import Draft
from migration.step import MigrationStep

_NAMED, _NAMED_WIDTH = 3, 70  # how many paths a title names, and their characters


def title_of(step: MigrationStep, draft: Draft) -> str:
    """Return the title of the step after its draft was made. The mapping describes a step without a title of its own."""
    if step.title:
        return step.title + _exceptions(draft)
    mapping = draft.simulation.mapping
    row = mapping.cleanup_of(step.key)
    if row is not None:
        return _of_deletion(draft, row)
    sources = [move.source for move in mapping.moves if move.step == step.key]
    return _of_copies(draft, sources) if sources else "the mapping has nothing for this step"


def _exceptions(draft: Draft) -> str:
    blocked = list(dict.fromkeys(shown(block.path) for block in draft.blocks))
    return f", except {_some(blocked)}" if blocked else ""


def _of_deletion(draft: Draft, row: Cleanup) -> str:
    tree, edits = draft.simulation.core.tree, draft.edits["core"]
    files = {path for area in row.paths for path in matching(tree, area)}
    staying = [path for path in files if path not in edits]
    if not staying:
        return row.title or f"{_some(row.paths)} {'does' if len(row.paths) == 1 else 'do'} not exist"
    if all(draft.simulation.mapping.keeps(path) for path in staying):
        return f"{_some(row.paths)}: only {_files(len(staying))} of the `kept` rows {_verb(staying, 'is', 'are')} left"
    counts = f"{len(files) - len(staying)} of {_files(len(files))} deleted"
    return f"{_some(row.paths)}: {counts}, {len(staying)} {_verb(staying, 'stays', 'stay')}"


def _of_copies(draft: Draft, sources: list[str]) -> str:
    places, edits = destinations(draft.simulation, draft.key), draft.edits["gitops"]
    blocked = {block.path for block in draft.blocks}
    gitops = draft.simulation.gitops.tree
    copied = [path for path, place in places.items() if place in edits or (place in gitops and path not in blocked)]
    if len(copied) == len(places):
        return f"{_some(sources)} {_verb(sources, 'is', 'are')} in gitops"
    return f"{_some(sources)}: {len(copied)} of {_files(len(places))} {_verb(copied, 'is', 'are')} in gitops"


def _some(names: Sequence[str]) -> str:
    """All names where they are few and short, else the first one and how many more there are."""
    if len(names) <= _NAMED and sum(map(len, names)) <= _NAMED_WIDTH:
        return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _files(count: int) -> str:
    return f"{count} file{'s' if count != 1 else ''}"


def _verb(subjects: Sequence[str], singular: str, plural: str) -> str:
    return singular if len(subjects) == 1 else plural
