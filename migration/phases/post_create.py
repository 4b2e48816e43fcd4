"""The scripts that run when the dev container is made or started: without the local cluster, with the team's own lines."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

from migration import carried_suite
from migration.edit.shell import Statement, statements
from migration.edit.shell_choice import Chosen, Lines, choose
from migration.model import Reason
from migration.simulation import Draft

_NEVER = r"(?!)"
_TEAM_CALL = """
# The team's own commands. Their failure does not stop this script.
team="$root/{team}"
[ ! -f "$team" ] || timeout --kill-after=5 "$limit" bash "$team" </dev/null || echo "$team failed; continuing" >&2
"""
_SETUP = "\noutput=$(mktemp)"  # the line of postCreate.sh before `inv setup`, whose end may be the end of the script
_TEAM_HEAD = """#!/usr/bin/env bash
# The team's own part of the dev container's start, kept from the former {name}. It is yours: edit it.
# shellcheck disable=all
set -uo pipefail
"""


def simplify_post_create(draft: Draft) -> None:
    """postCreate.sh is the suite's; the team's own commands are in a file that it runs."""
    simulation, rules = draft.simulation, draft.simulation.mapping.post_create
    old = simulation.core.text(rules.path)
    called = f"{simulation.mapping.dev_container.folder}/devcontainer.json" in simulation.core.tree
    if not (called if old is None else is_obsolete(old, rules.obsolete)):
        return
    new = carried_suite.template(".devcontainer/postCreate.sh")
    if new is None:
        fix = "run this from the suite's own checkout, which has the new script"
        draft.block(rules.path, Reason.CUSTOM, f"core:{rules.path}", fix)
        return
    chosen = chosen_from(old or b"", rules.path, rules.obsolete, rules.ours, simulation.core.text)
    if _blocks(draft, chosen, rules.path, rules.kept_in):
        return
    team = kept_file(chosen, rules.path, simulation.core.text(rules.kept_in))
    if team:
        said = f"{len(chosen.kept)} statements of the team, kept from {rules.path}"
        draft.write("core", rules.kept_in, team, said, mode="100755")
    _note_lines(draft, chosen, rules.path, rules.kept_in if team else "")
    body = _with_call_of(rules.kept_in, new.decode()) if team else new.decode()
    destroys = "; ".join(map(str, chosen.lost))
    said = "about 50 lines that call inv setup"
    draft.write("core", rules.path, body.encode(), said, mode="100755", destroys=destroys)


def simplify_start_scripts(draft: Draft) -> None:
    """What runs at every start of the container needs no local cluster."""
    simulation, rules = draft.simulation, draft.simulation.mapping.post_create
    for path in rules.also:
        old = simulation.core.text(path)
        if old is None or not is_obsolete(old, rules.obsolete):
            continue
        chosen = chosen_from(old, path, rules.obsolete, [], simulation.core.text)
        if _blocks(draft, chosen, path, "a script of yours"):
            continue
        head = "#!/usr/bin/env bash\n" if old.startswith(b"#!") else ""
        body = "\n".join(_kept_rows(chosen)).strip()
        destroys = "; ".join(map(str, chosen.lost))
        draft.write("core", path, _encode(f"{head}{body}\n"), "only what needs no local cluster", destroys=destroys)
        _note_lines(draft, chosen, path, path)


def is_obsolete(script: bytes, obsolete: Sequence[str]) -> bool:
    """Does the script, comments aside, still do what went with the local cluster?"""
    text, pattern = _decode(script), "|".join(obsolete) or _NEVER
    if not re.search(pattern, text, re.MULTILINE):
        return False  # parsing a migrated script takes 0.1 s
    return any(re.search(pattern, s.without_comments) for s in statements(text))


def chosen_from(
    script: bytes,
    path: str,
    obsolete: Sequence[str],
    ours: Sequence[str],
    read: Callable[[str], bytes | None] = lambda path: None,
) -> Chosen:
    """The statements of the script at this path, sorted by these patterns. read: returns a file of the repository."""

    def brings(statement: Statement) -> frozenset[str]:
        return _sourced_functions(statement, path, read)

    patterns = re.compile("|".join(obsolete) or _NEVER), re.compile("|".join(ours) or _NEVER, re.MULTILINE)
    return choose(statements(_decode(script)), *patterns, brings)


def kept_file(chosen: Chosen, name: str, existing: bytes | None) -> bytes:
    """The team's file: what is kept from the script `name`, below what it holds already. Nothing for mere definitions."""
    if chosen.only_defines:
        return existing or b""
    old = _decode(existing or b"").rstrip("\r\n")
    head = f"{old}\n" if old else _TEAM_HEAD.format(name=name)
    present = {s.code for s in statements(old)}
    return _encode(head + "".join(f"{row}\n" for row in _kept_rows(chosen, present)))


