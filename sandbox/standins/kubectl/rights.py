"""The API server's authorization of the sandbox's users."""

from __future__ import annotations

from sandbox.standins.api_server import Session
from sandbox.standins.kubectl.kinds import Kind
from sandbox.world import platform
from sandbox.world.state import World

_READS = ("get", "list", "watch")
_READ_ONLY = ("resourcequotas", "networkpolicies")  # the role `edit` may read these, not write them


def allowed(
    world: World, session: Session, verb: str, kind: Kind | None, namespace: str, name: str = "", sub: str = ""
) -> bool:
    """Is this user authorized?

    A developer has `edit` in the team's namespace, may read Argo CD's, and has the rights that Telepresence needs in the
    traffic manager's. Everything else is forbidden.
    """
    if session.role in ("admin", "none"):
        return session.role == "admin"
    if kind is None or not kind.namespaced:
        return _allowed_in_cluster(world, verb, kind, name)
    places, plural = world.places, kind.plural
    reads = verb in _READS
    if namespace == places.namespace:
        return reads or plural not in _READ_ONLY
    if reads and plural != "secrets" and namespace in platform.readable(world):
        return True
    if namespace == places.argocd_namespace:
        return reads and plural in ("applications", "applicationsets", "configmaps")
    if namespace == session.cluster.manager_namespace and not world.fault("rbac-manager"):
        return _allowed_for_telepresence(verb, plural, name, sub)
    return False


def _allowed_in_cluster(world: World, verb: str, kind: Kind | None, name: str) -> bool:
    """Rights to objects without a namespace."""
    if kind is None:
        return False
    places = world.places
    readable = (places.namespace, places.manager_namespace, places.argocd_namespace)
    if kind.plural == "namespaces" and verb == "get" and name in readable:
        return not (world.fault("labels-unreadable") and name == places.namespace)
    return kind.plural == "nodes" and verb in _READS


def _allowed_for_telepresence(verb: str, plural: str, name: str, sub: str) -> bool:
    """Rights in the traffic manager's namespace."""
    if plural == "services":
        return verb == "get" and name == "traffic-manager"
    if plural == "pods":
        return (verb in _READS and not sub) or (verb == "create" and sub == "portforward")
    return False


def forbidden(session: Session, verb: str, kind: Kind, namespace: str, name: str = "") -> str:
    """The API server's refusal."""
    thing = f'{kind.full} "{name}"' if name else kind.full
    where = f'in the namespace "{namespace}"' if kind.namespaced and namespace else "at the cluster scope"
    if not kind.namespaced and name and kind.plural == "namespaces":
        where = f'in the namespace "{name}"'
    return (
        f'Error from server (Forbidden): {thing} is forbidden: User "{session.name}" cannot {verb} resource "{kind.plural}" '
        f'in API group "{kind.group}" {where}\n'
    )
