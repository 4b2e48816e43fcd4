"""Would the release touch the baseline? Asked of what is really rendered, before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings

Object = dict[str, Any]
_INSTANCE = "app.kubernetes.io/instance"  # Argo CD tracks by it, unless told otherwise
_TRACKING = "argocd.argoproj.io/tracking-id"


def collisions(s: Settings, service: Service, objects: Sequence[Object], baseline: Sequence[Object]) -> list[str]:
    """Sentences, one for each thing of the baseline that the objects would take; empty when there is none.

    objects: as rendered with Tilt's values; baseline: with the baseline's, empty when that could not be rendered.
    """
    taken = {_identity(s, item) for item in baseline}
    hosts = {host for where, host in service.hosts.items() if where != "tilt"} | set(_hosts(baseline))
    found = [
        f"{kind} {name} is the baseline's"
        for kind, namespace, name in map(_pair(s), objects)
        if (kind, namespace, name) in taken
    ]
    found += [f"the host {host} is the baseline's" for host in _hosts(objects) if host in hosts]
    for item in objects:
        meta = item.get("metadata") or {}
        shown = f"{item.get('kind')} {meta.get('name')}"
        instance = (meta.get("labels") or {}).get(_INSTANCE)
        if instance in {service.component, service.name}:
            found.append(f"{shown} has the label {_INSTANCE}={instance}: Argo CD would take it for the baseline's")
        if _TRACKING in (meta.get("annotations") or {}):
            found.append(f"{shown} has the annotation {_TRACKING}: Argo CD would take it for its own")
        namespace = str(meta.get("namespace") or "")
        if any(fnmatchcase(namespace.lower(), p.lower()) for p in s.guard.production.namespaces):
            found.append(f"{shown} would go to the namespace {namespace}, which is production")
    return list(dict.fromkeys(found))


def _pair(s: Settings) -> Any:
    return lambda item: _identity(s, item)


def _identity(s: Settings, item: Object) -> tuple[str, str, str]:
    meta = item.get("metadata") or {}
    return str(item.get("kind")), str(meta.get("namespace") or s.cluster.namespace), str(meta.get("name"))


def _hosts(objects: Iterable[Object]) -> list[str]:
    """The host names that routes and ingresses among the objects answer to."""
    found: list[str] = []
    for item in objects:
        spec = item.get("spec") or {}
        if str(item.get("kind", "")).endswith("Route"):
            found += [str(host) for host in spec.get("hostnames") or []]
            found += [str(spec["host"])] if spec.get("host") else []
        elif item.get("kind") == "Ingress":
            found += [str(rule["host"]) for rule in spec.get("rules") or [] if rule.get("host")]
    return found
