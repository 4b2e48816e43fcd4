"""The edits of the Tiltfile and of the files that it includes: tried together before the first one is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from functools import partial
from typing import TYPE_CHECKING

from migration.edit.tiltfile.local import LocalCluster
from migration.edit.tiltfile.text import TiltText, earlier_line
from migration.memo import MemoKey
from migration.model import Reason
from migration.simulation import Draft, Simulation
from tasks.core.errors import Trouble

if TYPE_CHECKING:
    from migration.edit.tiltfile.statements import Edited, Removed

Edit = Callable[[Simulation, TiltText], "Edited"]
_BYTE_ORDER_MARK = "\ufeff"
_DIFF_LENGTH = 40  # lines


@dataclass(frozen=True)
class TiltEdit:
    """One step's edit. change: what the plan says about it; path_of: the new place of a path in a string."""

    key: str
    edit: Edit
    change: str


@dataclass(frozen=True)
class _Failure:
    """Why an edit cannot be done. line: of the committed file, 0 for the whole; diff: what would have been removed."""

    key: str
    path: str
    line: int
    reason: str
    diff: str = ""


@dataclass
class _Rehearsal:
    """All edits, done in memory. after: key -> path -> the edit's result; lost: key -> resources that go by name.

    note: why the comparison was by syntax only; empty if it was evaluated
    """

    after: dict[str, dict[str, Edited]] = field(default_factory=dict)
    lost: dict[str, tuple[str, ...]] = field(default_factory=dict)
    note: str = ""
    failure: _Failure | None = None


@dataclass(frozen=True)
class TiltEdits:
    """All edits of phase 3, in their order. local: how a text shows that it belongs to the local cluster."""

    edits: tuple[TiltEdit, ...]
    alike: Callable[[Simulation, str], str]
    local: Callable[[Simulation], LocalCluster]

    def step(self, key: str) -> Callable[[Draft], None]:
        """The plan of one step. It writes nothing unless all edits of all files succeed."""

        def plan(draft: Draft) -> None:
            simulation = draft.simulation
            texts = self.texts(simulation)
            if not texts:
                draft.unused = f"core has no {simulation.mapping.tiltfile.path}"
                return
            rehearsal = self._rehearsal(simulation, texts)
            results = rehearsal.after.get(key, {})
            changed = {path: result for path, result in results.items() if result.text != self._before(texts, path)}
            if rehearsal.failure is not None:
                if changed or not results:
                    _block(draft, rehearsal.failure)
                return
            self._write(draft, key, changed, texts, rehearsal)

        return plan

    def _before(self, texts: tuple[TiltText, ...], path: str) -> str:
        return next(file.text for file in texts if file.path == path)

    def _write(
        self, draft: Draft, key: str, changed: dict[str, Edited], texts: tuple[TiltText, ...], rehearsal: _Rehearsal
    ) -> None:
        change = next(edit.change for edit in self.edits if edit.key == key)
        for path, result in changed.items():
            mark = next(file.mark for file in texts if file.path == path)
            data = (mark + result.text).encode("utf-8", "surrogateescape")
            lost = rehearsal.lost.get(key, ()) if path == texts[0].path else ()
            removed = _in_committed(draft.simulation, path, self._before(texts, path), result.removed)
            draft.write("core", path, data, change, destroys=_destroyed(removed, lost))
        if changed and rehearsal.note:
            draft.note(rehearsal.note)

    def texts(self, simulation: Simulation) -> tuple[TiltText, ...]:
        """The Tiltfile and what it includes, as planned so far; nothing without a Tiltfile."""
        from migration.edit.tiltfile.included import included

        main = _read(simulation, simulation.mapping.tiltfile.path, is_main=True)
        if main is None:
            return ()
        local = self.local(simulation)

        def read(path: str) -> TiltText | None:
            skipped = path in simulation.own or path in simulation.suite or local.is_deleted(path)
            return None if skipped else _read(simulation, path)

        return (main, *included(main, read))

    def _rehearsal(self, simulation: Simulation, texts: tuple[TiltText, ...]) -> _Rehearsal:
        return simulation.memo.answer(_memo_key(texts), lambda: self._rehearse(simulation, texts))

    def _rehearse(self, simulation: Simulation, texts: tuple[TiltText, ...]) -> _Rehearsal:
        rehearsal = _Rehearsal()
        states: list[tuple[TiltText, ...]] = []
        for edit in self.edits:
            results = _results(simulation, edit, texts, rehearsal)
            if rehearsal.failure is not None:
                return rehearsal
            rehearsal.after[edit.key] = results
            edited = tuple(replace(file, text=results[file.path].text) for file in texts)
            if edited != texts:
                self._check(simulation, edit.key, texts, edited, rehearsal)
            if rehearsal.failure is not None:
                return rehearsal
            states.append(edited)
            texts = edited
        self._know_the_rest(simulation, rehearsal, states)
        return rehearsal

    def _know_the_rest(self, simulation: Simulation, rehearsal: _Rehearsal, states: list[tuple[TiltText, ...]]) -> None:
        """Keep what the later steps will find: after each edit, those before it change nothing more."""
        from migration.edit.tiltfile.statements import Edited

        for number, state in enumerate(states, 1):
            done = {edit.key: {file.path: Edited(file.text) for file in state} for edit in self.edits[:number]}
            rest = replace(rehearsal, after=rehearsal.after | done)
            simulation.memo.answer(_memo_key(state), lambda rest=rest: rest)  # type: ignore[misc]

    def _check(
        self,
        simulation: Simulation,
        key: str,
        before: tuple[TiltText, ...],
        after: tuple[TiltText, ...],
        rehearsal: _Rehearsal,
    ) -> None:
        """Compare what is declared before and after the edit; what is missing and was not removed by name is a failure."""
        from migration.edit.tiltfile.declared import compare

        removed = {path: result.removed for path, result in rehearsal.after[key].items()}
        found = compare(simulation, before, after, removed, lambda name: self.alike(simulation, name))
        rehearsal.note = rehearsal.note or found.not_evaluated
        rehearsal.lost[key] = found.named
        if found.problem:
            diff = "".join(_diff(old, new) for old, new in zip(before, after, strict=True))
            text = next(file.text for file in before if file.path == found.path)
            line = _committed(simulation, found.path, text, found.line) if found.line else 0
            rehearsal.failure = _Failure(key, found.path, line, found.problem, diff)


