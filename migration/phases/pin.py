"""RF-11: core pins a gitops commit that has the copies."""

from __future__ import annotations

import shlex

from migration.destinations import destinations
from migration.git.facts import TRAILER, UNDO
from migration.git.objects import Tree
from migration.model import Reason
from migration.simulation import Draft, Simulation


def pin_gitops(draft: Draft) -> None:
    """Let core pin the gitops commit that has the copies; a remote branch must have it first."""
    simulation = draft.simulation
    gitops = simulation.gitops
    if not gitops.commits and not _needs_pin(simulation):
        return
    if _block_old_gitops(draft):
        return
    is_unpushed = bool(gitops.commits or gitops.facts.unpushed(gitops.facts.at))
    if gitops.facts.remotes() and not simulation.pushed and is_unpushed:
        draft.person(
            "gitops", f"push gitops: git -C {shlex.quote(str(gitops.facts.folder))} push (or run this with --push)"
        )
        simulation.pushed = True
    if simulation.repositories.pin_path and simulation.repositories.pin != gitops.head:
        draft.pin(gitops.head, f"{simulation.repositories.pin_path} -> {gitops.head[:12]}")


def _block_old_gitops(draft: Draft) -> bool:
    """Block when core pins a commit that is not part of this gitops: another pin would take that commit back."""
    simulation = draft.simulation
    facts, pin = simulation.gitops.facts, simulation.repositories.pin
    if not pin or pin == facts.at:
        return False
    place = shlex.quote(str(facts.folder))
    if not facts.has(pin):
        why, fix = "this repository does not have it", f"git -C {place} fetch, then git -C {place} merge --ff-only"
    elif not _is_ancestor(simulation, pin, facts.at):
        why, fix = f"it is not part of {facts.at[:12]}", f"git -C {place} merge {pin[:12]}"
    else:
        return False
    path = simulation.repositories.pin_path
    draft.block(path, Reason.UNPINNED, f"core pins {pin[:12]} of gitops; {why}", fix)
    return True


def _needs_pin(simulation: Simulation) -> bool:
    """Does the pinned commit lack a copy that gitops has, or does no remote branch have the pinned commit?"""
    if not simulation.mapping.moves:
        return False
    facts, pin = simulation.gitops.facts, simulation.repositories.pin
    if pin and pin != simulation.gitops.head and _pin_lacks_copies(simulation):
        return True
    copied = destinations(simulation)
    return bool(copied and facts.unpushed(pin if pin and facts.has(pin) else facts.at))


def _pin_lacks_copies(simulation: Simulation) -> bool:
    """Look at what the pinned commit has. When core no longer has the files, gitops says what it must have."""
    facts, core, pin = simulation.gitops.facts, simulation.core.tree.files, simulation.repositories.pin
    if not facts.has(pin):
        return True
    pinned = facts.tree_of(pin)
    absent = {p: place for p, place in destinations(simulation).items() if pinned.files.get(place) != core[p]}
    earlier = facts.ever([pin], list(absent.values()))
    if any((place, core[path]) not in earlier and not simulation.accepted(path) for path, place in absent.items()):
        return True
    return _lacks_a_destination(simulation, pinned) or not _has_the_migration(simulation, pin)


def _lacks_a_destination(simulation: Simulation, pinned: Tree) -> bool:
    """Is a destination in gitops, and not in the pinned commit?"""
    targets = [move.target.split("{")[0] for move in simulation.mapping.moves]
    return any(
        next(simulation.gitops.tree.under(target), None) is not None and next(pinned.under(target), None) is None
        for target in targets
    )


def _has_the_migration(simulation: Simulation, pin: str) -> bool:
    """Is the newest commit that the migration made in gitops part of the pinned commit?"""
    facts = simulation.gitops.facts
    words = (f"--grep=^{TRAILER}: ", f"--format=%H %(trailers:key={TRAILER},valueonly,separator=%x20)")
    commit, _, key = facts.git.line("log", "-1", *words, facts.at).partition(" ")
    return not commit or key == UNDO or _is_ancestor(simulation, commit, pin)


def _is_ancestor(simulation: Simulation, older: str, newer: str) -> bool:
    git = simulation.gitops.facts.git
    return git.line("merge-base", "--all", older, newer, ok=(0, 1)) == older
