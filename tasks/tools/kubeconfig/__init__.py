"""The user's kubeconfig files as kubectl reads them, and the session's frozen kubeconfig with one context of them.

YAML is kept as nodes, so that entries are copied exactly: the order of keys, unknown keys, and words such as `on`,
`0123` or `12:30`, which reading would change.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.core import regular_file
from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.state import store
from tasks.core.typed import move_away
from tasks.core.yaml.bounded import loader
from tasks.core.yaml.nodes import Node, find, items, mapping, sequence, serialized, text, with_value, without, word
from tasks.tools import base, credential_helper

THROUGH_AZ = "azurecli"  # kubelogin's mode in which az gets the token, in whatever mode az was logged in
TOKEN_ARGS = ("get-token", "--login", THROUGH_AZ, "--server-id")  # the id follows
_INLINED = {
    "cluster": {"certificate-authority": "certificate-authority-data"},
    "user": {"client-certificate": "client-certificate-data", "client-key": "client-key-data"},
}


@dataclass(frozen=True)
class Plugin:
    """The credential plugin of a user: a program and its arguments."""

    command: str
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    """The variables that the kubeconfig sets for it."""

    @property
    def is_through_az(self) -> bool:
        """Does az get the token for it?"""
        return self.is_kubelogin and self.option("--login", "-l") == THROUGH_AZ

    @property
    def is_kubelogin(self) -> bool:
        """Does kubelogin convert it? Azure's kubelogin decides by the same rule."""
        return "kubelogin" in self.command.lower()

    def option(self, *names: str) -> str:
        """Return the value of an option, written `--login x` or `--login=x`; empty when absent."""
        for arg, following in zip(self.args, (*self.args[1:], ""), strict=False):
            if arg in names:
                return following
            for name in names:
                if arg.startswith(f"{name}="):
                    return arg.removeprefix(f"{name}=")
        return ""


@dataclass(frozen=True)
class Context:
    """A context with the cluster and the user that it names."""

    name: str
    cluster: str
    user: str
    namespace: str
    cluster_body: Node = field(repr=False)
    user_body: Node = field(repr=False)
    """None for a context without a user, or whose user is missing: the API server is then asked anonymously."""

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return text(find(self.cluster_body, "server"))

    @property
    def tls_server_name(self) -> str:
        """The name that the API server's certificate must have; empty for that of its URL."""
        return text(find(self.cluster_body, "tls-server-name"))

    @property
    def proxy_url(self) -> str:
        """The proxy to the API server; empty without one."""
        return text(find(self.cluster_body, "proxy-url"))

    @property
    def plugin(self) -> Plugin | None:
        """The user's credential plugin, if there is one; in a session's kubeconfig that behind the helper."""
        body = find(credential_helper.unwrapped(self.user_body), "exec")
        if getattr(body, "id", "") != "mapping":
            return None
        variables = ((text(find(v, "name")), text(find(v, "value"))) for v in items(find(body, "env")))
        return Plugin(
            text(find(body, "command")), tuple(text(node) for node in items(find(body, "args"))), tuple(variables)
        )


@dataclass(frozen=True)
class Kubeconfig:
    """Several files as one. Of an entry that is in two of them the first is used, as kubectl does."""

    files: tuple[Path, ...]
    current: str = ""
    entries: dict[tuple[str, str], Node] = field(default_factory=dict, repr=False)
    """The bodies by list and name, such as ("users", "dev")."""

    homes: dict[tuple[str, str], Path] = field(default_factory=dict, repr=False)
    """The file of each entry."""

    def names(self, kind: str) -> list[str]:
        """Return the names in one of the lists `contexts`, `clusters`, `users`."""
        return [name for listed, name in self.entries if listed == kind]

    def context(self, name: str) -> Context | None:
        """Return the context of this name; None when it, or the cluster it names, does not exist."""
        body = self.entries.get(("contexts", name))
        if body is None:
            return None
        cluster, user = text(find(body, "cluster")), text(find(body, "user"))
        cluster_body = self.entries.get(("clusters", cluster))
        if cluster_body is None:
            return None
        user_body = self.entries.get(("users", user))
        return Context(name, cluster, user, text(find(body, "namespace")), cluster_body, user_body)


def files() -> tuple[Path, ...]:
    """Return the user's kubeconfig files in the order kubectl reads them. They may not exist."""
    listed = [Path(entry).expanduser() for entry in os.environ.get("KUBECONFIG", "").split(os.pathsep) if entry]
    return tuple(dict.fromkeys(path.absolute() for path in listed)) or (Path.home() / ".kube" / "config",)


