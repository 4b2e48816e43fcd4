"""Check that gitops has the content of the files that core deletes.

The commit that counts is the one that core pins: what a later commit of gitops has is not in everybody's checkout.
"""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import dataclass

from migration.deletion.verdicts import ProofKind, Verdicts
from migration.destinations import chosen_twin, diverged_fix, find_rivals
from migration.git.objects import SYMLINK, Entry, Tree, encode, object_id
from migration.model import Reason
from migration.simulation import Simulation


@dataclass(frozen=True)
class _Target:
    """The commit of gitops that must have the copies, and its tree.

    known_commit: the newest commit below it that git has; a planned commit is not written yet
    """

    commit: str
    known_commit: str
    is_planned: bool
    tree: Tree


@dataclass(frozen=True)
class _Copy:
    """What must be at a path of gitops so that a file of core may be deleted. twin: the file that was chosen instead."""

    place: str
    entry: Entry
    twin: str = ""


def check_copies(simulation: Simulation, destinations: dict[str, str], verdicts: Verdicts) -> None:
    """Judge each file of core by its destination in gitops."""
    target = _target(simulation)
    if target is None:
        _refuse_unknown_pin(simulation, destinations, verdicts)
        return
    source = simulation.core.tree.files
    changed = {path: place for path, place in destinations.items() if target.tree.files.get(place) != source[path]}
    earlier = _earlier_entries(simulation, target, list(changed.values()))
    missing = {path: place for path, place in changed.items() if (place, source[path]) not in earlier}
    copies = _copies_of_twins(simulation, missing, target, earlier)
    _explain_missing(simulation, {p: place for p, place in missing.items() if p not in copies}, target, verdicts)
    copies |= {path: _Copy(place, source[path]) for path, place in destinations.items() if path not in missing}
    unpushed = _unpushed(simulation, copies, target.known_commit)
    for path, copy in copies.items():
        if path in unpushed:
            push = f"git -C {shlex.quote(str(simulation.gitops.facts.folder))} push"
            verdicts.refuse(path, Reason.UNPUSHED, copy.place, push)
        else:
            _prove(verdicts, path, copy, target)
    _keep_rivals(simulation, verdicts)


def _prove(verdicts: Verdicts, path: str, copy: _Copy, target: _Target) -> None:
    if copy.twin:
        verdicts.prove(path, ProofKind.SUPERSEDED, f"the mapping chose {copy.twin}, at gitops:{copy.place}")
    else:
        state = "is at" if target.tree.get(copy.place) == copy.entry else "was at"
        verdicts.prove(path, ProofKind.COPIED, f"{state} gitops:{copy.place} in {target.commit[:12]}")


def _copies_of_twins(
    simulation: Simulation, missing: dict[str, str], target: _Target, earlier: set[tuple[str, Entry]]
) -> dict[str, _Copy]:
    """The files whose twin was chosen and is at the destination of both."""
    copies, source = {}, simulation.core.tree.files
    for path, place in missing.items():
        twin, copy = chosen_twin(simulation.mapping, path), target.tree.get(place)
        is_copied = twin not in source or source[twin] == copy or (place, source[twin]) in earlier
        if twin and copy is not None and is_copied:
            copies[path] = _Copy(place, copy, twin)
    return copies


def _keep_rivals(simulation: Simulation, verdicts: Verdicts) -> None:
    """Keep the file that is copied while another one that competes with it is not: both are needed to decide."""
    for path, rival in find_rivals(simulation).undecided.items():
        if path in verdicts.proofs and rival in verdicts.blocks:
            verdicts.refuse(path, Reason.DIVERGED, rival, diverged_fix(path, rival))


def _target(simulation: Simulation) -> _Target | None:
    """None when core pins a commit that the gitops repository does not have."""
    gitops = simulation.gitops
    facts, commit = gitops.facts, simulation.repositories.pin or gitops.head
    is_planned = any(planned.id == commit for planned in gitops.commits)
    known_commit = facts.at if is_planned else commit
    if commit == gitops.head:
        return _Target(commit, known_commit, is_planned, gitops.tree)
    if commit == facts.at:
        return _Target(commit, known_commit, is_planned, facts.tree)
    if facts.has(commit):
        return _Target(commit, known_commit, is_planned, facts.tree_of(commit))
    return None


def _refuse_unknown_pin(simulation: Simulation, destinations: dict[str, str], verdicts: Verdicts) -> None:
    where = f"core:{simulation.repositories.pin_path} {simulation.repositories.pin[:12]}"
    for path in destinations:
        fix = f"git -C {shlex.quote(str(simulation.gitops.facts.folder))} fetch, or pin a commit that exists in gitops"
        verdicts.refuse(path, Reason.UNPINNED, where, fix)


