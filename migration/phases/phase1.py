"""Phase 1: infrastructure stands in gitops. Copies keep blob and mode; what must change in them changes afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from migration.edit.doc_sections import section_in
from migration.edit.replacements import rewritten
from migration.git.facts import shown
from migration.git.objects import GITLINK, Entry
from migration.mapping import Move, glob
from migration.model import Reason, Repo
from migration.references.path_scan import Words, mentions
from migration.simulation import Draft, Simulation
from migration.step import MigrationStep

COPIES = ("INFRA-10", "INFRA-11", "INFRA-12", "INFRA-13", "INFRA-14")


def sources(simulation: Simulation, key: str = "") -> dict[str, str]:
    """Every file of core that moves (by this step) and its destination in gitops."""
    found: dict[str, str] = {}
    for move in simulation.mapping.moves:
        if key and move.step != key:
            continue
        head = move.source.split("{")[0]
        for path in simulation.core.tree.under(head):
            if simulation.core.tree.files[path].mode == GITLINK:
                continue  # a submodule is no blob that could be copied; its deletion is a person's
            going = simulation.mapping.move_of(path)
            if going is not None and (not key or going[0].step == key):
                found[path] = going[1]
    return found


def copied(key: str) -> Callable[[Draft], None]:
    """What moves by this step stands at its destination, blob and mode."""

    def plan(draft: Draft) -> None:
        simulation = draft.simulation
        core, gitops = simulation.core.tree.files, simulation.gitops.tree.files
        wanted = sources(simulation, key)
        late = {p: d for p, d in wanted.items() if gitops.get(d) != core[p]}
        if not late:
            return
        clashes = _clashes(simulation)
        diverged = _twins(simulation)
        taken = {p: d for p, d in late.items() if d in gitops}
        stood = simulation.gitops.facts.ever([simulation.gitops.facts.at], list(late.values()))
        stood |= {(p, Entry(*e)) for c in simulation.gitops.commits for p, e in c.edits.items() if e}
        before = simulation.core.facts.ever([simulation.core.facts.at], list(taken)) if taken else set()
        for path, destination in late.items():
            if (destination, core[path]) in stood:
                continue  # it stood there; gitops has moved on since
            other = clashes.get(path) or diverged.get(path)
            there = gitops.get(destination)
            if other and not simulation.accepted(path):
                draft.block(path, Reason.DIVERGED, other, f"keep one of the two, or accept both: --accept {path}")
            elif there is None:
                draft.copy(path, destination, f"{path} -> {destination}")
                draft.grafted = True
            elif (path, there) in before or there.oid == core[path].oid:
                draft.copy(path, destination, f"{path} -> {destination}, which has an older state of it")
            elif not simulation.accepted(path):
                fix = (
                    f"compare: diff {simulation.core.facts.folder}/{path} {simulation.gitops.facts.folder}/{destination}; "
                    f"make them equal, or leave gitops as it is: --accept {path}"
                )
                draft.block(path, Reason.DIVERGED, f"gitops:{destination}", fix)

    return plan


def _clashes(simulation: Simulation) -> dict[str, str]:
    """Files of core with one destination and different content: each with the other."""
    by_place: dict[str, str] = {}
    found: dict[str, str] = {}
    files = simulation.core.tree.files
    for path, destination in sources(simulation).items():
        first = by_place.setdefault(destination, path)
        if first != path and files[first] != files[path]:
            found[path], found[first] = first, path
    return found


def _twins(simulation: Simulation) -> dict[str, str]:
    """Files of the twins' second folder that differ from the first's, unless the mapping has decided."""
    files, found = simulation.core.tree.files, {}
    for twins in simulation.mapping.twins:
        for path in simulation.core.tree.under(twins.other):
            rest = path[len(twins.other) :]
            same = files.get(twins.one + rest)
            if same is not None and same != files[path] and rest not in twins.decided:
                found[path] = twins.one + rest
    return found


def readmes(draft: Draft) -> None:
    """The READMEs of both repositories say where things went."""
    simulation = draft.simulation
    rows = [
        f"| `{m.source}` | `{m.target}` |"
        for m in simulation.mapping.moves
        if next(simulation.gitops.tree.under(m.target.split("{")[0]), None) is not None
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
    side = draft.simulation.repositories.named(repo)
    old = side.text("README.md") or b""
    new = section_in(old, "moved", text)
    draft.write(side.name, "README.md", new, "say where things went")


def paths_hold(draft: Draft) -> None:
    """Paths inside the copies hold in gitops; those that nobody can mend by rule are told with file and line."""
    simulation = draft.simulation
    wanted = sources(simulation)
    if not wanted:
        return
    for carry in simulation.mapping.carries:
        entry = simulation.core.tree.get(carry.source)
        if entry is not None and carry.target not in simulation.gitops.tree:
            stood = simulation.gitops.facts.ever([simulation.gitops.facts.at], [carry.target])
            if (carry.target, entry) not in stood:
                draft.copy(carry.source, carry.target, f"{carry.source} -> {carry.target}: {carry.reason}")
    rules = [r for r in simulation.mapping.rewrites if r.step == draft.key and r.repo == "gitops"]
    moved = _moved_paths(simulation.mapping.moves)
    places = [(p, d) for p, d in wanted.items() if d in simulation.gitops.tree]
    oids = {simulation.gitops.tree.files[d].oid: None for _, d in places}
    bodies = dict(simulation.gitops.blobs.many(oids))
    for path, destination in places:
        entry = simulation.gitops.tree.files[destination]
        if entry != simulation.core.tree.files[path]:
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
    simulation = draft.simulation
    core, gitops = simulation.core.tree, simulation.gitops.tree
    tops = {p.partition("/")[0] for p in core.files if "/" in p}
    new_tops = {p.partition("/")[0] for p in (*gitops.files, *draft.edits["gitops"]) if "/" in p}
    words = Words(tuple(sorted({f"{t}/" for t in tops | new_tops} | {"../", "./"})), ())
    edits = draft.edits["gitops"]
    for path, destination in places:
        entry = edits.get(destination) or gitops.files[destination]
        old = bodies.get(core.files[path].oid)
        if old is None or entry.mode not in {"100644", "100755"}:
            continue
        new = simulation.gitops.blobs.planned(entry.oid) or bodies.get(entry.oid, old)
        now: dict[int, list[str]] = {}
        for mention in mentions(destination, new, words):
            now.setdefault(mention.line, []).append(mention.pattern)
        lines = new.decode("utf-8", "replace").split("\n")
        for mention in mentions(path, old, words):
            was = mention.pattern.rstrip("/")
            if mention.comment or "*" in was or not (was in core or core.has_folder(was)):
                continue
            if path.startswith(was + "/") or was == simulation.repositories.pin_path:
                continue  # a folder it lies in, or gitops itself
            here = now.get(mention.line, [])
            going = simulation.mapping.move_of(was)
            wants = {was, was.removeprefix(f"{simulation.repositories.pin_path}/"), going[1] if going else was}
            wants |= {c.target for c in simulation.mapping.carries if c.source == was}
            if any(w in here and (w in gitops or w in edits or gitops.has_folder(w)) for w in wants):
                continue
            said = lines[mention.line - 1].strip()[:80] if mention.line <= len(lines) else ""
            draft.note(f"gitops:{shown(destination)}:{mention.line} names {was}, which gitops has not: `{said}`")


def pinned(draft: Draft) -> None:
    """core pins the gitops commit that has the copies, and a remote branch has it too."""
    simulation = draft.simulation
    gitops = simulation.gitops
    remote = bool(gitops.facts.remotes())
    if gitops.commits or _needs_pin(simulation):
        if remote and not simulation.pushed and (gitops.commits or gitops.facts.unpushed(gitops.facts.at)):
            draft.person("gitops", f"push gitops: git -C {gitops.facts.folder} push (or add --push)")
            simulation.pushed = True
        if simulation.repositories.pin_path and simulation.repositories.pin != gitops.head:
            draft.pin(gitops.head, f"{simulation.repositories.pin_path} -> {gitops.head[:12]}")


def _needs_pin(simulation: Simulation) -> bool:
    """Is there a file of core whose copy gitops has and the pinned commit has not, or no remote branch?"""
    wanted = sources(simulation)
    if not wanted:
        return False
    core, gitops = simulation.core.tree.files, simulation.gitops
    facts = gitops.facts
    if simulation.repositories.pin and simulation.repositories.pin != gitops.head:
        if not facts.has(simulation.repositories.pin):
            return True
        tree = facts.tree_of(simulation.repositories.pin).files
        late = {p: d for p, d in wanted.items() if tree.get(d) != core[p]}
        stood = facts.ever([simulation.repositories.pin], list(late.values()))
        if any((d, core[p]) not in stood for p, d in late.items() if not simulation.accepted(p)):
            return True
    counting = (
        simulation.repositories.pin
        if simulation.repositories.pin and facts.has(simulation.repositories.pin)
        else facts.at
    )
    return bool(facts.unpushed(counting))


STEPS = (
    *(MigrationStep(key, 1, "", copied(key)) for key in COPIES),
    MigrationStep("INFRA-15", 1, "the READMEs of both repositories say where things went", readmes),
    MigrationStep("RF-10", 1, "paths inside the copies hold in gitops", paths_hold),
    MigrationStep("RF-11", 1, "core pins the gitops commit that has the copies", pinned, needs=COPIES),
)
