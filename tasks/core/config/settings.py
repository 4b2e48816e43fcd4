"""The suite's settings: typed, frozen, read once. Unknown keys and wrong types are refused with their place."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Text = Annotated[str, Meta(min_length=1)]
Namespace = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
# A slot stands in a header and in the intercept's name.
Slot = Annotated[str, Meta(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9._]{0,38}[A-Za-z0-9])?)?$")]
Header = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_]*$")]
Address = Annotated[str, Meta(pattern=r"^(https?://[^/\s]+.*)?$")]
Seconds = Annotated[float, Meta(gt=0)]
Login = Literal["auto", "browser", "device-code", "managed-identity", "service-principal", "federated-token"]


class _Group(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of settings."""


class Azure(_Group, frozen=True, kw_only=True):
    """subscription, tenant: ids or names, empty for the login's own. login: the way to log in."""

    subscription: str = ""
    tenant: str = ""
    login: Login = "auto"
    server_id: Text = "6dae42f8-4368-4678-94ff-3960e28e3630"  # the AKS AAD server application, the same in every tenant


class Component(_Group, frozen=True, kw_only=True):
    """Something the cluster must have before work starts, as `inv aks.check` looks for it.

    api: an API group it serves, empty for none. workload: a pattern (`*`, `?`) of its Deployments and StatefulSets.
    namespace: theirs, empty for the cluster's own. by: who installs it, as people say it.
    """

    name: Text
    api: str = ""
    workload: str = ""
    namespace: str = ""
    by: str = "the gitops repository"


class Cluster(_Group, frozen=True, kw_only=True):
    """The shared cluster and the place in it. mapped_namespaces: those Telepresence makes reachable."""

    name: Text
    resource_group: Text
    context: Text
    namespace: Namespace
    manager_namespace: Namespace = "ambassador"
    argocd_namespace: Namespace = "argocd"
    mapped_namespaces: list[Namespace] = []
    components: list[Component] = []


class Registry(_Group, frozen=True, kw_only=True):
    """host: as in image names. kind: acr logs in through az, docker with what `docker login` has."""

    host: Text
    kind: Literal["acr", "docker"] = "acr"


class Telepresence(_Group, frozen=True, kw_only=True):
    """version: the wanted client. slot: this developer's name for personal intercepts, empty for none.
    header: the request header that carries the slot."""

    version: Text
    slot: Slot = ""
    header: Header


class Ingress(_Group, frozen=True, kw_only=True):
    """How requests reach the cluster's ingress.

    scheme: of the catalogue's hosts. environment: which of them is this cluster's (`dev`). address: where to connect
    instead of the host's own address (URL), the Host header stays; empty for DNS. service_url: for services without a
    host; {service} {namespace} {port} are filled in.
    """

    scheme: Literal["http", "https"] = "https"
    environment: Text = "dev"
    address: Address = ""
    service_url: Text = "http://{service}.{namespace}.svc.cluster.local:{port}/"
    verify_tls: bool = True


class Production(_Group, frozen=True, kw_only=True):
    """What is production: patterns (`*`, `?`) for API servers, contexts and namespaces; labels of the namespace."""

    servers: list[str] = []
    contexts: list[str] = []
    namespaces: list[str] = []
    labels: dict[str, str] = {}


class Guard(_Group, frozen=True, kw_only=True):
    """What must never be touched."""

    production: Production = Production()


class Repositories(_Group, frozen=True, kw_only=True):
    """Paths from the repository root."""

    core: Text = "."
    gitops: Text


class Packages(_Group, frozen=True, kw_only=True):
    """The package installation of the core repository. folder: from the repository root."""

    folder: Text = "."
    frozen: bool = True


class Tilt(_Group, frozen=True, kw_only=True):
    """port: of Tilt's page. upsert_timeout: seconds Tilt waits for a release. platform: of the images built."""

    port: Annotated[int, Meta(ge=1, le=65535)] = 10350
    upsert_timeout: Seconds = 300
    platform: Text = "linux/amd64"


class Pin(_Group, frozen=True, kw_only=True):
    """A wanted program. version: exact, or a minimum when `at_least`. pinned: the one the dev container gets, `version`
    when empty. sha256: of the pinned one, by architecture; empty where the vendor publishes it beside the file.
    source: where it comes from; {version} and {arch} are filled in. optional: its absence is said, not an error."""

    version: Text
    pinned: str = ""
    source: str = ""
    sha256: dict[str, str] = {}
    at_least: bool = False
    optional: bool = False

    @property
    def container(self) -> str:
        """The version in the dev container."""
        return self.pinned or self.version


class Budgets(_Group, frozen=True, kw_only=True):
    """Seconds, after the spec's success criteria."""

    setup: Seconds = 300
    connect: Seconds = 30
    intercept: Seconds = 10
    clone_to_running: Seconds = 600


class Deadlines(_Group, frozen=True, kw_only=True):
    """Seconds after which a program that gives no answer is ended."""

    az: Seconds = 60
    login: Seconds = 900
    kubectl: Seconds = 20
    telepresence: Seconds = 30
    connect: Seconds = 120
    intercept: Seconds = 90
    packages: Seconds = 900
    docker: Seconds = 30
    git: Seconds = 300


class Settings(_Group, frozen=True, kw_only=True):
    """Everything that differs from company to company and from developer to developer."""

    cluster: Cluster
    registry: Registry
    telepresence: Telepresence
    repositories: Repositories
    target: Literal["aks", "sandbox"] = "aks"
    azure: Azure = Azure()
    ingress: Ingress = Ingress()
    guard: Guard = Guard()
    packages: Packages = Packages()
    tilt: Tilt = Tilt()
    tools: dict[str, Pin] = {}
    budgets: Budgets = Budgets()
    deadlines: Deadlines = Deadlines()
    root: str = field(default="", name="_root")  # the repository root; set by the loader, not a setting
    origins: dict[str, str] = field(default={}, name="_origins")  # key path -> where its override stands

    @property
    def core(self) -> Path:
        """The core repository's folder, absolute."""
        return (Path(self.root) / self.repositories.core).resolve()

    @property
    def gitops(self) -> Path:
        """The gitops repository's folder, absolute."""
        return (Path(self.root) / self.repositories.gitops).resolve()


@functools.cache
def settings() -> Settings:
    """The settings of this run. Raises Trouble with file, line or variable and the nearest known key."""
    from tasks.core.config.sources import load
    from tasks.core.repository import repository_root
    from tasks.core.state import store

    store.must_be_usable()
    return load(repository_root(), os.environ)
