"""RF-10: the paths inside the copies lead to files of gitops; those that lead nowhere are reported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from migration.destinations import destinations
from migration.edit.replacements import replaced
from migration.git.facts import shown
from migration.git.objects import Entry, decode, encode, is_binary
from migration.mapping import Mapping, Move, any_glob
from migration.references.core_paths import CorePaths
from migration.references.path_scan import ScannedPath, scan
from migration.references.search_terms import SearchTerms
from migration.simulation import Draft, Simulation

_REGULAR = {"100644", "100755"}


@dataclass(frozen=True)
class _Copy:
    """A file of core and its copy in gitops. before: the content of both; after: that of the copy with its edits."""

    path: str
    place: str
    before: bytes
    after: bytes


def rewrite_copied_paths(draft: Draft) -> None:
    """Rewrite the paths inside the copies that moved, and report those that lead nowhere."""
    simulation = draft.simulation
    places = destinations(simulation)
    if not places:
        return
    _carry(draft)
    copied = {path: place for path, place in places.items() if place in simulation.gitops.tree}
    contents = _contents(simulation, copied)
    for path, place in copied.items():
        entry = simulation.gitops.tree.files[place]
        if entry == simulation.core.tree.files[path]:  # otherwise gitops has changed it since
            _rewrite(draft, place, entry, contents[entry.oid])
    _report_broken_paths(draft, copied, contents)


def _contents(simulation: Simulation, copied: dict[str, str]) -> dict[str, bytes]:
    """The contents by id of the copies that gitops has not changed, and of those that this plan makes."""
    tree, source = simulation.gitops.tree.files, simulation.core.tree.files
    wanted = {tree[place].oid: None for path, place in copied.items() if tree[place] == source[path]}
    return dict(simulation.gitops.blobs.many(wanted))


def _carry(draft: Draft) -> None:
    """Copy the files that the copies need and that core keeps."""
    simulation = draft.simulation
    for carry in simulation.mapping.carries:
        entry = simulation.core.tree.get(carry.source)
        if entry is None or carry.target in simulation.gitops.tree:
            continue
        earlier = simulation.gitops.facts.ever([simulation.gitops.facts.at], [carry.target])
        if (carry.target, entry) not in earlier:  # otherwise gitops had it, and has deleted it since
            draft.copy(carry.source, carry.target, f"{carry.source} -> {carry.target}: {carry.reason}")


def _rewrite(draft: Draft, place: str, entry: Entry, old: bytes) -> None:
    if is_binary(old) or entry.mode not in _REGULAR:
        return
    mapping = draft.simulation.mapping
    new = _with_new_paths(old, mapping)
    for rule in mapping.rewrites:
        if rule.key == draft.key and rule.repo == "gitops" and any_glob(rule.files).match(place):
            new = replaced(new, rule)
    if new != old:
        draft.write("gitops", place, new, f"{place}: new paths")


def _with_new_paths(data: bytes, mapping: Mapping) -> bytes:
    """Replace each old path by its new one; the longest old path first."""
    moves = [move for move in mapping.moves if encode(move.source.split("{")[0]) in data]
    if not moves:
        return data
    text = decode(data)
    for move in sorted(moves, key=lambda move: -len(move.source)):
        text = _with_new_path(text, move)
    return encode(text)


def _with_new_path(text: str, move: Move) -> str:
    source = re.escape(move.source).replace(re.escape("{env}"), r"(?P<env>[\w.-]+)")
    end_of_name = "" if move.source.endswith("/") else r"(?![\w.-])"

    def target(match: re.Match[str]) -> str:
        return (match["here"] or "") + move.target.replace("{env}", match.groupdict().get("env", ""))

    return re.sub(rf"(?<![\w./-])(?P<here>\./)?{source}{end_of_name}", target, text)


def _report_broken_paths(draft: Draft, copied: dict[str, str], contents: dict[str, bytes]) -> None:
    """Report the paths that lead nowhere in the copies which this plan makes or rewrites."""
    copies = list(_copies(draft, copied, contents))
    if not copies:
        return
    terms, index = _any_top_folder(draft), CorePaths(draft.simulation.core.tree)
    for copy in copies:
        if index.may_be_named(copy.path, copy.before):
            _report_broken_paths_in(draft, copy, terms)


def _copies(draft: Draft, copied: dict[str, str], contents: dict[str, bytes]) -> Iterator[_Copy]:
    """The copies of regular files that gitops has as core has them, apart from the edits of this step.

    What gitops has already, and this step does not change, was reported when it was made.
    """
    simulation, edits = draft.simulation, draft.edits["gitops"]
    for path, place in copied.items():
        entry = edits.get(place) or simulation.gitops.tree.files[place]
        before = contents.get(simulation.core.tree.files[path].oid)
        is_new = simulation.gitops.facts.tree.get(place) != entry
        if is_new and before is not None and entry.mode in _REGULAR:
            after = simulation.gitops.blobs.planned(entry.oid) or contents.get(entry.oid, before)
            yield _Copy(path, place, before, after)


def _report_broken_paths_in(draft: Draft, copy: _Copy, terms: SearchTerms) -> None:
    """Report each path in the copy that leads to something in core and to nothing in gitops."""
    patterns: dict[int, set[str]] = {}
    for scanned in scan(copy.place, copy.after, terms):
        patterns.setdefault(scanned.line, set()).add(scanned.pattern)
    lines = copy.after.decode("utf-8", "replace").split("\n")
    for scanned in scan(copy.path, copy.before, terms):
        number, target = scanned.line, scanned.pattern.rstrip("/")
        if not _leads_somewhere_in_core(draft.simulation, copy.path, scanned, target):
            continue
        if not any(
            _is_in_gitops(draft, place) for place in _places_of(draft.simulation, target) & patterns.get(number, set())
        ):
            text = lines[number - 1].strip()[:80] if number <= len(lines) else ""
            draft.note(
                f"gitops:{shown(copy.place)}:{number} refers to {target}, which does not exist in gitops: `{text}`"
            )


def _any_top_folder(draft: Draft) -> SearchTerms:
    """Search for every path that starts with a top-level folder of either repository, and for relative paths."""
    simulation = draft.simulation
    paths = [*simulation.core.tree.files, *simulation.gitops.tree.files, *draft.edits["gitops"]]
    top_folders = {path.partition("/")[0] + "/" for path in paths if "/" in path}
    return SearchTerms(tuple(sorted(top_folders | {"../", "./"})), ())


def _leads_somewhere_in_core(simulation: Simulation, path: str, scanned: ScannedPath, target: str) -> bool:
    """Is this a path outside the file's own folders that core has? The gitops submodule is not part of core."""
    if scanned.comment or "*" in target or target == simulation.repositories.pin_path or path.startswith(target + "/"):
        return False
    return target in simulation.core.tree or simulation.core.tree.has_folder(target)


def _places_of(simulation: Simulation, target: str) -> set[str]:
    """What the path may be called in gitops."""
    places = {target, target.removeprefix(f"{simulation.repositories.pin_path}/")}
    move = simulation.mapping.move_of(target)
    if move is not None:
        places.add(move[1])
    return places | {carry.target for carry in simulation.mapping.carries if carry.source == target}


def _is_in_gitops(draft: Draft, place: str) -> bool:
    tree = draft.simulation.gitops.tree
    return place in tree or place in draft.edits["gitops"] or tree.has_folder(place)
