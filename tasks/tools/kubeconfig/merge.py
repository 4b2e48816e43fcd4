"""Put one context into the user's kubeconfig. Every other entry and key, and the current context, stay as they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.yaml import edit, nodes
from tasks.core.yaml.nodes import Node
from tasks.tools import kubeconfig as kc
from tasks.tools.kubeconfig import Context, Kubeconfig
from tasks.tools.kubeconfig.file import locked, replace_file

_SINGULAR = {"clusters": "cluster", "users": "user", "contexts": "context"}


def merge(wanted: Context, *, text: str, equivalent: tuple[str, ...] = ()) -> Change[None] | None:
    """Put the context with its cluster and user into the user's files; None when they already have it.

    The files are read again under the lock, so that what another program writes meanwhile is kept.

    equivalent: a command with the same effect
    """
    if same(kc.load().context(wanted.name), wanted):
        return None
    return Change(text, run=lambda: _write(wanted), equivalent=equivalent)


def same(have: Context | None, wanted: Context) -> bool:
    """Do both connect to the same place in the same way? The names of cluster and user may differ."""
    return (
        have is not None
        and have.namespace == wanted.namespace
        and nodes.plain(have.cluster_body) == nodes.plain(wanted.cluster_body)
        and (
            (have.plugin.command, have.plugin.args) == (wanted.plugin.command, wanted.plugin.args)
            if have.plugin and wanted.plugin
            else nodes.plain(have.user_body) == nodes.plain(wanted.user_body)
        )
    )


def place() -> Path:
    """Return the file for new entries: the first that exists, else the last, as kubectl does."""
    files = kc.files()
    return next((path for path in files if path.exists()), files[-1])


def _write(wanted: Context) -> None:
    with locked(kc.files()):
        have = kc.load()
        if same(have.context(wanted.name), wanted):
            return  # another run did it while this one waited for the lock
        renamed = replace(
            wanted,
            cluster=_free_name(have, "clusters", wanted.cluster, wanted.cluster_body, wanted.name),
            user=_free_name(have, "users", wanted.user, wanted.user_body, wanted.name),
        )
        default = place()
        edits: dict[Path, Node] = {}
        for kind, name, body in _entries(renamed, have):
            path = have.homes.get((kind, name), default)
            document = edits.get(path) or kc.compose(path) or _empty()
            edits[path] = _with_entry(document, kind, name, body, path)
        if not have.current:
            path = have.homes.get(("contexts", renamed.name), default)
            edits[path] = nodes.with_value(edits[path], "current-context", nodes.word(renamed.name))
        for path, document in edits.items():
            replace_file(path, edit.changed(kc.content(path), document).encode())


def _entries(wanted: Context, have: Kubeconfig) -> Iterable[tuple[str, str, Node]]:
    """Yield cluster and user before the context that names them: a reader in between sees no dangling name."""
    yield "clusters", wanted.cluster, wanted.cluster_body
    if wanted.user_body is not None:
        yield "users", wanted.user, wanted.user_body
    body = have.entries.get(("contexts", wanted.name)) or nodes.mapping()
    for key, value in (("cluster", wanted.cluster), ("user", wanted.user), ("namespace", wanted.namespace)):
        if value:
            body = nodes.with_value(body, key, nodes.word(value))
    yield "contexts", wanted.name, body


def _free_name(have: Kubeconfig, kind: str, name: str, body: Node, context: str) -> str:
    """The name, unless another context uses an entry of this name that differs: then one with a number."""
    singular = _SINGULAR[kind]
    used = {
        nodes.text(nodes.find(other, singular))
        for (k, n), other in have.entries.items()
        if k == "contexts" and n != context
    }
    candidates = (name, *(f"{name}-{number}" for number in range(2, 100)))
    for candidate in candidates:
        entry = have.entries.get((kind, candidate))
        if entry is None or candidate not in used or nodes.plain(entry) == nodes.plain(body):
            return candidate
    raise Blocked(f"the kubeconfig holds a hundred {kind} named {name}", fix=f"remove some of them from {place()}")


def _with_entry(document: Node, kind: str, name: str, body: Node, path: Path) -> Node:
    import yaml

    singular = _SINGULAR[kind]
    listed = nodes.find(document, kind)
    if listed is not None and listed.id != "sequence":
        raise Blocked(f"{path}: {kind} is not a list", fix=f"correct it, or move it away: {path}")
    entries, replaced = [], False
    for item in nodes.items(listed):
        if not replaced and nodes.text(nodes.find(item, "name")) == name:
            item, replaced = nodes.with_value(item, singular, body), True
        entries.append(item)
    if not replaced:
        entries.append(nodes.mapping(("name", nodes.word(name)), (singular, body)))
    flow = bool(listed is not None and listed.flow_style and listed.value)
    return nodes.with_value(document, kind, yaml.SequenceNode("tag:yaml.org,2002:seq", entries, flow_style=flow))


def _empty() -> Node:
    return nodes.mapping(
        ("apiVersion", nodes.word("v1")),
        ("kind", nodes.word("Config")),
        ("clusters", nodes.sequence()),
        ("contexts", nodes.sequence()),
        ("users", nodes.sequence()),
        ("preferences", nodes.mapping()),
    )
