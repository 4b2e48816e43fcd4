"""The guard: refuses production and targets that cannot be looked at, before any write and again at clean-up.

Production is recognised by the API server, the context, the namespace and the labels of the namespace. A target that
does not answer might be production, so it is refused too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError
from tasks.tools import kubectl

NO_WAY = "this cannot be overridden: point cluster.context and cluster.namespace in config/settings.yaml to a development cluster"


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
    """The target could not be looked at, so it is refused. cause: the error of the look."""

    def __init__(self, what: str, *, why: str, fix: str, cause: ToolError) -> None:
        self.cause = cause
        super().__init__(what, why=why, fix=fix)


def check_names(s: Settings, *, server: str = "") -> None:
    """Refuse production by its names. Calls no program."""
    for what, value, patterns in _named(s, server):
        pattern = _first_match(value, patterns)
        if pattern:
            raise Refused(
                f"the {what} '{value}' is production", why=f"it matches '{pattern}' of guard.production", fix=NO_WAY
            )


def assess(s: Settings, *, kubeconfig: str = "") -> Target:
    """Return the target if it may be changed. Raises Refused for production, and UnknownTarget without an answer.

    kubeconfig: a file to use instead of the session's own.
    """
    from tasks.tools import kubeconfig as files

    server = files.server_of(s, kubeconfig)
    check_names(s, server=server)
    labels = _namespace_labels(s, kubeconfig)
    for key, value in s.guard.production.labels.items():
        if labels.get(key) == value:
            raise Refused(
                f"the namespace '{s.cluster.namespace}' is production", why=f"its label {key}={value}", fix=NO_WAY
            )
    return Target(server, s.cluster.context, s.cluster.namespace, labels)


def _named(s: Settings, server: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the names of the target, each with the patterns for production."""
    production = s.guard.production
    yield "context", s.cluster.context, production.contexts
    yield "namespace", s.cluster.namespace, production.namespaces
    yield "cluster", s.cluster.name, production.contexts
    yield "API server", server, production.servers
    yield "API server", (urlsplit(server).hostname or "") if server else "", production.servers
    for namespace in s.cluster.mapped_namespaces:
        yield "mapped namespace", namespace, production.namespaces


def _first_match(value: str, patterns: Iterable[str]) -> str:
    """Return the first pattern that matches, in any case; empty when none does."""
    lowered = value.lower()
    return next((pattern for pattern in patterns if value and fnmatchcase(lowered, pattern.lower())), "")


def _namespace_labels(s: Settings, kubeconfig: str) -> dict[str, str]:
    try:
        return kubectl.namespace_labels(s, s.cluster.namespace, kubeconfig=kubeconfig)
    except kubectl.NotFound:
        raise Refused(
            f"the namespace '{s.cluster.namespace}' does not exist in the cluster '{s.cluster.context}'",
            why="a target that cannot be looked at is not changed",
            fix="correct cluster.namespace in config/settings.yaml",
        ) from None
    except ToolError as why:
        raise UnknownTarget(
            f"the target {s.cluster.context}/{s.cluster.namespace} could not be looked at: {why.what}",
            why=why.why or "a target that cannot be looked at might be production, so it is not changed",
            fix=why.fix or "inv aks.check",
            cause=why,
        ) from None
