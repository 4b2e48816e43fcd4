"""DC-11: devcontainer.json without the local cluster, with what the tunnel needs, for the user that the image has."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator
from typing import Any

from migration import carried_suite
from migration.dev_container import hooks
from migration.dev_container.base import Base, base_of, home_of, hooks_of, user_of
from migration.dev_container.choice import Choice, choose, note_none
from migration.dev_container.hooks import Hooks
from migration.dev_container.user import user_or_block
from migration.edit import mounts
from migration.edit.devcontainer import Action, Edit, check_types, edits_for
from migration.edit.jsonc import Jsonc, plain
from migration.mapping import Mapping
from migration.model import Reason
from migration.phases.post_create import chosen_from
from migration.phases.written_files import write_own
from migration.simulation import Draft
from tasks.core.errors import Trouble
from tasks.core.repository import repository_root

_CONTAINER = ".devcontainer/devcontainer.json"  # of the suite
_COMPOSE = "docker-compose.remote-first.yml"
_DEVICE = "/dev/net/tun"
_NEEDS_HOME = ("mounts", "containerEnv", "remoteUser")


def edit_container(draft: Draft) -> None:
    """Remove the local cluster from devcontainer.json, and add what the tunnel needs."""
    choice = choose(draft)
    if not choice.path:
        _offer(draft)
        return
    path = choice.path
    text = (draft.simulation.core.text(path) or b"").decode("utf-8", "surrogateescape")
    try:
        new = _edited(draft, choice, text)
    except Trouble as error:
        draft.block(path, Reason.CUSTOM, f"core:{path}", f"{error.what}; {error.fix}")
        return
    change = "no local cluster; device and capability for the tunnel, volumes of this workspace"
    draft.write("core", path, new.encode("utf-8", "surrogateescape"), change)
    if choice.others:
        draft.note(f"not changed: {', '.join(choice.others)}; dev_container.folder selects another dev container")
    _note_comments(draft, path, new)
    _block_missing_scripts(draft, path, new)


def _offer(draft: Draft) -> None:
    """Without a dev container: say how to get the suite's."""
    if draft.blocks:
        return
    note_none(draft)
    core, own = draft.simulation.core.facts.folder, repository_root()
    if core.resolve() != own and carried_suite.template(_CONTAINER) is not None:
        source, target = shlex.quote(str(own / ".devcontainer")), shlex.quote(str(core))
        draft.note(f"to start with the suite's dev container: cp -R {source} {target}")


def _edited(draft: Draft, choice: Choice, text: str) -> str:
    """The text of devcontainer.json after all edits. Raises Trouble when it cannot be edited."""
    path, mapping, read = choice.path, draft.simulation.mapping, draft.simulation.core.text
    now = plain(text, path)
    check_types(now)
    base = base_of(path, now, read)
    runs = hooks_of(now, base, draft.simulation.core.tree.has_folder)
    wanted = _wanted(runs, base, user_of(now, base, read))
    edits = [
        *edits_for(now, wanted, mapping.dev_container),
        *_hook_edits(draft, path, runs),
        *_device_edits(choice, now, base),
    ]
    _note_other_mounts(draft, now, wanted)
    if not edits or user_or_block(draft, path, now, base) is None:
        return text
    document = Jsonc(text, path, _obsolete_comment(mapping))
    for edit in edits:
        edit.apply(document)
        if edit.keys == ("dockerComposeFile",):
            _write_device(draft, choice, base.service)
        if edit.action is Action.DROP and edit.keys == ("mounts",):
            draft.note(f"{mounts.described(edit.value)}, which all clones share, is replaced by a volume of this clone")
    return document.whole()


def _wanted(runs: Hooks, base: Base, user: str) -> dict[str, Any]:
    """The suite's devcontainer.json for the user of this container; without what needs a home when nothing names one."""
    template = (carried_suite.template(_CONTAINER) or b"{}").decode()
    template = template.replace("/home/vscode", home_of(user)).replace("./scripts/inv", runs.from_here("./scripts/inv"))
    wanted = plain(template, "the suite's devcontainer.json")
    wanted["remoteUser"] = user
    for key in _NEEDS_HOME if not user else ():
        wanted.pop(key, None)
    wanted.pop(hooks.CREATE, None)  # added beside the team's own command
    if base.service:
        wanted.pop("runArgs", None)  # has no effect with Compose
        if "workspaceFolder" not in runs.config:
            fix = "set `workspaceFolder` to where the Compose file mounts the repository"
            raise Trouble("without `workspaceFolder` the commands of a container of Compose run in /", fix=fix)
    return wanted


