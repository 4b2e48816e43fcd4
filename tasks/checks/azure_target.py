"""Whether the cluster that az names is the one that kubectl reaches, and not production.

The guard looks at the kubeconfig; az starts and stops what the settings name. Nothing else ties the two together.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tasks.checks import guard
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused
from tasks.core.repository import SETTINGS
from tasks.tools import kubeconfig
from tasks.tools.az.cluster import Cluster


def refuse_production(s: Settings, cluster: Cluster) -> None:
    """Raise Refused when what Azure shows of the cluster is production: its tags, its resource group or its address."""
    for name, value in (cluster.tags or {}).items():
        if any(_says(name, value, *label) for label in s.guard.production.labels.items()):
            raise Refused(
                f"the cluster '{s.cluster.name}' is production", why=f"its tag {name}={value}", fix=guard.NO_WAY
            )
    group = cluster.resource_group or s.cluster.resource_group
    for pattern in s.guard.production.contexts:
        if fnmatchcase(group.lower(), pattern.lower()):
            raise Refused(
                f"the resource group '{group}' is production",
                why=f"it matches '{pattern}' of guard.production",
                fix=guard.NO_WAY,
            )
    for host in cluster.hosts:
        guard.check_names(s, server=f"https://{host}")


def _says(name: str, value: str, label: str, wanted: str) -> bool:
    """Does the tag say what the label says in Kubernetes?

    Azure allows no `/` in the name of a tag, and ignores its case ("Use tags to organize your Azure resources",
    Limitations). So the label `example.com/environment` is also recognised as `environment`, and with another character
    in place of the `/`, such as `example.com-environment`.
    """
    names = {label.rpartition("/")[2], *(label.replace("/", other) for other in "/.-_:")}
    return name.lower() in {each.lower() for each in names} and value.lower() == wanted.lower()


def must_be_the_same(s: Settings, cluster: Cluster, server: str) -> None:
    """Raise Refused unless Azure gives the cluster this API server and the resource group of the settings.

    server: the URL in the kubeconfig; empty without one, when there is nothing to compare
    """
    if cluster.resource_group and cluster.resource_group.lower() != s.cluster.resource_group.lower():
        raise Refused(
            f"az shows {s.cluster.name} in the resource group '{cluster.resource_group}', not '{s.cluster.resource_group}'",
            fix=f"correct cluster.resource_group in {SETTINGS}",
        )
    host = (urlsplit(server).hostname or "").rstrip(".")
    if host and host not in cluster.hosts:
        raise Refused(
            f"the cluster {s.cluster.name} of Azure is not the one that the context {s.cluster.context} reaches",
            why=f"its address is {' or '.join(cluster.hosts) or 'unknown'}, and the kubeconfig leads to {host}",
            fix=f"correct cluster.name and cluster.resource_group in {SETTINGS}; or inv aks.credentials --force",
        )


def server(s: Settings) -> str:
    """Return the API server of the context in the user's kubeconfig, else in the session's own; empty without both."""
    context = kubeconfig.load().context(s.cluster.context)
    return context.server if context else kubeconfig.server_of(s)