def _memo_key(texts: tuple[TiltText, ...]) -> MemoKey[_Rehearsal]:
    digest = hashlib.sha1("\0".join(f"{file.path}\0{file.text}" for file in texts).encode("utf-8", "surrogateescape"))
    return MemoKey[_Rehearsal](f"edits of the Tiltfile {digest.hexdigest()}")


def _results(
    simulation: Simulation, edit: TiltEdit, texts: tuple[TiltText, ...], rehearsal: _Rehearsal
) -> dict[str, Edited]:
    """The edit of each file; a failure is recorded in the rehearsal."""
    results: dict[str, Edited] = {}
    for file in texts:
        try:
            results[file.path] = edit.edit(simulation, file)
        except Trouble as why:
            rehearsal.failure = _failure(simulation, edit.key, file, why)
            break
    return results


def _read(simulation: Simulation, path: str, is_main: bool = False) -> TiltText | None:
    entry = simulation.core.tree.get(path)
    data = simulation.core.text(path) if entry is not None and entry.mode in {"100644", "100755"} else None
    if data is None:
        return None
    text = data.decode("utf-8", "surrogateescape")
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    return TiltText(path, text.removeprefix(mark), is_main, mark)


def _failure(simulation: Simulation, key: str, file: TiltText, why: Trouble) -> _Failure:
    from migration.edit.tiltfile.syntax import UneditableTiltfile

    if not isinstance(why, UneditableTiltfile):
        return _Failure(key, file.path, 0, f"{why.what}; {why.fix}")
    diff = "".join(f"-{line}\n" for line in why.statement.strip("\n").splitlines())
    if why.name not in {file.path, "Tiltfile"}:
        return _Failure(key, why.name, why.line, f"{why.reason}; {why.fix}")
    line = _committed(simulation, file.path, file.text, why.line)
    return _Failure(key, file.path, line, f"{why.reason}; {why.fix}", diff)


def _committed(simulation: Simulation, path: str, text: str, line: int) -> int:
    """The line of the committed file. Steps before this one, which are only planned, have moved lines."""
    entry = simulation.core.facts.tree.get(path)
    if entry is None:
        return line
    committed = simulation.core.blobs.get(entry.oid).decode("utf-8", "surrogateescape").removeprefix(_BYTE_ORDER_MARK)
    return earlier_line(committed, text, line)


def _in_committed(simulation: Simulation, path: str, text: str, removed: Iterable[Removed]) -> list[Removed]:
    """The records with the lines of the committed file."""

    line = partial(_committed, simulation, path, text)
    return [replace(record, first=line(record.first), last=line(record.last)) for record in removed]


def _block(draft: Draft, failure: _Failure) -> None:
    """Block this step, because the edits of the Tiltfile are done together or not at all."""
    others = "" if failure.key == draft.key else f" ({failure.key} stops; the edits are done together or not at all)"
    where = f"{failure.path}:{failure.line}" if failure.line else failure.path
    draft.block(failure.path, Reason.CUSTOM, where, failure.reason + others)
    if failure.diff and failure.key == draft.key:
        draft.note(f"it would have removed:\n{_shortened(failure.diff)}")


def _shortened(diff: str) -> str:
    lines = diff.splitlines()
    more = [f"... and {len(lines) - _DIFF_LENGTH} more lines"] if len(lines) > _DIFF_LENGTH else []
    return "\n".join([*lines[:_DIFF_LENGTH], *more])


def _diff(before: TiltText, after: TiltText) -> str:
    rows = unified_diff(before.text.splitlines(), after.text.splitlines(), before.path, after.path, n=0, lineterm="")
    return "".join(f"{row}\n" for row in rows if row.startswith(("-", "@")) and not row.startswith("---"))


def _destroyed(removed: Iterable[Removed], lost: tuple[str, ...]) -> str:
    """The removed statements by their lines and first words, and the resources by name."""
    records = tuple(removed)
    names = sorted({name for record in records for name in record.resources} | set(lost))
    resources = [f"resources: {', '.join(names)}"] if names else []
    return "; ".join([*(record.shown for record in records), *resources])
