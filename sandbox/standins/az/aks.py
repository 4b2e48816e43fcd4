"""az aks: the cluster in ARM, start and stop, and its credentials."""

from __future__ import annotations

import base64
from typing import Any

from sandbox.standins.az.cloud import PROVIDER
from sandbox.standins.az.kubeconfig import convert, credentials, merge, renamed, target
from sandbox.standins.az.parser import AzError
from sandbox.standins.az.session import Session, arm_error
from sandbox.world.cluster import Cluster

_CERTIFICATE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nSANDBOX\n-----END CERTIFICATE-----\n").decode()
_SWITCH = 0.3  # duration of a start or stop in seconds; minutes in Azure


def show(az: Session) -> Any:
    """One cluster."""
    cluster = _cluster(az)
    az.allowed(f"{PROVIDER}/read", az.cloud.scope(cluster))
    return az.cloud.cluster_json(cluster)


def start(az: Session) -> Any:
    """Start a stopped cluster. Prints nothing."""
    _switch(az, True)


def stop(az: Session) -> Any:
    """Stop the cluster. Its host name no longer resolves then."""
    _switch(az, False)


def _switch(az: Session, running: bool) -> None:
    cluster = _cluster(az)
    az.allowed(f"{PROVIDER}/{'start' if running else 'stop'}/action", az.cloud.scope(cluster))
    if not az.parsed["no_wait"]:
        az.world.wait(az.call, _SWITCH)
    az.cloud.switch(cluster, running)
    az.wrote = True


def get_credentials(az: Session) -> Any:
    """Merge the cluster into a kubeconfig file. All output is on stderr. Exit code 0 does not mean that kubelogin succeeded."""
    form = az.parsed["format"]
    if form not in (None, "exec", "azure"):
        raise AzError("--format can only be azure or exec.")
    if form and az.parsed["admin"]:
        raise AzError("--format can only be specified when requesting clusterUser credential.")
    cluster = _cluster(az)
    action = f"{PROVIDER}/listCluster{'Admin' if az.parsed['admin'] else 'User'}Credential/action"
    az.allowed(action, az.cloud.scope(cluster))
    if az.parsed["admin"]:
        text = "Getting static credential is not allowed because this cluster is set to disable local accounts."
        raise arm_error("BadRequest", text, 1)
    addition = renamed(credentials(az.cloud, cluster, _CERTIFICATE, form or "exec"), az.parsed["context"])
    path = target(az)
    if path == "-":
        import yaml

        az.printed = yaml.safe_dump(addition, default_flow_style=False)
    else:
        merge(az, path, addition, az.parsed["overwrite_existing"])
    convert(az, path, addition)


def _cluster(az: Session, key: str = "name") -> Cluster:
    """The named cluster. Checks the login first. Raises AzError with exit code 3 and ARM's text."""
    az.arm()
    group, name = az.parsed["resource_group"], az.parsed[key]
    if not az.cloud.is_group(group):
        raise no_group(group)
    cluster = az.cloud.cluster(group, name)
    if cluster is None:
        text = (
            f"The Resource '{PROVIDER}/{name}' under resource group '{group}' was not found. For more details please go to "
            "https://aka.ms/ARMResourceNotFoundFix"
        )
        raise arm_error("ResourceNotFound", text, 3)
    return cluster


def no_group(name: str) -> AzError:
    """ARM's error for an unknown resource group."""
    return arm_error("ResourceGroupNotFound", f"Resource group '{name}' could not be found.", 3)
