"""The cluster's context as Azure gives it, without a file."""

from __future__ import annotations

from dataclasses import replace

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, ToolError
from tasks.core.yaml import nodes
from tasks.tools import az
from tasks.tools import kubeconfig as kc
from tasks.tools.kubeconfig import Context


def context(s: Settings) -> Context:
    """Fetch the cluster's context from Azure, under the name and namespace of the settings. Writes no file."""
    printed = kc.parse(az.cluster_credentials(s), "what az aks get-credentials printed")
    found = printed.context(printed.current) or next(
        (one for name in printed.names("contexts") if (one := printed.context(name)) is not None), None
    )
    if found is None or not found.server:
        raise ToolError(
            "az aks get-credentials ended without an error, and printed no kubeconfig",
            tool="az",
            exit=0,
            fix=f"az aks get-credentials {' '.join(az.credentials_args(s)[2:])}",
        )
    if nodes.find(found.user_body, "auth-provider") is not None:
        raise Blocked(
            "the cluster gives a kubeconfig for an auth plugin that kubectl no longer has",
            fix="ask the platform team for an AAD-integrated cluster (kubelogin)",
        )
    name = s.cluster.context
    return replace(found, name=name, cluster=name, namespace=s.cluster.namespace)
