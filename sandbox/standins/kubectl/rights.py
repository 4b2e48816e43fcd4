"""Who may do what: the API server's authorisation for the people of a sandbox."""

from __future__ import annotations

from sandbox.standins.api_server import Session
from sandbox.standins.kubectl.kinds import Kind
from sandbox.world import platform
from sandbox.world.state import World

_READS = ("get", "list", "watch")
_CLUSTER_ONLY = {"resourcequotas": _READS, "networkpolicies": _READS}  # what `edit` may only read


def allowed(
    world: World, session: Session, verb: str, kind: Kind | None, namespace: str, name: str = "", sub: str = ""
) -> bool:
    """A developer has `edit` in the team's namespace, reads Argo CD's, and has the three rights Telepresence needs in the
    traffic manager's. Everything else is forbidden."""
    if session.role == "admin":
        return True
    if session.role == "none":
        return False
    plural = kind.plural if kind else ""
    places = world.places
    if kind is None or not kind.namespaced:
        if (
            plural == "namespaces"
            and verb == "get"
            and name in (places.namespace, places.manager_namespace, places.argocd_namespace)
        ):
            return not (world.fault("labels-unreadable") and name == places.namespace)
        return plural == "nodes" and verb in _READS
    if namespace == places.namespace:
        if plural in _CLUSTER_ONLY:
            return verb in _CLUSTER_ONLY[plural]
        return True
    if namespace in platform.readable(world) and verb in _READS and plural != "secrets":
        return True
    if namespace == places.argocd_namespace:
        return verb in _READS and plural in ("applications", "applicationsets", "configmaps")
    if namespace == session.cluster.manager_namespace and not world.fault("rbac-manager"):
        if plural == "services":
            return verb == "get" and name in ("", "traffic-manager") and bool(name)
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
