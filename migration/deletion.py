"""When a file of core may be deleted: its blob stands in gitops, or it is superseded, or the person named it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from migration.git.facts import shown
from migration.git.objects import GITLINK, Entry, Tree, encode, object_id
from migration.mapping import covering, glob
from migration.memo import MemoKey
from migration.model import Block, Reason, Reference
from migration.references import argo_consumers
from migration.references.argo_consumers import Consumers
from migration.references.search import References, targets
from migration.simulation import Simulation


class ProofKind(StrEnum):
    """On what ground a file may be deleted."""

    ACCEPTED = "accepted"
    SUPERSEDED = "superseded"
    COPIED = "copied"


@dataclass(frozen=True)
class Proof:
    """Why a file may be deleted. text: for people."""

    kind: ProofKind
    text: str


_ACCEPTED = Proof(ProofKind.ACCEPTED, "accepted by name")


@dataclass
class Verdicts:
    """What may go, each with its proof, and what may not. references: found, but not blocking."""

    proofs: dict[str, Proof] = field(default_factory=dict)
    blocks: dict[str, list[Block]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


VERDICTS = MemoKey[Verdicts]("what may be deleted")
_REFERENCES = MemoKey[References]("references in core")
_CONSUMERS = MemoKey[Consumers]("who syncs from core")


def candidates(simulation: Simulation, key: str) -> list[str]:
    """The files of core that this step is about, in the simulation."""
    row = simulation.mapping.cleanup_of(key)
    return [] if row is None else sorted({p for area in row.paths for p in matching(simulation.core.tree, area)})


def matching(tree: Tree, area: str) -> list[str]:
    """The files that a file name, a folder ending in `/` or a glob covers."""
    head = area.split("*")[0].split("?")[0]
    if head == area:
        return list(tree.under(area)) if area.endswith("/") else ([area] if area in tree else [])
    rule = glob(area)
    return [p for p in tree.under(head) if rule.match(p)]


def verdicts(simulation: Simulation) -> Verdicts:
    """Judge every file that a selected step would take away. Kept until something but a deletion changes the simulation."""
    return simulation.memo.answer(VERDICTS, lambda: _judge(simulation))


def references(simulation: Simulation) -> References:
    """The mentions of core's files, shared by all steps of a run."""
    return simulation.memo.answer(_REFERENCES, lambda: References(simulation, _areas(simulation)))


def look_ahead(simulation: Simulation) -> None:
    """Let git begin to search for what the verdicts will ask, when there is something to judge."""
    rows = [row for row in simulation.mapping.cleanup if row.step in simulation.request.keys]
    if any(matching(simulation.core.tree, area) for row in rows for area in row.paths):
        argo_consumers.look_ahead(simulation)
        References(simulation, _areas(simulation)).look_ahead()


def _areas(simulation: Simulation) -> list[str]:
    return [p for row in simulation.mapping.cleanup for p in row.paths]


def _judge(simulation: Simulation) -> Verdicts:
    found = Verdicts()
    paths = [
        p
        for row in simulation.mapping.cleanup
        if row.step in simulation.request.keys
        for p in candidates(simulation, row.step)
    ]
    if not paths:
        return found
    _by_content(simulation, paths, found)
    _by_consumers(simulation, found)
    _by_references(simulation, found)
    _tell_references(simulation, set(paths), found)
    return found


def _by_content(simulation: Simulation, paths: list[str], found: Verdicts) -> None:
    dirty = set(simulation.core.facts.dirty)
    moved: dict[str, str] = {}
    for path in paths:
        if simulation.accepted(path):
            found.proofs[path] = _ACCEPTED
        elif path in dirty:
            _block(found, path, Reason.UNCOMMITTED, f"core:{path}", "commit or stash the change, then look again")
        elif simulation.core.tree.files[path].mode == GITLINK:
            _block(
                found,
                path,
                Reason.CUSTOM,
                f"core:{path}",
                f"a submodule lies here; git rm it yourself, or --accept {path}",
            )
        elif (move := simulation.mapping.move_of(path)) is not None:
            moved[path] = move[1]
        elif (row := simulation.mapping.superseded_by(path)) is not None:
            found.proofs[path] = Proof(ProofKind.SUPERSEDED, f"superseded by {row.by}: {row.reason}")
        else:
            _block(
                found,
                path,
                Reason.UNMAPPED,
                "config/migration.yaml",
                f"name it in moves or superseded, or accept its loss: --accept {shlex.quote(path)}",
            )
    if moved:
        _by_destination(simulation, moved, found)