def load(paths: Iterable[Path] | None = None) -> Kubeconfig:
    """Return the merged view of these files, by default the user's. A missing file is an empty one.

    Raises Blocked for one that cannot be read.
    """
    listed = tuple(paths) if paths is not None else files()
    current = ""
    entries: dict[tuple[str, str], Node] = {}
    homes: dict[tuple[str, str], Path] = {}
    for path in listed:
        document = compose(path)
        if document is None:
            continue
        current = current or text(find(document, "current-context"))
        for kind, singular in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
            for name, body in named(document, kind, singular):
                if (kind, name) not in entries:
                    entries[kind, name] = _absolute(body, singular, path.parent)
                    homes[kind, name] = path
    return Kubeconfig(listed, current, entries, homes)


def parse(content: str, source: str) -> Kubeconfig:
    """Read a kubeconfig that a program printed. `source` names it in errors."""
    document = _composed(content, source)
    entries: dict[tuple[str, str], Node] = {}
    for kind, singular in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
        entries.update({(kind, name): body for name, body in named(document, kind, singular)})
    return Kubeconfig((), text(find(document, "current-context")), entries)


def freeze(s: Settings, source: Context | None = None) -> Change[None] | None:
    """Write the session's own kubeconfig from the user's, or from `source`; None when it is already right.

    In it kubelogin gets its token from az, whatever the user's own says, so that nothing asks a person for a login.
    Raises Blocked when the user's files have no such context.
    """
    path = base.frozen_kubeconfig(s)
    context = through_az(s, source or wanted_context(s))
    context = replace(context, namespace=s.cluster.namespace)
    has_helper = takes_helper(s, context)
    wanted = rendered(with_helper(s, context) if has_helper else context)
    is_there = store.read(path) == wanted and stat.S_IMODE(path.stat().st_mode) == 0o600
    if is_there and (not has_helper or credential_helper.is_installed(s)):
        return None

    def run() -> None:
        if has_helper:
            credential_helper.install(s)
        store.write(path, wanted)

    return Change(f"write the context {s.cluster.context} to the session's own kubeconfig {display(path)}", run=run)


def takes_helper(s: Settings, context: Context) -> bool:
    """Does the session's kubeconfig start the credential helper for this context?"""
    plugin = context.plugin
    return plugin is not None and plugin.is_through_az and credential_helper.is_wanted(s)


def with_helper(s: Settings, context: Context) -> Context:
    """Return the context with the credential helper before its plugin."""
    body = credential_helper.wrapped(s, credential_helper.unwrapped(context.user_body), context.server)
    return replace(context, user_body=body)


def wanted_context(s: Settings) -> Context:
    """Return the context of the settings from the user's files. Raises Blocked when it does not exist."""
    context = load().context(s.cluster.context)
    if context is None:
        raise Blocked(
            f"the context '{s.cluster.context}' is not in {' or '.join(map(str, files()))}", fix="inv aks.credentials"
        )
    return context


@contextmanager
def private(context: Context) -> Iterator[str]:
    """Write the context to a file that only this user can read, and delete it after the block. Yields its path."""
    with store.temporary() as folder:
        file = folder / "config"
        try:
            file.write_text(rendered(context), encoding="utf-8")
        except OSError as why:
            raise Blocked(
                f"cannot write {file}: {why.strerror}",
                fix=f"free some space, or set {store.VARIABLE} to a folder that can be written",
            ) from None
        yield str(file)


def display(path: Path) -> str:
    """Return the path with ~ for the home folder."""
    home = os.path.expanduser("~")
    return f"~{str(path)[len(home) :]}" if str(path).startswith(home + os.sep) else str(path)


def server_of(s: Settings, path: str = "") -> str:
    """Return the API server of the settings' context in this file (default: the frozen one); empty without it."""
    context = load([Path(path) if path else base.frozen_kubeconfig(s)]).context(s.cluster.context)
    return context.server if context else ""


def wrong_plugin(s: Settings, plugin: Plugin | None) -> str:
    """Return why kubelogin would not get its token from az; empty when it does, or when it is not used."""
    if plugin is None or not plugin.is_kubelogin:
        return ""
    way = plugin.option("--login", "-l") or "devicecode"
    if way != THROUGH_AZ:
        return f"kubelogin asks for the token itself ({way}) instead of az"
    server = plugin.option("--server-id")
    if server != s.azure.server_id:
        return f"kubelogin asks for a token of {server or 'no server'}, not of {s.azure.server_id}"
    return ""


