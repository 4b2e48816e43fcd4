"""The resources that the API server serves, with their names and short names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A resource with its API names and its short names."""

    kind: str
    plural: str
    group: str = ""  # "" is the core group
    version: str = "v1"
    names: tuple[str, ...] = ()
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full(self) -> str:
        """`plural.group`, as in error messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """`singular.group`, as in `-o name`."""
        return self.kind.lower() + (f".{self.group}" if self.group else "")


KINDS = [
    Kind("Namespace", "namespaces", names=("ns",), namespaced=False),
    Kind("Node", "nodes", names=("no",), namespaced=False),
    Kind("Pod", "pods", names=("po",)),
    Kind("Service", "services", names=("svc",)),
    Kind("ConfigMap", "configmaps", names=("cm",)),
    Kind("Secret", "secrets"),
    Kind("Event", "events", names=("ev",)),
    Kind("ResourceQuota", "resourcequotas", names=("quota",)),
    Kind("ServiceAccount", "serviceaccounts", names=("sa",)),
    Kind("Deployment", "deployments", "apps", names=("deploy",)),
    Kind("StatefulSet", "statefulsets", "apps", names=("sts",)),
    Kind("ReplicaSet", "replicasets", "apps", names=("rs",)),
    Kind("DaemonSet", "daemonsets", "apps", names=("ds",)),
    Kind("Job", "jobs", "batch"),
    Kind("EndpointSlice", "endpointslices", "discovery.k8s.io"),
    Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io", names=("netpol",)),
    Kind("Ingress", "ingresses", "networking.k8s.io", names=("ing",)),
    Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy", names=("pdb",)),
    Kind("HTTPRoute", "httproutes", "gateway.networking.k8s.io"),
    Kind("Cluster", "clusters", "postgresql.cnpg.io"),
    Kind("EnvoyProxy", "envoyproxies", "gateway.envoyproxy.io", "v1alpha1"),
    Kind("Application", "applications", "argoproj.io", "v1alpha1", names=("app", "apps")),
    Kind("ApplicationSet", "applicationsets", "argoproj.io", "v1alpha1", names=("appset",)),
    Kind(
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        namespaced=False,
    ),
    Kind(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        names=("crd",),
        namespaced=False,
    ),
]


def kind_named(word: str) -> Kind | None:
    """Find a resource by a word of the command line."""
    name = word.lower()
    for kind in KINDS:
        plain = {kind.plural, kind.kind.lower(), *kind.names}
        if name in plain or name in {f"{p}.{kind.group}" for p in plain} | {
            f"{p}.{kind.version}.{kind.group}" for p in plain
        }:
            return kind
    return None