def _hook_edits(draft: Draft, path: str, all_hooks: Hooks) -> Iterator[Edit]:
    """Commands of the local cluster are removed; the suite's setup runs when the container is created."""
    script, read = draft.simulation.mapping.post_create.path, draft.simulation.core.text
    now, removed = all_hooks.config, list(_obsolete_commands(draft, path, all_hooks))
    runs = all_hooks.mentions(script) or all_hooks.runs_setup(script, read)
    for command in removed:
        if runs or command.keys != (hooks.CREATE,):
            yield Edit(Action.REMOVE, command.keys)
    if runs:
        return
    is_removed = any(command.keys == (hooks.CREATE,) for command in removed)
    before = None if is_removed else now.get(hooks.CREATE)
    after = hooks.with_setup(before, all_hooks.from_here(script))
    if isinstance(before, dict):
        yield Edit(Action.SET, (hooks.CREATE, hooks.OURS), after[hooks.OURS])
    else:
        yield Edit(Action.REPLACE if hooks.CREATE in now else Action.SET, (hooks.CREATE,), after)


def _obsolete_commands(draft: Draft, path: str, all_hooks: Hooks) -> Iterator[hooks.Command]:
    """The commands that only serve the local cluster. One that does more than that blocks."""
    obsolete = draft.simulation.mapping.post_create.obsolete
    for command in all_hooks.commands():
        if not any(re.search(pattern, command.text) for pattern in obsolete):
            continue
        chosen = chosen_from(command.script.encode("utf-8", "surrogateescape"), path, obsolete, [])
        if chosen.kept or chosen.calls or chosen.lost:
            what = f"`{'.'.join(command.keys)}` does more than to serve the local cluster: `{command.script[:100]}`"
            draft.block(path, Reason.CUSTOM, f"core:{path}", f"{what}; keep only the rest")
        else:
            yield command


def _device_edits(choice: Choice, now: dict[str, Any], base: Base) -> Iterator[Edit]:
    """With Compose, one more file gives the service the device of the tunnel: `runArgs` has no effect there."""
    is_given = _DEVICE in json.dumps(base.compose.get("devices", "")) or base.compose.get("privileged") is True
    if not base.service or is_given or now.get("privileged") is True:
        return
    name = posixpath.relpath(f"{choice.folder}/{_COMPOSE}", posixpath.dirname(choice.path) or ".")
    files = now["dockerComposeFile"]
    if isinstance(files, list):
        yield Edit(Action.APPEND, ("dockerComposeFile",), [name])
    else:
        yield Edit(Action.REPLACE, ("dockerComposeFile",), [files, name])


def _write_device(draft: Draft, choice: Choice, service: str) -> None:
    text = (
        "# Telepresence creates a network device in the dev container.\n"
        f"services:\n  {json.dumps(service)}:\n    devices:\n      - {_DEVICE}:{_DEVICE}\n"
    )
    change = f"the device {_DEVICE} for the service {service}"
    write_own(draft, f"{choice.folder}/{_COMPOSE}", text.encode(), change, "100644")


def _note_other_mounts(draft: Draft, now: dict[str, Any], wanted: dict[str, Any]) -> None:
    elsewhere = mounts.of_arguments(now.get("runArgs", []))
    for mount in wanted.get("mounts", []):
        target = mounts.parts(mount)["target"]
        if target in elsewhere:
            draft.note(f"`runArgs` mounts {elsewhere[target]} at {target}; all clones share it, and one login")


def _obsolete_comment(mapping: Mapping) -> re.Pattern[str]:
    """Comments that speak of what is removed."""
    rules = mapping.dev_container
    words = [*rules.drop_features, *(rf"\b{port}\b" for port in rules.drop_ports), *mapping.post_create.obsolete]
    return re.compile("|".join(words) or r"(?!)")


def _note_comments(draft: Draft, path: str, text: str) -> None:
    """Name the comments about the local cluster that stay, since their line does."""
    features = "|".join(draft.simulation.mapping.dev_container.drop_features)
    for number, line in enumerate(text.splitlines() if features else (), 1):
        comment = re.search(rf"//.*(?:{features}).*", re.sub(r'"(?:[^"\\]|\\.)*"', '""', line))
        if comment:
            draft.note(f"{path}:{number}: the comment `{comment[0].strip()}` stays, because its line is still needed")


def _base_before(draft: Draft, path: str) -> Base:
    """What the container was built from before this step: its own Compose file is not in the tree yet."""
    read = draft.simulation.core.text
    return base_of(path, plain((read(path) or b"").decode("utf-8", "surrogateescape"), path), read)


def _block_missing_scripts(draft: Draft, path: str, text: str) -> None:
    tree, config = draft.simulation.core.tree, plain(text, path)
    all_hooks = hooks_of(config, _base_before(draft, path), tree.has_folder)
    for command, script in all_hooks.missing_scripts(lambda p: p in tree or p in draft.edits["core"]):
        fix = f"`{'.'.join(command.keys)}` names {script}, which does not exist; correct it"
        draft.block(path, Reason.CUSTOM, f"core:{path}", fix)
