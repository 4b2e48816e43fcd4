"""A plan on one screen: what changes in sum, the steps, and what blocks, by cause. --verbose adds the details."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from migration.block_groups import block_groups, following
from migration.engine import MigrationPlan
from migration.git.facts import shown
from migration.git.objects import GITLINK
from migration.line_counts import line_counts
from migration.model import ChangeKind, StepResult, TreeChange
from migration.render import MARKS, PHASES, phases, readable, state_of
from migration.repositories import Repository
from tasks.core.errors import Problem
from tasks.core.plan.outcome import State

LEGEND = "marks: .. to do, ok done, !! blocked, ?? could not look"
_SCREEN = 50  # lines of a screen: where the plan would be longer, the pending steps of a phase share a line
_WIDTH = 78  # columns of a screen
_GROUPS = 5  # causes shown
_LOSSES = 3  # losses shown
_NOTES = 2  # notes shown
_FILE_LINES = 2  # lines with rewritten files
_DELETING = 4  # the phase whose steps share a line last
_PAST = {
    ChangeKind.WRITE: "written",
    ChangeKind.DELETE: "deleted",
    ChangeKind.COPY: "copied",
    ChangeKind.RUN: "to run",
    ChangeKind.PERSON: "for you",
}


def lines(
    plan: MigrationPlan, results: Sequence[StepResult] | None = None, *, verbose: bool = False, screen: int = _SCREEN
) -> Iterator[str]:
    """Yield the plan: the summary, the steps, the causes of blocks. verbose: every change, block and note instead.

    screen: how many lines there is room for
    """
    results = plan.results if results is None else results
    summary = [*_summary(plan, results), LEGEND]
    yield from summary
    if verbose:
        for number, steps in phases(results):
            yield _phase(number, steps)
            for result in steps:
                yield from _details(result)
    else:
        rest = [*_unused(results), *_causes(results), *_notes(results)]
        yield from _steps(results, screen - len(summary) - len(rest))
        yield from rest
    for problem in plan.problems:
        yield f"!! {problem.what}"
        yield f"   fix: {problem.fix}"


def outcome(plan: MigrationPlan, results: Sequence[StepResult]) -> Iterator[str]:
    """Yield what became of the plan: a line for each phase, and the steps that are not done or were timed."""
    for number, steps in phases(results):
        trials = [result for result in steps if _is_trial(result) and result.state is State.DONE]
        yield _phase(number, steps)
        yield from _phase_lines(number, [r for r in steps if r.state is not State.DONE], set())[1:]
        for result in trials:
            yield _step(result)
            yield from (f"       note: {readable(note)}" for note in result.notes)
    blocks = sum(len(result.blocks) for result in results)
    if blocks:
        where = shlex.join(("--core", str(plan.request.core), "--gitops", str(plan.request.gitops)))
        yield f"{_count(blocks, 'block')} left, with their fixes: inv migrate.plan {where}"


def _is_trial(result: StepResult) -> bool:
    return any(change.kind is ChangeKind.RUN for change in result.changes)


def _summary(plan: MigrationPlan, results: Sequence[StepResult]) -> Iterator[str]:
    for repository in (plan.simulation.gitops, plan.simulation.core):
        yield f"{repository.name:<8} {_counts(repository, results)}"
    counts = [count for repository in plan.simulation.repositories.both for count in line_counts(repository)]
    yield from _packed("lines    ", [count.text() for count in counts if count.removed], _FILE_LINES)
    yield from _losses(results)
    if plan.person:
        yield f"you      {readable(plan.person)}"
    groups = block_groups(results)
    if groups:
        places = sum(len(group.blocks) for group in groups)
        yield f"blocked  {_count(places, 'place')}, {_count(len(groups), 'cause')}"


def _counts(repository: Repository, results: Sequence[StepResult]) -> str:
    """The files that are copied, added, rewritten and deleted, each counted once, by its last change."""
    last: dict[str, TreeChange] = {}
    for result in results:
        last.update(
            {change.path: change for change in result.changes if change.repo == repository.name and change.path}
        )
    kinds = Counter(_kind(repository, change) for change in last.values())
    named = [
        f"{_count(kinds[kind], 'file')} {kind}" for kind in ("deleted", "copied", "added", "rewritten") if kinds[kind]
    ]
    commits = f"  ({_count(len(repository.commits), 'commit')})" if repository.commits else ""
    return (", ".join(named) or "nothing changes") + commits


def _kind(repository: Repository, change: TreeChange) -> str:
    before, after = repository.facts.tree.get(change.path), repository.tree.get(change.path)
    if after is not None and after.mode == GITLINK:
        return "pinned"
    if change.kind is ChangeKind.DELETE:
        return "deleted"
    if repository.name == "gitops" and change.kind is ChangeKind.COPY:
        return "copied"
    return "added" if before is None else "rewritten"


def _losses(results: Sequence[StepResult]) -> Iterator[str]:
    lost = [(change.path, change.destroys) for result in results for change in result.changes if change.destroys]
    for path, text in lost[:_LOSSES]:
        yield f"lost     {_short(shown(path) if text == path else f'{shown(path)}: {readable(text)}')}"
    if len(lost) > _LOSSES:
        yield f"lost     ... and {len(lost) - _LOSSES} more (--verbose)"


def _phase(number: int, steps: Sequence[StepResult]) -> str:
    return f"phase {number}  {PHASES[number]}: {state_of(steps)}"


def _steps(results: Sequence[StepResult], room: int) -> Iterator[str]:
    """The steps of each phase. Those that are done share a line; so do the pending ones where there is no room."""
    found = dict(phases(results))
    blocks = {number: _phase_lines(number, steps, {State.DONE}) for number, steps in found.items()}
    for shared in ({State.DONE, State.PENDING}, {State.DONE, State.PENDING, State.BLOCKED}):
        for number in sorted(blocks, key=lambda number: (number == _DELETING, -len(blocks[number]))):
            if sum(map(len, blocks.values())) > room:
                blocks[number] = _phase_lines(number, found[number], shared)
    for number in blocks:
        yield from blocks[number]


def _phase_lines(number: int, steps: Sequence[StepResult], shared: set[State]) -> list[str]:
    """The header of a phase and its steps; those in a shared state share a line."""
    texts = [_phase(number, steps)]
    used = [result for result in steps if not result.unused]
    texts += [_step(result) for result in used if result.state not in {*shared, State.UNKNOWN}]
    for state in (State.BLOCKED, State.PENDING, State.DONE, State.UNKNOWN):
        together = [result.key for result in used if result.state is state and state in {*shared, State.UNKNOWN}]
        texts += _packed(f"  {MARKS[state]} ", together, 3)
    return texts + [_problem(problem) for problem in dict.fromkeys(r.problem for r in used) if problem is not None]


def _unused(results: Sequence[StepResult]) -> Iterator[str]:
    unused = [result.key for result in results if result.unused]
    if unused:
        yield f"nothing to do here: {', '.join(unused)}"


def _step(result: StepResult) -> str:
    waits = f"  (waits for {', '.join(result.unmet)})" if result.unmet else ""
    counts = "" if result.blocks else _kinds(result)  # the title of a step with blocks has counts of its own
    return f"  {MARKS[result.state]} {result.key:<9} {readable(result.title)}{waits or counts}"


def _problem(problem: Problem) -> str:
    return f"       {readable(problem.what)}; {readable(problem.fix)}"


def _kinds(result: StepResult) -> str:
    """How many files the step changes; where, if it changes both repositories."""
    repos = {change.repo for change in result.changes if change.path}
    kinds = Counter(
        f"{_PAST[change.kind]}{f' in {change.repo}' if len(repos) > 1 and change.path else ''}"
        for change in result.changes
    )
    return f"  ({', '.join(f'{count} {kind}' for kind, count in kinds.items())})" if kinds else ""


def _causes(results: Sequence[StepResult]) -> Iterator[str]:
    groups, offered = block_groups(results), set[str]()
    if groups:
        yield "blocked, by cause"
    for group in groups[:_GROUPS]:
        yield f"  {group.key:<9} {readable(group.title())} ({_short(readable(group.examples()))})"
        yield f"            fix: {readable(group.fix(offered))}"
    if len(groups) > _GROUPS:
        yield from _packed(
            f"  and {_count(len(groups) - _GROUPS, 'more cause')}: ", [g.name for g in groups[_GROUPS:]], 1
        )
    follow = following(results)
    if follow:
        yield f"  {_count(follow, 'place')} in blocked files refer{'s' * (follow == 1)} to other files, which stay with them"


def _notes(results: Sequence[StepResult]) -> Iterator[str]:
    notes = list(dict.fromkeys(note for result in results for note in result.notes))
    for note in notes[:_NOTES]:
        yield f"note: {_short(readable(note))}"
    references = len({reference for result in results for reference in result.references})
    more = [f"{_count(len(notes) - _NOTES, 'note')}"] if len(notes) > _NOTES else []
    more += [f"{_count(references, 'reference')} that block nothing"] if references else []
    if more:
        yield f"also: {' and '.join(more)}; details: --verbose, everything: --json"


def _details(result: StepResult) -> Iterator[str]:
    """Every change, block, note and reference of a step."""
    yield _step(result)
    for change in result.changes:
        what = shown(change.path) if change.path else change.text
        more = f"  {readable(change.text)}" if change.path and change.text != change.path else ""
        yield f"       {change.kind:<7} {what}{more}"
        if change.destroys and change.destroys != change.path:
            yield f"               lost: {readable(change.destroys)}"
    for block in result.blocks:
        yield f"       blocked {shown(block.path)}: {block.reason}, {readable(block.where)}"
        yield f"               fix: {readable(block.fix)}"
    yield from (f"       note: {readable(note)}" for note in result.note.splitlines())
    for reference in result.references:
        yield f"       does not block: {readable(reference.where)} refers to {readable(reference.target)}"


def _some(texts: Sequence[str], most: int) -> str:
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _packed(label: str, texts: Sequence[str], most: int) -> list[str]:
    """The texts after the label, as many in each line as fit, in at most so many lines."""
    packed: list[str] = []
    indent = " " * len(label)
    line = label
    for place, text in enumerate(texts):
        comma = "," if place + 1 < len(texts) else ""
        if line.strip() and line != label and len(line) + len(text) + 12 > _WIDTH:
            if len(packed) + 1 == most:
                return [*packed, f"{line} and {len(texts) - place} more"]
            packed.append(line)
            line = indent
        line += f"{'' if line in (label, indent) else ' '}{text}{comma}"
    return [*packed, line] if texts else []


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _short(text: str) -> str:
    line = text.splitlines()[0] if text else ""
    return line if len(line) <= _WIDTH and line == text else f"{line[:_WIDTH]} ..."