def _by_destination(simulation: Simulation, moved: dict[str, str], found: Verdicts) -> None:
    gitops, counting = simulation.gitops, simulation.repositories.pin or simulation.gitops.head
    planned = {c.id for c in gitops.commits}
    real = gitops.facts.at if counting in planned else counting
    if counting == gitops.head:
        tree = gitops.tree
    elif counting == gitops.facts.at:
        tree = gitops.facts.tree
    elif gitops.facts.has(counting):
        tree = gitops.facts.tree_of(counting)
    else:
        for path in moved:
            fix = f"git -C {gitops.facts.folder} fetch, or let core pin a commit that is there"
            _block(found, path, Reason.UNPINNED, f"core:{simulation.repositories.pin_path} {counting[:12]}", fix)
        return
    source = simulation.core.tree.files
    late = {p: d for p, d in moved.items() if tree.files.get(d) != source[p]}
    stood = _stood(simulation, [real], list(late.values())) if late else set()
    if counting in planned:
        stood |= {(p, Entry(*e)) for c in gitops.commits for p, e in c.edits.items() if e}
    good = {p: d for p, d in moved.items() if p not in late or (d, source[p]) in stood}
    missing = {p: d for p, d in late.items() if p not in good}
    if missing:
        _tell_missing(simulation, missing, tree, counting, found)
    unpushed = set() if simulation.pushed else _unpushed(simulation, good, real)
    for path, destination in good.items():
        if path in unpushed:
            fix = f"git -C {gitops.facts.folder} push"
            _block(found, path, Reason.UNPUSHED, destination, fix)
        else:
            where = "stands at" if path not in late else "stood at"
            found.proofs[path] = Proof(ProofKind.COPIED, f"{where} gitops:{destination} in {counting[:12]}")


def _stood(simulation: Simulation, commits: list[str], paths: list[str]) -> set[tuple[str, Entry]]:
    return simulation.gitops.facts.ever(commits, paths)


def _unpushed(simulation: Simulation, good: dict[str, str], commit: str) -> set[str]:
    facts, source = simulation.gitops.facts, simulation.core.tree.files
    if not good or not facts.unpushed(commit):
        return set()
    edge = facts.pushed_edge(commit)
    trees = [facts.tree_of(c) for c in edge]
    late = {p: d for p, d in good.items() if not any(t.files.get(d) == source[p] for t in trees)}
    stood = _stood(simulation, edge, list(late.values()))
    return {p for p, d in late.items() if (d, source[p]) not in stood}


def _tell_missing(simulation: Simulation, missing: dict[str, str], tree: Tree, counting: str, found: Verdicts) -> None:
    gitops, source = simulation.gitops, simulation.core.tree.files
    newer = set()
    if counting != gitops.head:
        late = [d for p, d in missing.items() if gitops.tree.files.get(d) != source[p]]
        newer = _stood(simulation, [gitops.facts.at], late) if late else set()
    for path, destination in missing.items():
        wanted, there = source[path], tree.files.get(destination)
        if counting != gitops.head and (gitops.tree.files.get(destination) == wanted or (destination, wanted) in newer):
            where = f"gitops:{destination} (core pins {counting[:12]}, gitops is at {gitops.head[:12]})"
            _block(found, path, Reason.UNPINNED, where, "inv migrate.phase1 --only RF-11 pins it")
        elif there is not None and there.oid == wanted.oid:
            _block(
                found, path, Reason.MODE, destination, f"give it mode {wanted.mode}, or --accept {shlex.quote(path)}"
            )
        elif _in_work_tree(simulation, destination, wanted):
            fix = f"git -C {gitops.facts.folder} add {shlex.quote(destination)} && git -C {gitops.facts.folder} commit"
            _block(found, path, Reason.UNCOMMITTED, destination, fix)
        elif there is None:
            _block(found, path, Reason.MISSING, destination, "inv migrate.phase1 copies it")
        else:
            both = f"{simulation.core.facts.folder}/{path} {gitops.facts.folder}/{destination}"
            _block(
                found,
                path,
                Reason.DIFFERS,
                destination,
                f"compare: diff {both}; make them equal, or --accept {shlex.quote(path)}",
            )


