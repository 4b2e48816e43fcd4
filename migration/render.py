"""A plan as the document of `--json`. overview.py shows it to people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from migration.engine import MigrationPlan
from migration.model import Block, Reference, StepResult, TreeChange
from migration.repositories import Repository
from tasks.core.plan.outcome import State

PHASES = {
    1: "the infrastructure is in gitops",
    2: "the dev container needs no local cluster",
    3: "Tilt works against the shared cluster",
    4: "core has no infrastructure",
    5: "documented and proven",
}
MARKS = {State.DONE: "ok", State.PENDING: "..", State.BLOCKED: "!!", State.UNKNOWN: "??"}


def document(plan: MigrationPlan, results: Sequence[StepResult] | None = None) -> dict[str, Any]:
    """Return the document of `--json`, without its schema number. results: by default those of the plan."""
    results = plan.results if results is None else results
    return {
        **{repository.name: _repository(repository) for repository in plan.simulation.repositories.both},
        "phases": [
            {
                "phase": number,
                "title": PHASES[number],
                "state": str(state_of(steps)),
                "steps": [_step(result) for result in steps],
            }
            for number, steps in phases(results)
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


def phases(results: Sequence[StepResult]) -> Iterator[tuple[int, list[StepResult]]]:
    """Yield each phase with its steps."""
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
