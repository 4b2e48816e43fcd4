"""DC-10 and DC-12 to DC-14, RF-21: the container's scripts need no local cluster, and one of them runs the suite's setup."""

from __future__ import annotations

import re
from collections.abc import Iterable

from migration import carried_suite
from migration.dev_container.base import base_of, hooks_of
from migration.dev_container.choice import choose, note_none
from migration.dev_container.hooks import Hooks, is_setup
from migration.edit.jsonc import plain
from migration.edit.shell import Statement, statements
from migration.edit.shell_choice import Chosen, Lines
from migration.model import Reason
from migration.phases.post_create import chosen_from, decoded, encoded, is_obsolete, kept_file, kept_rows
from migration.simulation import Draft
from tasks.core.errors import Trouble

_TEAM_CALL = """
# The team's own commands. Their failure does not stop this script.
team="$root/{team}"
[ ! -f "$team" ] || timeout --kill-after=5 "$limit" bash "$team" </dev/null || echo "$team failed; continuing" >&2
"""
_SETUP = "\noutput=$(mktemp)"  # the line of postCreate.sh before `inv setup`, whose end may be the end of the script
_ROOT = '"$(dirname "${BASH_SOURCE[0]}")/.."'  # the suite's script is one folder below the root
_NEW = "about 50 lines that call inv setup"


def simplify_post_create(draft: Draft) -> None:
    """The script at post_create.path is the suite's; the team's own commands are in a file that it runs."""
    container = _container(draft)
    if container is None:
        return
    simulation, rules = draft.simulation, draft.simulation.mapping.post_create
    old = simulation.core.text(rules.path)
    if old is not None and is_obsolete(old, rules.obsolete):
        _keep_statements(draft, old)
    elif container.runs_setup(rules.path, simulation.core.text):
        return
    elif old is None:
        _write_script(draft, team=rules.kept_in in simulation.core.tree)
    elif not is_setup(decoded(old)):
        _keep_whole(draft, container, old)


def run_setup(draft: Draft) -> None:
    """A command of the container runs the suite's setup, which logs in and connects."""
    simplify_post_create(draft)
    if draft.changes or draft.blocks:
        return
    container = _container(draft)
    script, read = draft.simulation.mapping.post_create.path, draft.simulation.core.text
    if container is not None and not container.runs_setup(script, read):
        path = choose(draft).path
        fix = "no command of this container runs inv setup; DC-11 adds it to postCreateCommand"
        draft.block(path, Reason.CUSTOM, f"core:{path}", fix)


def simplify_start_scripts(draft: Draft) -> None:
    """What else runs when the container is created or started needs no local cluster."""
    container = _container(draft) or Hooks({})
    simulation, rules = draft.simulation, draft.simulation.mapping.post_create
    read, own = simulation.core.text, {rules.path, rules.kept_in}
    called = (path for command in container.commands() for path in container.scripts(command))
    shell = [path for path in called if path not in own and _is_shell(path, read(path))]
    for path in dict.fromkeys([*rules.also, *shell]):
        old = simulation.core.text(path)
        if old is not None and is_obsolete(old, rules.obsolete):
            _without_local_cluster(draft, path, old)


def _container(draft: Draft) -> Hooks | None:
    """The commands of the dev container; None without one to migrate."""
    choice = choose(draft)
    if not choice.path:
        if not draft.blocks:
            note_none(draft)
        return None
    try:
        read, tree = draft.simulation.core.text, draft.simulation.core.tree
        config = plain(decoded(read(choice.path) or b""), choice.path)
        return hooks_of(config, base_of(choice.path, config, read), tree.has_folder)
    except Trouble as error:
        draft.block(choice.path, Reason.CUSTOM, f"core:{choice.path}", f"{error.what}; {error.fix}")
        return None


def _is_shell(path: str, script: bytes | None) -> bool:
    if script is None:
        return False
    has_name = path.endswith((".sh", ".bash"))
    return has_name or re.match(rb"#!\s*/\S*(?:env\s+)?(?:ba|da|z)?sh\b", script) is not None


def _keep_statements(draft: Draft, old: bytes) -> None:
    """Replace a script that serves the local cluster; the other statements go to the team's file."""
    simulation, rules = draft.simulation, draft.simulation.mapping.post_create
    chosen = chosen_from(old, rules.path, rules.obsolete, rules.ours, simulation.core.text)
    if _blocks(draft, chosen, rules.path, rules.kept_in):
        return
    team = kept_file(chosen, rules.path, simulation.core.text(rules.kept_in))
    if not _write_script(draft, team=bool(team), destroys="; ".join(map(str, chosen.lost))):
        return
    if team:
        said = f"{len(chosen.kept)} statements of the team, kept from {rules.path}"
        draft.write("core", rules.kept_in, team, said, mode="100755")
    _note_lines(draft, chosen, rules.path, rules.kept_in if team else "")


def _keep_whole(draft: Draft, container: Hooks, old: bytes) -> None:
    """Put the suite's script in front of one of the team that has nothing to do with the local cluster."""
    rules, tree = draft.simulation.mapping.post_create, draft.simulation.core.tree
    if not container.mentions(rules.path):
        fix = (
            "no command of the container runs this script; set post_create.path to another place for the suite's script"
        )
        draft.block(rules.path, Reason.CUSTOM, f"core:{rules.path}", fix)
    elif rules.kept_in in tree:
        fix = f"it does not run inv setup, and its place {rules.kept_in} is taken; combine the two files there"
        draft.block(rules.path, Reason.CUSTOM, f"core:{rules.path}", fix)
    elif _write_script(draft, team=True):
        said = f"the team's {rules.path}, unchanged"
        draft.write("core", rules.kept_in, old, said, mode=tree.files[rules.path].mode)


def _write_script(draft: Draft, *, team: bool, destroys: str = "") -> bool:
    """Write the suite's script. team: whether it runs the team's file; destroys: the lines that are lost."""
    rules = draft.simulation.mapping.post_create
    template = carried_suite.template(".devcontainer/postCreate.sh")
    if template is None:
        fix = "run this from the suite's own checkout, which has the new script"
        draft.block(rules.path, Reason.CUSTOM, f"core:{rules.path}", fix)
        return False
    up = "/".join([".."] * rules.path.count("/")) or "."
    script = template.decode().replace(_ROOT, _ROOT.replace("..", up))
    body = _with_call_of(rules.kept_in, script) if team else script
    draft.write("core", rules.path, body.encode(), _NEW, mode="100755", destroys=destroys)
    return True


def _without_local_cluster(draft: Draft, path: str, old: bytes) -> None:
    """Remove what only the local cluster needs from a script of the team."""
    rules = draft.simulation.mapping.post_create
    chosen = chosen_from(old, path, rules.obsolete, [], draft.simulation.core.text)
    if _blocks(draft, chosen, path, "a script of yours"):
        return
    first = decoded(old).partition("\n")[0].rstrip("\r")
    head = f"{first}\n" if first.startswith("#!") else ""
    last = max((statement.last for statement in statements(decoded(old))), default=0)
    comments_below = decoded(old).replace("\r\n", "\n").split("\n")[last:]
    body = "\n".join([*kept_rows(chosen), *comments_below]).strip()
    destroys = "; ".join(map(str, chosen.lost))
    draft.write("core", path, encoded(f"{head}{body}\n"), "only what needs no local cluster", destroys=destroys)
    _note_lines(draft, chosen, path, path)


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
