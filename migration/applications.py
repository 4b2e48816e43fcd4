"""The Argo CD Applications of the cluster, as consumers of a repository's paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migration.model import Consumer
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble


def live(s: Settings) -> list[Consumer]:
    """Return what the cluster's Applications sync from. Raises Trouble when the cluster cannot be asked."""
    from tasks.tools import kubectl
    from tasks.tools.base import frozen_kubeconfig

    if not frozen_kubeconfig(s).is_file():
        raise Trouble(f"the cluster {s.cluster.name} was not asked: there is no kubeconfig of the suite here")
    return [consumer for manifest in kubectl.applications(s) for consumer in _of(manifest, s.cluster.context)]


def _of(manifest: dict[str, Any], context: str) -> Iterator[Consumer]:
    """Yield every source of an Application, or of an ApplicationSet's template."""
    name = (manifest.get("metadata") or {}).get("name", "?")
    spec: dict[str, Any] = manifest.get("spec") or {}
    template: dict[str, Any] = (spec.get("template") or {}).get("spec") or {}
    for declared in (spec, template):
        for source in (declared.get("source") or {}, *(declared.get("sources") or [])):
            if source.get("repoURL"):
                path = str(source.get("path") or "").strip("/")
                yield Consumer(f"cluster {context}: Application {name}", str(source["repoURL"]), path)
