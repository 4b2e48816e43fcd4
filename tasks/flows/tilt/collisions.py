"""Would the release touch the baseline? Asked of what Helm really renders, before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings

Object = dict[str, Any]
# Argo CD finds its objects by this label, or by this annotation (its setting application.resourceTrackingMethod).
_INSTANCE = "app.kubernetes.io/instance"
_TRACKING = "argocd.argoproj.io/tracking-id"


class Reason(Enum):
    """Why an object or a host may not be part of the release. The value is for people."""

    OBJECT_OF_BASELINE = "belongs to the baseline"
    HOST_OF_BASELINE = "is the baseline's host"
    LABEL_OF_ARGO = f"has the label {_INSTANCE}, by which Argo CD would take it for the baseline's"
    ANNOTATION_OF_ARGO = f"has the annotation {_TRACKING}, by which Argo CD would take it for its own"
    PRODUCTION = "would be deployed to a production namespace"


@dataclass(frozen=True)
class Collision:
    """One thing of the baseline that the release would touch."""

    thing: str
    """Kind and name of the object, or the host."""

    reason: Reason

    detail: str = ""
    """The label's value or the namespace."""

    def __str__(self) -> str:
        return f"{self.thing} {self.reason.value}{f' ({self.detail})' if self.detail else ''}"


def collisions(s: Settings, service: Service, objects: Sequence[Object], baseline: Sequence[Object]) -> list[Collision]:
    """Return one collision for each thing that the objects would touch.

    objects: rendered with Tilt's values; baseline: rendered with the baseline's, empty when that failed.
    """
    every = [*_objects(s, objects, baseline), *_shared_hosts(service, objects, baseline)]
    for item in objects:
        every += _argo(service, item)
        every += _production(s, item)
    return list(dict.fromkeys(every))


def _objects(s: Settings, objects: Sequence[Object], baseline: Sequence[Object]) -> Iterator[Collision]:
    taken = {_identity(s, item) for item in baseline}
    for item in objects:
        if _identity(s, item) in taken:
            yield Collision(_shown(item), Reason.OBJECT_OF_BASELINE)


def _shared_hosts(service: Service, objects: Sequence[Object], baseline: Sequence[Object]) -> Iterator[Collision]:
    taken = {host for environment, host in service.hosts.items() if environment != "tilt"} | set(_hosts(baseline))
    for host in _hosts(objects):
        if host in taken:
            yield Collision(host, Reason.HOST_OF_BASELINE)


def _argo(service: Service, item: Object) -> Iterator[Collision]:
    metadata = item.get("metadata") or {}
    instance = (metadata.get("labels") or {}).get(_INSTANCE)
    if str(instance) in {service.component, service.name}:
        yield Collision(_shown(item), Reason.LABEL_OF_ARGO, str(instance))
    if _TRACKING in (metadata.get("annotations") or {}):
        yield Collision(_shown(item), Reason.ANNOTATION_OF_ARGO)


def _production(s: Settings, item: Object) -> Iterator[Collision]:
    namespace = str((item.get("metadata") or {}).get("namespace") or "")
    if any(fnmatchcase(namespace.lower(), pattern.lower()) for pattern in s.guard.production.namespaces):
        yield Collision(_shown(item), Reason.PRODUCTION, namespace)


def _identity(s: Settings, item: Object) -> tuple[str, str, str]:
    metadata = item.get("metadata") or {}
    return str(item.get("kind")), str(metadata.get("namespace") or s.cluster.namespace), str(metadata.get("name"))


def _shown(item: Object) -> str:
    return f"{item.get('kind')} {(item.get('metadata') or {}).get('name')}"


def _hosts(objects: Iterable[Object]) -> list[str]:
    """Return the hosts of the routes and ingresses among the objects."""
    hosts: list[str] = []
    for item in objects:
        spec = item.get("spec") or {}
        if str(item.get("kind", "")).endswith("Route"):
            hosts += _hosts_of_route(spec)
        elif item.get("kind") == "Ingress":
            hosts += _hosts_of_ingress(spec)
    return hosts


def _hosts_of_route(spec: Object) -> list[str]:
    """Return the hosts of a Gateway API route (a list), or of an OpenShift route (one)."""
    return [str(host) for host in (*_items(spec.get("hostnames")), spec.get("host")) if host]


def _hosts_of_ingress(spec: Object) -> list[str]:
    rules = [rule for rule in _items(spec.get("rules")) if isinstance(rule, dict)]
    return [str(rule["host"]) for rule in rules if rule.get("host")]


def _items(value: object) -> list[Any]:
    """The list that a chart should have made; empty for anything else, which the API server refuses."""
    return value if isinstance(value, list) else []
