"""Settings for tests: the repository's own, with names of no company and what a test changes."""

from __future__ import annotations

from tasks.core.config.settings import Settings, load
from tasks.core.repository import repository_root

_NAMES = {
    "cluster.name": "dev-aks",
    "cluster.resource_group": "Dev",
    "cluster.context": "dev",
    "cluster.namespace": "team",
    "cluster.mapped_namespaces": "team",
    "registry.host": "Dev.azurecr.io",
}


def settings(**changed: str) -> Settings:
    """The settings with these values, by key path with `__` for the dot: `azure__tenant="T"`."""
    return load(repository_root(), variables(**changed))


def variables(**changed: str) -> dict[str, str]:
    """Return the environment variables that make these settings."""
    values = {**_NAMES, **{key.replace("__", "."): value for key, value in changed.items()}}
    return {f"REMOTE_DEV_{k.upper().replace('.', '__')}": v for k, v in values.items()}
