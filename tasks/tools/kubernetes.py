"""The form of Kubernetes' objects: the fields that the suite reads, with the types that the API promises."""

from __future__ import annotations

from typing import Any

from tasks.core.shape import Shape

Words = dict[str, str]


class Owner(Shape):
    name: str
    kind: str | None = None
    controller: bool | None = None


class Metadata(Shape):
    name: str
    namespace: str | None = None
    labels: Words | None = None
    annotations: Words | None = None
    ownerReferences: list[Owner] | None = None
    deletionTimestamp: str | None = None


class Other(Shape):
    """An object of any kind."""

    kind: str
    metadata: Metadata


class TemplateMetadata(Shape):
    labels: Words | None = None
    annotations: Words | None = None


class ContainerPort(Shape):
    name: str | None = None
    containerPort: int | None = None


class Variable(Shape):
    name: str | None = None
    value: str | None = None


class Container(Shape):
    name: str | None = None
    image: str | None = None
    ports: list[ContainerPort] | None = None
    env: list[Variable] | None = None


class PodSpec(Shape):
    containers: list[Container] | None = None
    initContainers: list[Container] | None = None


class Condition(Shape):
    type: str | None = None
    status: str | None = None


class PodStatus(Shape):
    phase: str | None = None
    conditions: list[Condition] | None = None


class Pod(Other):
    spec: PodSpec | None = None
    status: PodStatus | None = None


class Template(Shape):
    metadata: TemplateMetadata | None = None
    spec: PodSpec | None = None


class Selector(Shape):
    matchLabels: Words | None = None


class WorkloadSpec(Shape):
    template: Template | None = None
    replicas: int | None = None
    selector: Selector | None = None


class WorkloadStatus(Shape):
    readyReplicas: int | None = None


class Workload(Other):
    spec: WorkloadSpec | None = None
    status: WorkloadStatus | None = None


class ServicePort(Shape):
    name: str | None = None
    port: int | None = None
    targetPort: int | str | None = None


class ServiceSpec(Shape):
    selector: Words | None = None
    clusterIP: str | None = None
    ports: list[ServicePort] | None = None


class Service(Other):
    spec: ServiceSpec | None = None


class ConfigMap(Other):
    data: Words | None = None


class QuotaStatus(Shape):
    hard: dict[str, str | int] | None = None
    used: dict[str, str | int] | None = None


class ResourceQuota(Other):
    status: QuotaStatus | None = None


class IgnoredDifference(Shape):
    """An entry of Argo CD's ignoreDifferences, in an Application or in the ConfigMap argocd-cm."""

    group: str | None = None
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    jsonPointers: list[str] | None = None
    jqPathExpressions: list[str] | None = None
    managedFieldsManagers: list[str] | None = None


class SyncPolicy(Shape):
    automated: dict[str, Any] | None = None
    syncOptions: list[str] | None = None


class ApplicationSpec(Shape):
    source: dict[str, Any] | None = None
    sources: list[dict[str, Any]] | None = None
    ignoreDifferences: list[IgnoredDifference] | None = None
    syncPolicy: SyncPolicy | None = None


class ManagedResource(Shape):
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None
    status: str | None = None


class Sync(Shape):
    status: str | None = None


class ApplicationStatus(Shape):
    resources: list[ManagedResource] | None = None
    sync: Sync | None = None


class Application(Other):
    spec: ApplicationSpec | None = None
    status: ApplicationStatus | None = None


class Items(Shape):
    """A list of objects of any kind."""

    items: list[dict[str, Any]] | None = None
    kind: str | None = None


class ApiGroup(Shape):
    name: str | None = None


class ApiGroups(Shape):
    """The answer of `/apis`."""

    groups: list[ApiGroup] | None = None


_KINDS: dict[str, type[Other]] = {
    "Application": Application,
    "ConfigMap": ConfigMap,
    "Deployment": Workload,
    "Pod": Pod,
    "ResourceQuota": ResourceQuota,
    "Service": Service,
    "StatefulSet": Workload,
}


def shape_of(item: dict[str, Any]) -> type[Other]:
    """Return the form of an object, by its kind."""
    return _KINDS.get(str(item.get("kind")), Other)
