"""A plan as a document for machines and as lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from migration.engine import Plan
from migration.git.facts import shown
from migration.model import StepResult
from tasks.core.plan.steps import State

_NAMES = {
    1: "infrastructure stands in gitops",
    2: "the dev container needs no local cluster",
    3: "Tilt works against the shared cluster",
    4: "core has no infrastructure",
    5: "documented and proven",
}
_MARKS = {State.DONE: "ok", State.PENDING: "..", State.BLOCKED: "!!", State.UNKNOWN: "??"}


def document(plan: Plan, results: Sequence[StepResult] | None = None) -> dict[str, Any]:
    """The document of `--json`, without its schema number."""
    results = plan.results if results is None else results
    sides = (plan.simulation.core, plan.simulation.gitops)
    found: dict[str, Any] = {
        s.name: {
            "path": str(s.facts.folder),
            "head": s.facts.head,
            "tree": s.facts.head_tree,
            "predicted_tree": s.tree.id(),
            "predicted_head": s.head,
        }
        for s in sides
    }
    found["phases"] = [
        {"phase": number, "title": _NAMES[number], "state": str(state_of(steps)), "steps": [_step(o) for o in steps]}
        for number, steps in _phases(results)
    ]
    found["problems"] = [{"what": h.what, "fix": h.fix} for h in plan.hindrances]
    return found


def state_of(results: Sequence[StepResult]) -> State:
    """The state of several steps as one."""
    states = {o.state for o in results}
    return next((s for s in (State.BLOCKED, State.UNKNOWN, State.PENDING) if s in states), State.DONE)


def _phases(results: Sequence[StepResult]) -> Iterator[tuple[int, list[StepResult]]]:
    for number in sorted({o.phase for o in results}):
        yield number, [o for o in results if o.phase == number]


def _step(one: StepResult) -> dict[str, Any]:
    return {
        "key": one.key,
        "title": one.title,
        "state": str(one.state),
        "needs": list(one.needs),
        "note": readable(one.note),
        "changes": [
            {"repo": c.repo, "kind": c.kind, "path": readable(c.path), "text": readable(c.text), "destroys": readable(c.destroys)}
            for c in one.changes
        ],
        "blocks": [
            {"path": readable(b.path), "reason": b.reason, "where": readable(b.where), "fix": readable(b.fix)}
            for b in one.blocks
        ],
        "references": [
            {"where": readable(r.where), "target": readable(r.target), "kind": r.kind, "sure": r.sure, "text": readable(r.text)}
            for r in one.references
        ],
    }  # fmt: skip


def readable(text: str) -> str:
    """Text that can be written as UTF-8: bytes of a path that are none are shown as git shows them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(f"\\{ord(c) - 0xDC00:03o}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)
    return text


def lines(
    plan: Plan, results: Sequence[StepResult] | None = None, *, most: int = 5, every: bool = False
) -> Iterator[str]:
    """The plan as a person reads it. most: paths and blocks shown of each step; every: show every block."""
    results = plan.results if results is None else results
    for number, steps in _phases(results):
        yield f"phase {number}  {_NAMES[number]}: {state_of(steps)}"
        for one in steps:
            yield from _step_lines(one, most, len(one.blocks) if every else most * 4)
    for hindrance in plan.hindrances:
        yield f"!! {hindrance.what}"
        yield f"   fix: {hindrance.fix}"


def _step_lines(one: StepResult, most: int, blocks: int) -> Iterator[str]:
    kinds = Counter(f"{c.kind} in {c.repo}" if c.kind != "person" else "by a person" for c in one.changes)
    counts = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    yield f"  {_MARKS[one.state]} {one.key:<9} {one.title}" + (f"  ({counts})" if counts else "")
    for change in one.changes[:most]:
        what = shown(change.path) if change.path else change.text
        more = f"  {readable(change.text)}" if change.path and change.text != change.path else ""
        yield f"       {change.kind:<7} {what}{more}"
        if change.destroys and change.destroys != change.path:
            yield f"               lost: {readable(change.destroys)}"
    if len(one.changes) > most:
        yield f"       ... and {len(one.changes) - most} more"
    for block in one.blocks[:blocks]:
        yield f"       blocked {shown(block.path)}: {block.reason}, {readable(block.where)}"
        yield f"               fix: {readable(block.fix)}"
    if len(one.blocks) > blocks:
        yield f"       ... and {len(one.blocks) - blocks} more blocks (all of them: --json)"
    for line in one.note.splitlines()[: most * 4]:
        yield f"       note: {readable(line)}"
    if one.references:
        shown_refs = ", ".join(readable(r.where) for r in one.references[:3])
        yield f"       named, but not blocking, in {len(one.references)} places: {shown_refs}"
