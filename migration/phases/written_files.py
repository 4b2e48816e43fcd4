"""Write a file of the suite into core; a file of the team in its place is replaced only if the user accepts that."""

from __future__ import annotations

from migration.git.facts import TRAILER
from migration.git.objects import Entry
from migration.model import Reason
from migration.simulation import Draft


def write_own(draft: Draft, path: str, data: bytes, text: str, mode: str) -> bool:
    """Write it and return True, or block and return False."""
    core = draft.simulation.core
    existing = core.tree.get(path)
    wanted = Entry(mode, core.blobs.plan(data, core.width))
    is_ours = existing is None or existing == wanted or (path, existing) in written_by_us(draft, [path])
    if is_ours or draft.simulation.accepted(path):
        draft.write("core", path, data, text, mode=mode, destroys="" if is_ours else path)
        return True
    fix = f"you have a file at this path; move it, or accept that it is replaced: --accept {path}"
    draft.block(path, Reason.CUSTOM, f"core:{path}", fix)
    return False


def written_by_us(draft: Draft, paths: list[str]) -> set[tuple[str, Entry]]:
    """What earlier runs of this step wrote at these paths."""
    facts = draft.simulation.core.facts
    if not paths:
        return set()
    commits = facts.git.read("log", "--format=%H", f"--grep=^{TRAILER}: {draft.key}$", facts.at).decode().split()
    entries: set[tuple[str, Entry]] = set()
    for commit in commits:
        tree = facts.tree_of(commit)
        entries |= {(path, tree.files[path]) for path in paths if path in tree}
    return entries