def through_az(s: Settings, context: Context) -> Context:
    """Return the context as kubelogin's own conversion makes it, without running kubelogin.

    kubelogin 0.2.22 writes exactly these arguments, without tenant, client and environment (kubelogin-0.2.22.yaml).
    """
    if not wrong_plugin(s, context.plugin):
        return context
    args = sequence(*(word(w) for w in (*TOKEN_ARGS, s.azure.server_id)))
    plugin = with_value(find(context.user_body, "exec"), "args", args)
    return replace(context, user_body=with_value(context.user_body, "exec", plugin))


def rendered(context: Context) -> str:
    """Return a kubeconfig of this one context as text. It needs no other file: certificates and keys are in it."""
    entry = mapping(("cluster", word(context.cluster)), ("user", word(context.user)))
    if context.namespace:
        entry.value.append((word("namespace"), word(context.namespace)))
    users = [] if context.user_body is None else [_named(context.user, "user", _inlined(context.user_body, "user"))]
    document = mapping(
        ("apiVersion", word("v1")),
        ("kind", word("Config")),
        ("clusters", sequence(_named(context.cluster, "cluster", _inlined(context.cluster_body, "cluster")))),
        ("users", sequence(*users)),
        ("contexts", sequence(_named(context.name, "context", entry))),
        ("current-context", word(context.name)),
    )
    return serialized(document)


def compose(path: Path) -> Node:
    """Return the file's mapping as a node; None for a missing or empty one. Raises Blocked for anything else."""
    return _composed(content(path), str(path))


def content(path: Path) -> str:
    """Return the file's text, empty when it does not exist. Raises Blocked when it cannot be read."""
    try:
        return regular_file.text(path)
    except FileNotFoundError:
        return ""
    except NotADirectoryError:
        return ""
    except UnicodeDecodeError:
        raise Blocked(f"{path} is not text in UTF-8", fix=f"move it away: {move_away(path)}") from None
    except IsADirectoryError:  # Docker creates a folder where a file to mount is missing
        raise Blocked(f"{path} is a folder", fix=f"move it away: {move_away(path)}") from None
    except OSError as why:
        raise Blocked(f"cannot read {path}: {why.strerror}", fix=f"look at the owner of {path}") from None


def named(document: Node, kind: str, singular: str) -> Iterator[tuple[str, Node]]:
    """Yield name and body of the entries of one list, such as `contexts` with `context` bodies; others are ignored."""
    for item in items(find(document, kind)):
        name, body = text(find(item, "name")), find(item, singular)
        if name and getattr(body, "id", "") == "mapping":
            yield name, body


def _named(name: str, singular: str, body: Node) -> Node:
    return mapping(("name", word(name)), (singular, body))


def _composed(content: str, source: str) -> Node:
    import yaml

    try:
        node = yaml.compose(content, Loader=loader())
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)
        place = f"{source}:{mark.line + 1}" if mark else source
        problem = getattr(why, "problem", None) or str(why).splitlines()[0]
        raise Blocked(
            f"{place}: {problem}", why="it is not YAML", fix=f"correct it, or move it away: {source}"
        ) from None
    if node is None or node.tag == "tag:yaml.org,2002:null":
        return None
    if not isinstance(node, yaml.MappingNode):
        raise Blocked(
            f"{source} is not a kubeconfig: a mapping is expected", fix=f"correct it, or move it away: {source}"
        )
    return node


def _absolute(body: Node, singular: str, folder: Path) -> Node:
    """The body with absolute paths. In the file they are relative to the file's own folder."""
    for key in (*_INLINED.get(singular, {}), *(("tokenFile",) if singular == "user" else ())):
        path = text(find(body, key))
        if path and not os.path.isabs(path):
            body = with_value(body, key, word(str(folder / path)))
    plugin = find(body, "exec")
    command = text(find(plugin, "command"))
    if "/" in command and not os.path.isabs(command):
        body = with_value(body, "exec", with_value(plugin, "command", word(str(folder / command))))
    return body


def _inlined(body: Node, singular: str) -> Node:
    """The body with the content of its certificate files instead of their paths."""
    for key, data_key in _INLINED[singular].items():
        path = text(find(body, key))
        if not path:
            continue
        if not text(find(body, data_key)):  # like kubectl, prefer the data when both are given
            try:
                data = base64.b64encode(regular_file.read(path)).decode()
            except OSError as why:
                raise Blocked(
                    f"cannot read {path}, which the kubeconfig names as {key}: {why.strerror}",
                    fix="inv aks.credentials --force",
                ) from None
            body = with_value(body, data_key, word(data))
        body = without(body, key)
    return body
