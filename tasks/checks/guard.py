"""The guard: is this target one that may be touched? Asked before any write, and again at clean-up.

Production is told by the API server, the context, the namespace and the labels of the namespace. A target that
cannot be looked at is unknown, and unknown is refused too: `absence of evidence` has deleted clusters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError
from tasks.tools import kubectl

NO_WAY = "there is no way through: point cluster.context and cluster.namespace in config/settings.yaml to a development cluster"


@dataclass(frozen=True)
class Target:
    """What was looked at: the API server's URL, context, namespace and the labels of the namespace."""

    server: str
    context: str
    namespace: str
    labels: dict[str, str] = field(default_factory=dict)


def names(s: Settings, *, server: str = "") -> None:
    """Refuse production by its names alone. No program is called."""
    production = s.guard.production
    for what, value, patterns in (
        ("context", s.cluster.context, production.contexts),
        ("namespace", s.cluster.namespace, production.namespaces),
        ("cluster", s.cluster.name, production.contexts),
        ("API server", server, production.servers),
        ("API server", (urlsplit(server).hostname or "") if server else "", production.servers),
    ):
        hit = _first(value, patterns)
        if hit:
            raise Refused(f"the {what} '{value}' is production", why=f"it fits '{hit}' of guard.production", fix=NO_WAY)
    for namespace in s.cluster.mapped_namespaces:
        hit = _first(namespace, production.namespaces)
        if hit:
            raise Refused(
                f"the mapped namespace '{namespace}' is production",
                why=f"it fits '{hit}' of guard.production",
                fix=NO_WAY,
            )


def assess(s: Settings, *, kubeconfig: str = "") -> Target:
    """The target, when it may be touched. Raises Refused for production and for what cannot be looked at.

    kubeconfig: a file to ask with instead of the session's frozen one.
    """
    from tasks.tools import kubeconfig as files

    server = files.server_of(s, kubeconfig)
    names(s, server=server)
    try:
        labels = kubectl.namespace_labels(s, s.cluster.namespace, kubeconfig=kubeconfig)
    except kubectl.NotFound:
        raise Refused(
            f"the namespace '{s.cluster.namespace}' is not in the cluster '{s.cluster.context}'",
            why="a target that cannot be looked at is not touched",
            fix="correct cluster.namespace in config/settings.yaml",
        ) from None
    except ToolError as why:
        raise Unknown(
            f"the target {s.cluster.context}/{s.cluster.namespace} could not be looked at: {why.what}",
            why=why.why or "a target that cannot be looked at might be production, so it is not touched",
            fix=why.fix or "inv aks.check",
            cause=why,
        ) from None
    for key, value in s.guard.production.labels.items():
        if labels.get(key) == value:
            raise Refused(
                f"the namespace '{s.cluster.namespace}' is production", why=f"its label {key}={value}", fix=NO_WAY
            )
    return Target(server, s.cluster.context, s.cluster.namespace, labels)


class Unknown(Refused):
    """The target could not be looked at, so it is refused. cause: what the look ended with."""

    def __init__(self, what: str, *, why: str, fix: str, cause: ToolError) -> None:
        self.cause = cause
        super().__init__(what, why=why, fix=fix)


def _first(value: str, patterns: Iterable[str]) -> str:
    lowered = value.lower()
    return next((p for p in patterns if value and fnmatchcase(lowered, p.lower())), "")
