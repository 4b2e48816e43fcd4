"""The old history of what moves, rewritten to its new places by git-filter-repo: a second parent of the copies.

With it, `git log --follow` and blame in gitops reach the old authors, while the copies keep core's content byte for byte.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from migration.destinations import destinations
from migration.git.objects import NO_HOOKS, Git, environment
from migration.git.pipe import Piped
from migration.model import Graft
from migration.simulation import Simulation

REF = "refs/remote-first/history"


def graft(simulation: Simulation) -> Graft | None:
    """Rewrite the history in a scratch clone of core. None when nothing is left to copy."""
    core, gitops = simulation.core.tree.files, simulation.gitops.tree.files
    wanted = destinations(simulation)
    if all(gitops.get(target) == core[source] for source, target in wanted.items()):
        return None
    scratch = Path(tempfile.mkdtemp(prefix="remote-first-history-"))
    simulation.repositories.scratch.append(scratch)
    clone = scratch / "core.git"
    folder = str(simulation.core.facts.folder)
    Git(scratch).read("clone", "--quiet", "--bare", "--no-tags", folder, str(clone), timeout=1800)
    branch = simulation.core.facts.branch
    words = [
        word for old, new in _renames(simulation, wanted) for word in ("--path", old, "--path-rename", f"{old}:{new}")
    ]
    argv = [sys.executable, "-m", "git_filter_repo", "--quiet", "--force", "--refs", branch, *words]
    env = environment(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0=NO_HOOKS[0], GIT_CONFIG_VALUE_0=NO_HOOKS[1])
    with Piped(argv, cwd=clone, env=env, said="git filter-repo") as child:
        child.result(timeout=1800)
    return Graft(Git(clone).line("rev-parse", "--verify", branch), clone, branch)


def fetch(simulation: Simulation) -> None:
    """Fetch the rewritten history into gitops, where the copies' commits will refer to it."""
    if simulation.graft:
        refspec = f"+{simulation.graft.branch}:{REF}"
        git = simulation.gitops.facts.git
        git.read("fetch", "--quiet", "--no-tags", str(simulation.graft.clone), refspec, timeout=1800)


def drop(simulation: Simulation) -> None:
    """Delete the ref that kept the fetched history: the copies' commits refer to it now."""
    if simulation.graft:
        simulation.gitops.facts.git.read("update-ref", "-d", REF)


def _renames(simulation: Simulation, wanted: dict[str, str]) -> list[tuple[str, str]]:
    """Old and new places: single files of moves with {env}, then the other moves, the longest source first."""
    moves = sorted(simulation.mapping.moves, key=lambda move: -len(move.source))
    plain = [(move.source, move.target) for move in moves if "{env}" not in move.source]
    return [(p, d) for p, d in wanted.items() if "{env}" in _source_of(simulation, p)] + plain


def _source_of(simulation: Simulation, path: str) -> str:
    going = simulation.mapping.move_of(path)
    return going[0].source if going else ""