def _in_work_tree(simulation: Simulation, path: str, wanted: Entry) -> bool:
    """Does the file lie in gitops' work tree, with the right content, but in no commit?"""
    place = os.path.join(simulation.gitops.facts.folder, path)
    try:
        if os.path.islink(place):
            return object_id("blob", encode(os.readlink(place)), simulation.gitops.width) == wanted.oid
        with open(place, "rb") as file:
            return object_id("blob", file.read(), simulation.gitops.width) == wanted.oid
    except OSError:
        return False


def _by_consumers(simulation: Simulation, found: Verdicts) -> None:
    who = simulation.memo.answer(_CONSUMERS, lambda: Consumers(simulation))
    for consumer in who.known:
        _consumed(found, consumer.path, consumer.where, [p for p in found.proofs if who.covers(consumer, p)], "")
    if who.why_unknown:
        found.notes.append(f"live Argo CD Applications are unknown: {who.why_unknown}")
        for consumer in who.possible:
            hit = [p for p in found.proofs if who.covers(consumer, p) and not _unasked(simulation, p)]
            where = f"{consumer.where} says that Argo CD syncs from here; {who.why_unknown}"
            _consumed(found, consumer.path, where, hit, "let the cluster be asked (inv aks.login), or accept: ")


def _unasked(simulation: Simulation, path: str) -> bool:
    return any(covering(row.path)(path) for row in simulation.mapping.unasked)


def _consumed(found: Verdicts, path: str, where: str, hit: list[str], fix: str) -> None:
    hit = [p for p in hit if found.proofs[p].kind is not ProofKind.ACCEPTED]
    if not hit:
        return
    name = path if path in hit else path.rstrip("/") + "/"
    text = fix or "let the Application sync from gitops first, or accept: "
    block = Block.at(name, Reason.CONSUMED, where, f"{text}--accept {shlex.quote(name)}")
    for one in hit:
        found.proofs.pop(one, None)
        found.blocks.setdefault(one, []).append(block)


def _by_references(simulation: Simulation, found: Verdicts) -> None:
    """Take out of the doomed what somebody names who stays; what stays thereby may name others."""
    if not found.proofs:
        return
    index, tree = references(simulation), simulation.core.tree
    survivors = [p for p in tree.files if p not in found.proofs]
    fresh: Iterable[str] = survivors
    told: set[Reference] = set()
    while True:
        doomed = set(found.proofs)
        again: set[str] = set()
        for reference in index.to(doomed, fresh):
            if not reference.holds:
                told.add(reference)
                continue
            hit = [p for p in targets(reference.target, doomed) if found.proofs[p].kind is not ProofKind.ACCEPTED]
            if not hit or simulation.accepted(reference.file):
                told.add(reference)
                continue
            block = _referenced(reference)
            for path in hit:
                again.add(path)
                found.blocks.setdefault(path, [])
                if block not in found.blocks[path]:
                    found.blocks[path].append(block)
        if not again:
            break
        for path in again:
            found.proofs.pop(path, None)
        fresh = survivors = [*survivors, *sorted(again)]
    found.references = sorted(told, key=lambda r: (r.file, r.line))


def _tell_references(simulation: Simulation, paths: set[str], found: Verdicts) -> None:
    """What stays for another reason is told who names it too, so that a person sees all that is to be done."""
    rest = paths - found.proofs.keys()
    if not rest:
        return
    survivors = [p for p in simulation.core.tree.files if p not in paths]
    told = set(found.references)
    for reference in references(simulation).to(paths, survivors):
        if not reference.holds or simulation.accepted(reference.file):
            told.add(reference)
            continue
        block = _referenced(reference)
        for path in targets(reference.target, rest):
            if block not in found.blocks.setdefault(path, []):
                found.blocks[path].append(block)
    found.references = sorted(told, key=lambda r: (r.file, r.line))


def _referenced(reference: Reference) -> Block:
    maybe = "" if reference.sure else "maybe: "
    fix = f"{maybe}{reference.kind} says `{reference.text[:100]}`; change it there, or accept: --accept {shlex.quote(reference.target)}"
    return Block.at(reference.target, Reason.REFERENCED, shown(reference.where), fix)


def _block(found: Verdicts, path: str, reason: Reason, where: str, fix: str) -> None:
    found.blocks.setdefault(path, []).append(Block.at(path, reason, where, fix))
