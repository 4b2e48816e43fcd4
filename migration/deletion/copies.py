"""Check that gitops has the content of the files that core deletes.

The commit that counts is the one that core pins: what a later commit of gitops has is not in everybody's checkout.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from migration.deletion.verdicts import ProofKind, Verdicts
from migration.git.objects import Entry, Tree, encode, object_id
from migration.simulation import World


@dataclass(frozen=True)
class _Target:
    """The commit of gitops that must have the copies, and its tree.

    known_commit: the newest commit below it that git has; a planned commit is not written yet
    """

    commit: str
    known_commit: str
    is_planned: bool
    tree: Tree


def check_copies(world: World, destinations: dict[str, str], verdicts: Verdicts) -> None:
    """Judge each file of core by its destination in gitops."""
    target = _target(world)
    if target is None:
        _refuse_unknown_pin(world, destinations, verdicts)
        return
    source = world.core.tree.files
    changed = {path: place for path, place in destinations.items() if target.tree.files.get(place) != source[path]}
    earlier = _earlier_entries(world, target, list(changed.values()))
    missing = {path: place for path, place in changed.items() if (place, source[path]) not in earlier}
    _explain_missing(world, missing, target, verdicts)
    copied = {path: place for path, place in destinations.items() if path not in missing}
    unpushed = _unpushed(world, copied, target.known_commit)
    for path, place in copied.items():
        if path in unpushed:
            verdicts.refuse(path, "unpushed", place, f"git -C {world.gitops.facts.folder} push")
        else:
            state = "was at" if path in changed else "is at"
            verdicts.prove(path, ProofKind.COPIED, f"{state} gitops:{place} in {target.commit[:12]}")


def _target(world: World) -> _Target | None:
    """None when core pins a commit that the gitops repository does not have."""
    gitops = world.gitops
    facts, commit = gitops.facts, world.pin or gitops.head
    is_planned = any(planned.id == commit for planned in gitops.commits)
    known_commit = facts.at if is_planned else commit
    if commit == gitops.head:
        return _Target(commit, known_commit, is_planned, gitops.tree)
    if commit == facts.at:
        return _Target(commit, known_commit, is_planned, facts.tree)
    if facts.has(commit):
        return _Target(commit, known_commit, is_planned, facts.tree_of(commit))
    return None


def _refuse_unknown_pin(world: World, destinations: dict[str, str], verdicts: Verdicts) -> None:
    where = f"core:{world.pin_path} {world.pin[:12]}"
    for path in destinations:
        fix = f"git -C {world.gitops.facts.folder} fetch, or pin a commit that exists in gitops"
        verdicts.refuse(path, "unpinned", where, fix)


def _earlier_entries(world: World, target: _Target, places: list[str]) -> set[tuple[str, Entry]]:
    """What these paths held in the target commit or in any commit before it."""
    entries = _history(world, [target.known_commit], places)
    if target.is_planned:
        for planned in world.gitops.commits:
            entries |= {(path, Entry(*entry)) for path, entry in planned.edits.items() if entry}
    return entries


def _history(world: World, commits: list[str], places: list[str]) -> set[tuple[str, Entry]]:
    return world.gitops.facts.ever(commits, places) if places else set()


def _unpushed(world: World, copied: dict[str, str], commit: str) -> set[str]:
    """The files whose copy no remote branch of gitops has."""
    facts, source = world.gitops.facts, world.core.tree.files
    if world.pushed or not copied or not facts.unpushed(commit):
        return set()
    pushed_commits = facts.pushed_edge(commit)
    pushed_trees = [facts.tree_of(pushed) for pushed in pushed_commits]
    absent = {
        path: place
        for path, place in copied.items()
        if not any(tree.files.get(place) == source[path] for tree in pushed_trees)
    }
    earlier = _history(world, pushed_commits, list(absent.values()))
    return {path for path, place in absent.items() if (place, source[path]) not in earlier}


def _explain_missing(world: World, missing: dict[str, str], target: _Target, verdicts: Verdicts) -> None:
    """Block each file whose copy is absent or different, and name what is wrong with the copy."""
    if not missing:
        return
    unpinned = _in_newer_commits(world, missing, target)
    for path, place in missing.items():
        if path in unpinned:
            gitops = world.gitops
            where = f"gitops:{place} (core pins {target.commit[:12]}, gitops is at {gitops.head[:12]})"
            verdicts.refuse(path, "unpinned", where, "pin it: inv migrate.phase1 --only RF-11")
        else:
            _explain_copy(world, path, place, target.tree.files.get(place), verdicts)


def _in_newer_commits(world: World, missing: dict[str, str], target: _Target) -> set[str]:
    """The files whose copy is in a commit of gitops after the one that core pins."""
    gitops, source = world.gitops, world.core.tree.files
    if target.commit == gitops.head:
        return set()
    absent = [place for path, place in missing.items() if gitops.tree.files.get(place) != source[path]]
    earlier = _history(world, [gitops.facts.at], absent)
    return {
        path
        for path, place in missing.items()
        if gitops.tree.files.get(place) == source[path] or (place, source[path]) in earlier
    }


def _explain_copy(world: World, path: str, place: str, copy: Entry | None, verdicts: Verdicts) -> None:
    wanted, folder = world.core.tree.files[path], world.gitops.facts.folder
    accept = f"--accept {shlex.quote(path)}"
    if copy is not None and copy.oid == wanted.oid:
        verdicts.refuse(path, "mode", place, f"change its mode to {wanted.mode}, or {accept}")
    elif _in_work_tree(world, place, wanted):
        fix = f"git -C {folder} add {shlex.quote(place)} && git -C {folder} commit"
        verdicts.refuse(path, "uncommitted", place, fix)
    elif copy is None:
        verdicts.refuse(path, "missing", place, "copy it: inv migrate.phase1")
    else:
        both = f"{world.core.facts.folder}/{path} {folder}/{place}"
        verdicts.refuse(path, "differs", place, f"compare them: diff {both}; make them equal, or {accept}")


def _in_work_tree(world: World, place: str, wanted: Entry) -> bool:
    """Does the work tree of gitops have the right content at this path, although no commit has it?"""
    file = os.path.join(world.gitops.facts.folder, place)
    try:
        if os.path.islink(file):
            content = encode(os.readlink(file))
        else:
            with open(file, "rb") as stream:
                content = stream.read()
    except OSError:
        return False
    return object_id("blob", content, world.gitops.width) == wanted.oid
