"""Phase 1: infrastructure stands in gitops. Copies keep blob and mode; what must change in them changes afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from migration.edit.doc_sections import section_in
from migration.edit.replacements import rewritten
from migration.git.facts import shown
from migration.git.objects import GITLINK, Entry
from migration.mapping import Move, glob
from migration.model import Repo, Step
from migration.references.path_scan import scan
from migration.references.search_terms import SearchTerms
from migration.simulation import Draft, World

COPIES = ("INFRA-10", "INFRA-11", "INFRA-12", "INFRA-13", "INFRA-14")


def sources(world: World, key: str = "") -> dict[str, str]:
    """Every file of core that moves (by this step) and its destination in gitops."""
    found: dict[str, str] = {}
    for move in world.mapping.moves:
        if key and move.step != key:
            continue
        head = move.source.split("{")[0]
        for path in world.core.tree.under(head):
            if world.core.tree.files[path].mode == GITLINK:
                continue  # a submodule is no blob that could be copied; its deletion is a person's
            going = world.mapping.move_of(path)
            if going is not None and (not key or going[0].step == key):
                found[path] = going[1]
    return found


def copied(key: str) -> Callable[[Draft], None]:
    """What moves by this step stands at its destination, blob and mode."""

    def plan(draft: Draft) -> None:
        world = draft.world
        core, gitops = world.core.tree.files, world.gitops.tree.files
        wanted = sources(world, key)
        late = {p: d for p, d in wanted.items() if gitops.get(d) != core[p]}
        if not late:
            return
        clashes = _clashes(world)
        diverged = _twins(world)
        taken = {p: d for p, d in late.items() if d in gitops}
        stood = world.gitops.facts.ever([world.gitops.facts.at], list(late.values()))
        stood |= {(p, Entry(*e)) for c in world.gitops.commits for p, e in c.edits.items() if e}
        before = world.core.facts.ever([world.core.facts.at], list(taken)) if taken else set()
        for path, destination in late.items():
            if (destination, core[path]) in stood:
                continue  # it stood there; gitops has moved on since
            other = clashes.get(path) or diverged.get(path)
            there = gitops.get(destination)
            if other and not world.accepted(path):
                draft.block(path, "diverged", other, f"keep one of the two, or accept both: --accept {path}")
            elif there is None:
                draft.copy(path, destination, f"{path} -> {destination}")
                draft.grafted = True
            elif (path, there) in before or there.oid == core[path].oid:
                draft.copy(path, destination, f"{path} -> {destination}, which has an older state of it")
            elif not world.accepted(path):
                fix = (
                    f"compare: diff {world.core.facts.folder}/{path} {world.gitops.facts.folder}/{destination}; "
                    f"make them equal, or leave gitops as it is: --accept {path}"
                )
                draft.block(path, "diverged", f"gitops:{destination}", fix)

    return plan


def _clashes(world: World) -> dict[str, str]:
    """Files of core with one destination and different content: each with the other."""
    by_place: dict[str, str] = {}
    found: dict[str, str] = {}
    files = world.core.tree.files
    for path, destination in sources(world).items():
        first = by_place.setdefault(destination, path)
        if first != path and files[first] != files[path]:
            found[path], found[first] = first, path
    return found


def _twins(world: World) -> dict[str, str]:
    """Files of the twins' second folder that differ from the first's, unless the mapping has decided."""
    files, found = world.core.tree.files, {}
    for twins in world.mapping.twins:
        for path in world.core.tree.under(twins.other):
            rest = path[len(twins.other) :]
            same = files.get(twins.one + rest)
            if same is not None and same != files[path] and rest not in twins.decided:
                found[path] = twins.one + rest
    return found


def readmes(draft: Draft) -> None:
    """The READMEs of both repositories say where things went."""
    world = draft.world
    rows = [
        f"| `{m.source}` | `{m.target}` |"
        for m in world.mapping.moves
        if next(world.gitops.tree.under(m.target.split("{")[0]), None) is not None
    ]
    if not rows:
        return
    table = "\n".join(["| was in core | is in gitops |", "|---|---|", *rows])
    core = f"## Where the infrastructure went\n\nIt lives in the gitops repository now.\n\n{table}\n"
    gitops = (
        f"## What came from core\n\nThese paths were moved here, with their content unchanged at first.\n\n{table}\n"
    )
    _section(draft, "core", core)
    _section(draft, "gitops", gitops)


def _section(draft: Draft, repo: Repo, text: str) -> None:
    side = draft.world.side(repo)
    old = side.text("README.md") or b""
    new = section_in(old, "moved", text)
    draft.write(side.name, "README.md", new, "say where things went")


def paths_hold(draft: Draft) -> None:
    """Paths inside the copies hold in gitops; those that nobody can mend by rule are told with file and line."""
    world = draft.world
    wanted = sources(world)
    if not wanted:
        return
    for carry in world.mapping.carries:
        entry = world.core.tree.get(carry.source)
        if entry is not None and carry.target not in world.gitops.tree:
            stood = world.gitops.facts.ever([world.gitops.facts.at], [carry.target])
            if (carry.target, entry) not in stood:
                draft.copy(carry.source, carry.target, f"{carry.source} -> {carry.target}: {carry.reason}")
    rules = [r for r in world.mapping.rewrites if r.step == draft.key and r.repo == "gitops"]
    moved = _moved_paths(world.mapping.moves)
    places = [(p, d) for p, d in wanted.items() if d in world.gitops.tree]
    oids = {world.gitops.tree.files[d].oid: None for _, d in places}
    bodies = dict(world.gitops.blobs.many(oids))
    for path, destination in places:
        entry = world.gitops.tree.files[destination]
        if entry != world.core.tree.files[path]:
            continue  # gitops has moved on; it is not ours any more
        data = bodies[entry.oid]
        if b"\0" in data[:8000] or entry.mode not in {"100644", "100755"}:
            continue
        new = _with_moved(data, moved)
        for rule in rules:
            if any(glob(g).match(destination) for g in rule.files):
                new = rewritten(new, rule)
        if new != data:
            draft.write("gitops", destination, new, f"{destination}: paths that moved")
    _tell_dangling(draft, places, bodies)


def _moved_paths(moves: list[Move]) -> list[tuple[re.Pattern[str], str]]:
    found = []
    for move in sorted(moves, key=lambda m: -len(m.source)):
        text = re.escape(move.source).replace(re.escape("{env}"), r"([\w.-]+)")
        end = "" if move.source.endswith("/") else r"(?![\w.-])"
        found.append((re.compile(rf"(?<![\w./-])(\./)?{text}{end}"), move.target))
    return found


def _with_moved(data: bytes, moved: list[tuple[re.Pattern[str], str]]) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    for pattern, target in moved:

        def place(found: re.Match[str], target: str = target) -> str:
            return (found[1] or "") + (target.replace("{env}", found[2]) if "{env}" in target else target)

        text = pattern.sub(place, text)
    return text.encode("utf-8", "surrogateescape")


def _tell_dangling(draft: Draft, places: Iterable[tuple[str, str]], bodies: dict[str, bytes]) -> None:
    """Name each path in a copy that led somewhere in core and leads nowhere in gitops."""
    world = draft.world
    core, gitops = world.core.tree, world.gitops.tree
    tops = {p.partition("/")[0] for p in core.files if "/" in p}
    new_tops = {p.partition("/")[0] for p in (*gitops.files, *draft.edits["gitops"]) if "/" in p}
    words = SearchTerms(tuple(sorted({f"{t}/" for t in tops | new_tops} | {"../", "./"})), ())
    edits = draft.edits["gitops"]
    for path, destination in places:
        entry = edits.get(destination) or gitops.files[destination]
        old = bodies.get(core.files[path].oid)
        if old is None or entry.mode not in {"100644", "100755"}:
            continue
        new = world.gitops.blobs.planned(entry.oid) or bodies.get(entry.oid, old)
        now: dict[int, list[str]] = {}
        for mention in scan(destination, new, words):
            now.setdefault(mention.line, []).append(mention.pattern)
        lines = new.decode("utf-8", "replace").split("\n")
        for mention in scan(path, old, words):
            was = mention.pattern.rstrip("/")
            if mention.comment or "*" in was or not (was in core or core.has_folder(was)):
                continue
            if path.startswith(was + "/") or was == world.pin_path:
                continue  # a folder it lies in, or gitops itself
            here = now.get(mention.line, [])
            going = world.mapping.move_of(was)
            wants = {was, was.removeprefix(f"{world.pin_path}/"), going[1] if going else was}
            wants |= {c.target for c in world.mapping.carries if c.source == was}
            if any(w in here and (w in gitops or w in edits or gitops.has_folder(w)) for w in wants):
                continue
            said = lines[mention.line - 1].strip()[:80] if mention.line <= len(lines) else ""
            draft.note(f"gitops:{shown(destination)}:{mention.line} names {was}, which gitops has not: `{said}`")


def pinned(draft: Draft) -> None:
    """core pins the gitops commit that has the copies, and a remote branch has it too."""
    world = draft.world
    gitops = world.gitops
    remote = bool(gitops.facts.remotes())
    if gitops.commits or _needs_pin(world):
        if remote and not world.pushed and (gitops.commits or gitops.facts.unpushed(gitops.facts.at)):
            draft.person("gitops", f"push gitops: git -C {gitops.facts.folder} push (or add --push)")
            world.pushed = True
        if world.pin_path and world.pin != gitops.head:
            draft.pin(gitops.head, f"{world.pin_path} -> {gitops.head[:12]}")


def _needs_pin(world: World) -> bool:
    """Is there a file of core whose copy gitops has and the pinned commit has not, or no remote branch?"""
    wanted = sources(world)
    if not wanted:
        return False
    core, gitops = world.core.tree.files, world.gitops
    facts = gitops.facts
    if world.pin and world.pin != gitops.head:
        if not facts.has(world.pin):
            return True
        tree = facts.tree_of(world.pin).files
        late = {p: d for p, d in wanted.items() if tree.get(d) != core[p]}
        stood = facts.ever([world.pin], list(late.values()))
        if any((d, core[p]) not in stood for p, d in late.items() if not world.accepted(p)):
            return True
    counting = world.pin if world.pin and facts.has(world.pin) else facts.at
    return bool(facts.unpushed(counting))


STEPS = (
    *(Step(key, 1, "", copied(key)) for key in COPIES),
    Step("INFRA-15", 1, "the READMEs of both repositories say where things went", readmes),
    Step("RF-10", 1, "paths inside the copies hold in gitops", paths_hold),
    Step("RF-11", 1, "core pins the gitops commit that has the copies", pinned, needs=COPIES),
)
