"""The guard: refuses production and targets that cannot be looked at, before any write and again at clean-up.

Production is recognised by the API server, the context, the namespace and the labels of the namespace. A target that
does not answer might be production, so it is refused too. What was assessed is remembered byte for byte: when the
session's kubeconfig is another one later, it is assessed again (`outdated`), or the write is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from tasks.checks import servers
from tasks.core.config.settings import Settings
from tasks.core.errors import FAILED, REFUSED, Refused, ToolError, Trouble
from tasks.core.repository import SETTINGS
from tasks.tools import assessed, base, kubectl
from tasks.tools import kubeconfig as files
from tasks.tools.kubeconfig import Context

_Name = tuple[str, str, list[str]]  # what it is, the name, the patterns for production
NO_WAY = (
    f"this cannot be overridden: point cluster.context and cluster.namespace in {SETTINGS} to a development cluster"
)


@dataclass(frozen=True)
class Target:
    """A target that may be changed."""

    server: str
    """The URL of the API server."""

    context: str
    namespace: str

    labels: dict[str, str] = field(default_factory=dict)
    """The labels of the namespace."""


class UnknownTarget(Refused):
    """The target could not be looked at, so it is not changed. cause: the error of the look.

    The exit code is that of a refusal only when the cluster itself refused the look.
    """

    def __init__(self, what: str, *, why: str, fix: str, cause: ToolError) -> None:
        self.cause = cause
        code = REFUSED if isinstance(cause, kubectl.Forbidden) else FAILED
        Trouble.__init__(self, what, why=why, fix=fix, code=code)


def check_names(s: Settings, *, server: str = "") -> None:
    """Refuse production by its names. Calls no program."""
    _refuse(_named(s), _matches)
    _refuse([("API server", server, s.guard.production.servers)], servers.matches)


def assess(s: Settings, *, kubeconfig: str = "") -> Target:
    """Return the target if it may be changed. Raises Refused for production, and UnknownTarget without an answer.

    kubeconfig: a file to use instead of the session's own.
    """
    path = Path(kubeconfig) if kubeconfig else base.frozen_kubeconfig(s)
    while True:
        content = files.content(path)
        target = _assessed(s, files.parse(content, str(path)).context(s.cluster.context), kubeconfig)
        if files.content(path) == content:  # else kubectl may have asked another server than the one compared here
            assessed.remember(path, content)
            return target


def outdated(s: Settings) -> bool:
    """Has the session's kubeconfig changed since this run assessed it?"""
    return assessed.outdated(base.frozen_kubeconfig(s))


def _assessed(s: Settings, context: Context | None, kubeconfig: str) -> Target:
    """The target of this context. Raises Refused for production."""
    check_names(s, server=context.server if context else "")
    if context is not None:
        _refuse(_hidden_servers(s, context), servers.matches)
        _refuse([("cluster", context.cluster, s.guard.production.contexts)], _matches)
    labels = _namespace_labels(s, kubeconfig)
    for key, value in s.guard.production.labels.items():
        if labels.get(key) == value:
            raise Refused(
                f"the namespace '{s.cluster.namespace}' is production", why=f"its label {key}={value}", fix=NO_WAY
            )
    return Target(context.server if context else "", s.cluster.context, s.cluster.namespace, labels)


def _refuse(names: Iterable[_Name], matches: Callable[[str, str], bool]) -> None:
    """Raise Refused for the first name that one of its patterns matches."""
    for what, value, patterns in names:
        pattern = next((pattern for pattern in patterns if value and matches(value, pattern)), "")
        if pattern:
            raise Refused(
                f"the {what} '{value}' is production", why=f"it matches '{pattern}' of guard.production", fix=NO_WAY
            )


def _named(s: Settings) -> Iterator[_Name]:
    """Yield the names of the target in the settings."""
    production = s.guard.production
    yield "context", s.cluster.context, production.contexts
    yield "namespace", s.cluster.namespace, production.namespaces
    yield "cluster", s.cluster.name, production.contexts
    for namespace in s.cluster.mapped_namespaces:
        yield "mapped namespace", namespace, production.namespaces


def _hidden_servers(s: Settings, context: Context) -> Iterator[_Name]:
    """Yield the servers that a context reaches by another address than `server`."""
    yield "tls-server-name", context.tls_server_name, s.guard.production.servers
    yield "proxy-url", context.proxy_url, s.guard.production.servers


def _matches(value: str, pattern: str) -> bool:
    return fnmatchcase(value.lower(), pattern.lower())


def _namespace_labels(s: Settings, kubeconfig: str) -> dict[str, str]:
    try:
        return kubectl.namespace_labels(s, s.cluster.namespace, kubeconfig=kubeconfig)
    except kubectl.NotFound:
        raise Refused(
            f"the namespace '{s.cluster.namespace}' does not exist in the cluster '{s.cluster.context}'",
            why="a target that cannot be looked at is not changed",
            fix=f"correct cluster.namespace in {SETTINGS}",
        ) from None
    except ToolError as why:
        raise UnknownTarget(
            f"the target {s.cluster.context}/{s.cluster.namespace} could not be looked at: {why.what}",
            why=why.why or "a target that cannot be looked at might be production, so it is not changed",
            fix=why.fix or "inv aks.check",
            cause=why,
        ) from None