def _kept_rows(chosen: Chosen, present: Iterable[str] = ()) -> list[str]:
    """Statements and calls in their order, without those whose code is present already."""
    rows = [(s.first, s.code, _without_shebang(s)) for s in chosen.kept]
    rows += [(line.first, line.text, line.text) for line in chosen.calls]
    return [text for _, code, text in sorted(rows, key=lambda row: row[0]) if code not in present]


def _without_shebang(statement: Statement) -> str:
    comments = statement.comments.splitlines(keepends=True)
    return "".join(line for line in comments if not line.startswith("#!")) + statement.code


def _sourced_functions(statement: Statement, script: str, read: Callable[[str], bytes | None]) -> frozenset[str]:
    """The functions in the file that the statement sources; its name is what follows the last expansion in the path."""
    word = re.fullmatch(r"(?:source|\.)\s+(\S.*)", statement.without_comments.strip())
    if word is None:
        return frozenset()
    name = re.split(r"[)}\"']|\$\w+", word[1].rstrip("\"'"))[-1].strip("/")
    paths = [posixpath.normpath(path) for path in (f"{posixpath.dirname(script)}/{name}", name)]
    data = next((data for path in paths if (data := read(path)) is not None), b"")
    return frozenset[str]().union(*(s.defines for s in statements(_decode(data))))


def _blocks(draft: Draft, chosen: Chosen, path: str, instead: str) -> bool:
    """Block for each line that would be lost, unless its loss is accepted."""
    if draft.simulation.accepted(path):
        return False
    for lines in chosen.lost:
        fix = f"{_why_lost(lines)}; put it into {instead}, then --accept {path}"
        draft.block(path, Reason.CUSTOM, f"{path}:{lines.first}", fix)
    return bool(chosen.lost)


def _why_lost(lines: Lines) -> str:
    why = "cannot be kept on its own" if lines.readable else "cannot be parsed, and may belong to the local cluster"
    where = f" (lines {lines.place})" if lines.last > lines.first else ""
    return f"`{lines.text[:80]}`{where} {why}"


def _note_lines(draft: Draft, chosen: Chosen, path: str, kept_in: str) -> None:
    """Add notes that say which lines of the script are kept and which are dropped."""
    kept = f"kept in {kept_in}" if kept_in else "dropped, because they only define what nothing uses"
    for rows, what in (
        (chosen.kept, kept),
        (chosen.dropped, "dropped, because of the local cluster or because the new script does the same"),
        (chosen.unused, "dropped, because only such lines use them"),
    ):
        if rows:
            draft.note(f"{what}: lines {_ranges(rows)} of {path}")


def _ranges(rows: Iterable[Statement]) -> str:
    ranges: list[tuple[int, int]] = []
    for row in rows:
        follows = bool(ranges) and row.begin == ranges[-1][1] + 1
        first = ranges.pop()[0] if follows else row.first
        ranges.append((first, row.last))
    return ", ".join(f"{first}-{last}" if first != last else f"{first}" for first, last in ranges)


def _with_call_of(team: str, script: str) -> str:
    call = _TEAM_CALL.format(team=team)
    if team in script:
        return script
    before, setup, after = script.partition(_SETUP)
    if not setup:
        raise ValueError(f"the suite's postCreate.sh has no line {_SETUP.strip()}: the team's lines would never run")
    return f"{before.rstrip()}\n{call}{setup}{after}"


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
