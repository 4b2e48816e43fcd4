"""A plan as a document for machines and as lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from migration.engine import MigrationPlan
from migration.git.facts import shown
from migration.model import Block, ChangeKind, Reference, StepResult, TreeChange
from migration.repositories import Repository
from tasks.core.plan.outcome import State

_TITLES = {
    1: "the infrastructure is in gitops",
    2: "the dev container needs no local cluster",
    3: "Tilt works against the shared cluster",
    4: "core has no infrastructure",
    5: "documented and proven",
}
_MARKS = {State.DONE: "ok", State.PENDING: "..", State.BLOCKED: "!!", State.UNKNOWN: "??"}


def document(plan: MigrationPlan, results: Sequence[StepResult] | None = None) -> dict[str, Any]:
    """Return the document of `--json`, without its schema number. results: by default those of the plan."""
    results = plan.results if results is None else results
    return {
        **{repository.name: _repository(repository) for repository in plan.simulation.repositories.both},
        "phases": [
            {
                "phase": number,
                "title": _TITLES[number],
                "state": str(state_of(steps)),
                "steps": [_step(result) for result in steps],
            }
            for number, steps in _phases(results)
        ],
        "problems": [{"what": problem.what, "fix": problem.fix} for problem in plan.problems],
    }


def _repository(repository: Repository) -> dict[str, str]:
    facts = repository.facts
    return {
        "path": str(facts.folder),
        "head": facts.head,
        "tree": facts.head_tree,
        "predicted_tree": repository.tree.id(),
        "predicted_head": repository.head,
    }


def state_of(results: Sequence[StepResult]) -> State:
    """Return the state of several steps as one."""
    states = {result.state for result in results}
    return next((s for s in (State.BLOCKED, State.UNKNOWN, State.PENDING) if s in states), State.DONE)


def _phases(results: Sequence[StepResult]) -> Iterator[tuple[int, list[StepResult]]]:
    for number in sorted({result.phase for result in results}):
        yield number, [result for result in results if result.phase == number]


def _step(result: StepResult) -> dict[str, Any]:
    return {
        "key": result.key,
        "title": result.title,
        "state": str(result.state),
        "needs": list(result.needs),
        "note": readable(result.note),
        "changes": [_change(change) for change in result.changes],
        "blocks": [_block(block) for block in result.blocks],
        "references": [_reference(reference) for reference in result.references],
    }


def _change(change: TreeChange) -> dict[str, str]:
    return {
        "repo": change.repo,
        "kind": change.kind,
        "path": readable(change.path),
        "text": readable(change.text),
        "destroys": readable(change.destroys),
    }


def _block(block: Block) -> dict[str, str]:
    return {
        "path": readable(block.path),
        "reason": block.reason,
        "where": readable(block.where),
        "fix": readable(block.fix),
    }


def _reference(reference: Reference) -> dict[str, Any]:
    return {
        "where": readable(reference.where),
        "target": readable(reference.target),
        "kind": reference.kind,
        "sure": reference.sure,
        "text": readable(reference.text),
    }


def readable(text: str) -> str:
    """Return text that can be written as UTF-8. Bytes of a path that are not UTF-8 are shown as git shows them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(f"\\{ord(c) - 0xDC00:03o}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)
    return text


def lines(
    plan: MigrationPlan, results: Sequence[StepResult] | None = None, *, most: int = 5, every: bool = False
) -> Iterator[str]:
    """Yield the plan as lines for people.

    most: changes shown of each step, and four times as many blocks and notes; every: show every block
    """
    results = plan.results if results is None else results
    for number, steps in _phases(results):
        yield f"phase {number}  {_TITLES[number]}: {state_of(steps)}"
        for result in steps:
            yield from _step_lines(result, most, len(result.blocks) if every else most * 4)
    for problem in plan.problems:
        yield f"!! {problem.what}"
        yield f"   fix: {problem.fix}"


def _step_lines(result: StepResult, most: int, blocks: int) -> Iterator[str]:
    yield f"  {_MARKS[result.state]} {result.key:<9} {result.title}{_counts(result.changes)}"
    yield from _change_lines(result.changes, most)
    for block in result.blocks[:blocks]:
        yield f"       blocked {shown(block.path)}: {block.reason}, {readable(block.where)}"
        yield f"               fix: {readable(block.fix)}"
    if len(result.blocks) > blocks:
        yield f"       ... and {len(result.blocks) - blocks} more blocks (all of them: --json)"
    for line in result.note.splitlines()[: most * 4]:
        yield f"       note: {readable(line)}"
    if result.references:
        count = len(result.references)
        places = ", ".join(readable(reference.where) for reference in result.references[:3])
        yield f"       {count} non-blocking reference{'s' if count > 1 else ''}: {places}{', ...' if count > 3 else ''}"


def _counts(changes: Sequence[TreeChange]) -> str:
    kinds = Counter(
        "by a person" if change.kind is ChangeKind.PERSON else f"{change.kind} in {change.repo}" for change in changes
    )
    return f"  ({', '.join(f'{count} {kind}' for kind, count in kinds.items())})" if kinds else ""


def _change_lines(changes: Sequence[TreeChange], most: int) -> Iterator[str]:
    for change in changes[:most]:
        what = shown(change.path) if change.path else change.text
        more = f"  {readable(change.text)}" if change.path and change.text != change.path else ""
        yield f"       {change.kind:<7} {what}{more}"
        if change.destroys and change.destroys != change.path:
            yield f"               lost: {readable(change.destroys)}"
    if len(changes) > most:
        yield f"       ... and {len(changes) - most} more"
