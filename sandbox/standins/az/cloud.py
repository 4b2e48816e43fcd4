"""The Azure side of az: a tenant, a subscription, clusters, a registry and their roles."""

from __future__ import annotations

import random
import uuid
from typing import Any

from sandbox.standins.az.token_cache import new_refresh_token
from sandbox.world.cluster import Cluster
from sandbox.world.state import User, World

SERVER_APP = "6dae42f8-4368-4678-94ff-3960e28e3630"  # the application "Azure Kubernetes Service AAD Server", the same id in every tenant
CLIENT_APP = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
PROVIDER = "Microsoft.ContainerService/managedClusters"
ARM = "https://management.core.windows.net/"
SERVICE_PRINCIPAL_SECRET = "robot-secret"  # of the service principal, for tests and the demo


def made_id(*words: str) -> str:
    """A reproducible id for these words."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(words)))


class Cloud:
    """ARM, Entra and the registry, as seen from one workstation."""

    service_principal_secret = SERVICE_PRINCIPAL_SECRET

    def __init__(self, world: World, user: User) -> None:
        self._world, self._user = world, user
        self.registry = world.places.registry
        self.tenant, self.subscription = world.places.tenant, world.places.subscription
        self.subscription_name = world.places.subscription_name
        self.domain = user.name.rpartition("@")[2]
        self.company = self.domain.split(".")[0].capitalize()
        self.location = "westeurope"

    @property
    def user(self) -> str:
        """The principal name of this workstation's user."""
        return self._user.name

    @property
    def clusters(self) -> list[Cluster]:
        """All clusters of the subscription."""
        return list(self._world.clusters.values())

    def is_group(self, name: str) -> bool:
        """Does this resource group exist? ARM ignores case."""
        return name.lower() in {cluster.resource_group.lower() for cluster in self.clusters}

    def cluster(self, group: str, name: str) -> Cluster | None:
        """The cluster of this name in this group."""
        wanted = (group.lower(), name.lower())
        return next(
            (cluster for cluster in self.clusters if (cluster.resource_group.lower(), cluster.name.lower()) == wanted),
            None,
        )

    def switch(self, cluster: Cluster, running: bool) -> None:
        """Start or stop a cluster. A start clears the fault `cluster-stopped`."""
        with self._world.lock:
            cluster.running = running
            if running and cluster is self._world.cluster:
                self._world.faults.discard("cluster-stopped")

    def oid(self, name: str) -> str:
        """The object id of a principal."""
        person = self._world.person(name)
        return person.oid if person else made_id(self.tenant, name)

    def fresh(self, fault: str) -> set[str]:
        """The refresh tokens that were issued while this fault was on: it does not affect them."""
        tokens: set[str] = self._world.notes.setdefault(f"az {fault}", set())
        return tokens

    def renewed(self, refresh: str) -> str:
        """The refresh token that Entra sends with an access token: a new one, affected by the same faults."""
        new = new_refresh_token()
        with self._world.lock:
            for key, tokens in self._world.notes.items():
                if key.startswith("az login-") and refresh in tokens:
                    tokens.add(new)
        return new

    def token(self, name: str, audience: str) -> tuple[str, int]:
        """A token for this principal and audience, and its expiry in epoch seconds: in 65 to 88 minutes, as in Entra."""
        issued = self._world.issue(name, random.randint(3900, 5300), audience)
        return issued.text, int(issued.expires)

    @property
    def service_principal(self) -> str:
        """The service principal's client id."""
        return made_id(self.tenant, "robot")

    @property
    def registry_name(self) -> str:
        return self.registry.split(".")[0]

    def group_scope(self, group: str, *rest: str) -> str:
        """The ARM id of a resource group or of something in it."""
        return "/".join((f"/subscriptions/{self.subscription}/resourceGroups/{group}", *rest))

    def scope(self, cluster: Cluster) -> str:
        """The ARM id of a cluster."""
        return self.group_scope(cluster.resource_group, "providers", PROVIDER, cluster.name)

    def cluster_json(self, cluster: Cluster) -> dict[str, Any]:
        """`az aks show`."""
        version = cluster.kubernetes.removeprefix("v")
        return {
            "aadProfile": {
                "adminGroupObjectIDs": [],
                "enableAzureRbac": True,
                "managed": True,
                "tenantId": self.tenant,
            },
            "agentPoolProfiles": self.pools(cluster),
            "currentKubernetesVersion": version,
            "disableLocalAccounts": True,
            "dnsPrefix": f"{cluster.name}-dns",
            "enableRbac": True,
            "fqdn": cluster.host,
            "id": self.scope(cluster),
            "identity": {"type": "SystemAssigned", "tenantId": self.tenant},
            "kubernetesVersion": version,
            "location": self.location,
            "name": cluster.name,
            "networkProfile": {"networkPlugin": "azure", "networkPolicy": "cilium", "outboundType": "loadBalancer"},
            "nodeResourceGroup": f"MC_{cluster.resource_group}_{cluster.name}_{self.location}",
            "oidcIssuerProfile": {"enabled": True},
            "powerState": {"code": power(cluster)},
            "privateFqdn": None,
            "provisioningState": "Succeeded",
            "resourceGroup": cluster.resource_group,
            "sku": {"name": "Base", "tier": "Free"},
            "tags": self._tags(),
            "type": "Microsoft.ContainerService/ManagedClusters",
        }

    def _tags(self) -> dict[str, str] | None:
        """The tags of the cluster, whose names have no `/`: Azure refuses that."""
        labels = self._world.places.production_labels.items() if self._world.fault("production-tags") else ()
        return {key.rpartition("/")[2].capitalize(): value for key, value in labels} or None

    def pools(self, cluster: Cluster) -> list[dict[str, Any]]:
        """The node pools: a system pool, and a spot pool that can scale to zero."""
        if self._world.fault("pools-dear"):
            dear = self._pool(cluster, "work", "System", None, 3, 3)
            return [
                {**dear, "vmSize": "Standard_D8s_v5", "enableAutoScaling": False, "minCount": None, "maxCount": None}
            ]
        return [self._pool(cluster, "system", "System", None, 1, 3), self._pool(cluster, "spot", "User", "Spot", 0, 5)]

    def _pool(
        self, cluster: Cluster, name: str, mode: str, priority: str | None, low: int, high: int
    ) -> dict[str, Any]:
        version = cluster.kubernetes.removeprefix("v")
        return {
            "count": max(low, 1),
            "currentOrchestratorVersion": version,
            "enableAutoScaling": True,
            "id": f"{self.scope(cluster)}/agentPools/{name}",
            "maxCount": high,
            "minCount": low,
            "mode": mode,
            "name": name,
            "nodeTaints": ["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"] if priority else None,
            "orchestratorVersion": version,
            "osType": "Linux",
            "powerState": {"code": power(cluster)},
            "provisioningState": "Succeeded",
            "resourceGroup": cluster.resource_group,
            "scaleSetPriority": priority,
            "spotMaxPrice": -1.0 if priority else None,
            "vmSize": "Standard_B4ms",
        }

    def registry_json(self) -> dict[str, Any]:
        """`az acr show`."""
        group = self._world.places.resource_group
        return {
            "adminUserEnabled": False,
            "id": self.group_scope(group, "providers/Microsoft.ContainerRegistry/registries", self.registry_name),
            "location": self.location,
            "loginServer": self.registry,
            "name": self.registry_name,
            "networkRuleSet": {"defaultAction": "Allow", "ipRules": []},
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
            "resourceGroup": group,
            "sku": {"name": "Basic", "tier": "Basic"},
            "type": "Microsoft.ContainerRegistry/registries",
        }


def power(cluster: Cluster) -> str:
    """Running or Stopped."""
    return "Running" if cluster.running else "Stopped"
