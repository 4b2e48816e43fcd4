"""The old history of what moves, rewritten to its new places by git-filter-repo, as a second parent of the copies.

So `git log --follow` and blame in gitops reach the old authors, while the copies stay byte for byte those of core.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from migration.git.objects import Git, environment
from migration.phases.destinations import destinations
from migration.simulation import World
from tasks.core.process.pipe import Piped

REF = "refs/remote-first/history"


def grafts(world: World) -> tuple[str, ...]:
    """The tip of the rewritten history; none when nothing is left to be copied. Made in a scratch folder."""
    core, gitops = world.core.tree.files, world.gitops.tree.files
    wanted = destinations(world)
    if all(gitops.get(d) == core[p] for p, d in wanted.items()):
        return ()
    scratch = Path(tempfile.mkdtemp(prefix="remote-first-history-"))
    world.scratch.append(scratch)
    clone = scratch / "core.git"
    Git(scratch).read("clone", "--quiet", "--bare", "--no-tags", str(world.core.facts.folder), str(clone), timeout=1800)
    branch = world.core.facts.branch
    rules = []
    for move in sorted(world.mapping.moves, key=lambda m: -len(m.source)):
        if "{env}" not in move.source:
            rules.append((move.source, move.target))
    rules = [(p, d) for p, d in wanted.items() if "{env}" in _source_of(world, p)] + rules
    words = [word for old, new in rules for word in ("--path", old, "--path-rename", f"{old}:{new}")]
    argv = [sys.executable, "-m", "git_filter_repo", "--quiet", "--force", "--refs", branch, *words]
    with Piped(argv, cwd=clone, env=environment(), said="git filter-repo") as child:
        child.result(timeout=1800)
    tip = Git(clone).line("rev-parse", "--verify", branch)
    world.cache["history"] = (clone, branch)
    return (tip,)


def bring(world: World) -> None:
    """Fetch the rewritten history into gitops, where the copies' commits will name it."""
    made = world.cache.get("history")
    if isinstance(made, tuple):
        clone, branch = made
        world.gitops.facts.git.read("fetch", "--quiet", "--no-tags", str(clone), f"+{branch}:{REF}", timeout=1800)


def _source_of(world: World, path: str) -> str:
    going = world.mapping.move_of(path)
    return going[0].source if going else ""