def _earlier_entries(simulation: Simulation, target: _Target, places: list[str]) -> set[tuple[str, Entry]]:
    """What these paths held in the target commit or in any commit before it."""
    entries = _history(simulation, [target.known_commit], places)
    if target.is_planned:
        for planned in simulation.gitops.commits:
            entries |= {(path, Entry(*entry)) for path, entry in planned.edits.items() if entry}
    return entries


def _history(simulation: Simulation, commits: list[str], places: list[str]) -> set[tuple[str, Entry]]:
    return simulation.gitops.facts.ever(commits, places) if places else set()


def _unpushed(simulation: Simulation, copies: dict[str, _Copy], commit: str) -> set[str]:
    """The files whose copy no remote branch of gitops has."""
    facts = simulation.gitops.facts
    if simulation.pushed or not copies or not facts.unpushed(commit):
        return set()
    pushed_commits = facts.pushed_edge(commit)
    pushed_trees = [facts.tree_of(pushed) for pushed in pushed_commits]
    absent = {
        path: copy
        for path, copy in copies.items()
        if not any(tree.files.get(copy.place) == copy.entry for tree in pushed_trees)
    }
    earlier = _history(simulation, pushed_commits, [copy.place for copy in absent.values()])
    return {path for path, copy in absent.items() if (copy.place, copy.entry) not in earlier}


def _explain_missing(simulation: Simulation, missing: dict[str, str], target: _Target, verdicts: Verdicts) -> None:
    """Block each file whose copy is absent or different, and name what is wrong with the copy."""
    if not missing:
        return
    unpinned = _in_newer_commits(simulation, missing, target)
    rivals = find_rivals(simulation).undecided
    for path, place in missing.items():
        if path in rivals:
            verdicts.refuse(path, Reason.DIVERGED, rivals[path], diverged_fix(path, rivals[path]))
        elif path in unpinned:
            gitops = simulation.gitops
            where = f"gitops:{place} (core pins {target.commit[:12]}, gitops is at {gitops.head[:12]})"
            verdicts.refuse(path, Reason.UNPINNED, where, "pin it: inv migrate.phase1 --only RF-11")
        else:
            _explain_copy(simulation, path, place, target.tree.files.get(place), verdicts)


def _in_newer_commits(simulation: Simulation, missing: dict[str, str], target: _Target) -> set[str]:
    """The files whose copy is in a commit of gitops after the one that core pins."""
    gitops, source = simulation.gitops, simulation.core.tree.files
    if target.commit == gitops.head:
        return set()
    absent = [place for path, place in missing.items() if gitops.tree.files.get(place) != source[path]]
    earlier = _history(simulation, [gitops.facts.at], absent)
    return {
        path
        for path, place in missing.items()
        if gitops.tree.files.get(place) == source[path] or (place, source[path]) in earlier
    }


def _explain_copy(simulation: Simulation, path: str, place: str, copy: Entry | None, verdicts: Verdicts) -> None:
    wanted = simulation.core.tree.files[path]
    accept = f"--accept {shlex.quote(path)}"
    if _in_work_tree(simulation, place, wanted):
        gitops = shlex.quote(str(simulation.gitops.facts.folder))
        fix = f"git -C {gitops} add {shlex.quote(place)} && git -C {gitops} commit"
        verdicts.refuse(path, Reason.UNCOMMITTED, place, fix)
    elif simulation.accepted(path):
        verdicts.accept(path)
    elif copy is not None and copy.oid == wanted.oid:
        verdicts.refuse(path, Reason.MODE, place, f"change its mode to {wanted.mode}, or {accept}")
    elif copy is None:
        verdicts.refuse(path, Reason.MISSING, place, "copy it: inv migrate.phase1")
    else:
        both = shlex.join((f"{simulation.core.facts.folder}/{path}", f"{simulation.gitops.facts.folder}/{place}"))
        verdicts.refuse(path, Reason.DIFFERS, place, f"compare them: diff {both}; make them equal, or {accept}")


def _in_work_tree(simulation: Simulation, place: str, wanted: Entry) -> bool:
    """Does the work tree of gitops have the right file at this path, although no commit has it?"""
    file = os.path.join(simulation.gitops.facts.folder, place)
    try:
        if os.path.islink(file):
            mode, content = SYMLINK, encode(os.readlink(file))
        else:
            with open(file, "rb") as stream:
                mode = "100755" if os.fstat(stream.fileno()).st_mode & stat.S_IXUSR else "100644"
                content = stream.read()
    except OSError:
        return False
    return Entry(mode, object_id("blob", content, simulation.gitops.width)) == wanted
