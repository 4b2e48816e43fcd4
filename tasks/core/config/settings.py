"""The suite's settings: typed, frozen, read once. Unknown keys and wrong types are rejected with their place."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, field

Text = Annotated[str, Meta(min_length=1)]
Namespace = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
# A slot is part of a header and of the intercept's name.
Slot = Annotated[str, Meta(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9._]{0,38}[A-Za-z0-9])?)?$")]
Header = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_]*$")]
Address = Annotated[str, Meta(pattern=r"^(https?://[^/\s]+.*)?$")]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Login = Literal["auto", "browser", "device-code", "managed-identity", "service-principal", "federated-token"]


class _Group(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of settings."""

    overrides_add: ClassVar[bool] = False
    """settings.local.yaml, .env and the environment can add values here, and neither replace nor remove any."""


class Azure(_Group, frozen=True, kw_only=True):
    """How to reach Azure."""

    subscription: str = ""
    """Its id or name; empty for the login's default."""

    tenant: str = ""
    """Its id or domain; empty for the login's own."""

    login: Login = "auto"
    """The login mode; `auto` takes the one that fits the machine."""

    credential_cache: Literal["session", "off"] = "session"
    """`session`: the session's kubeconfig gives a token again as long as the login is the same; `off`: az is always asked."""

    server_id: Text = "6dae42f8-4368-4678-94ff-3960e28e3630"  # the AKS AAD server application, the same in every tenant


class Component(_Group, frozen=True, kw_only=True):
    """Something the cluster must have before work starts, as `inv aks.check` looks for it."""

    name: Text
    api: str = ""
    """The API group that it serves; empty when it serves none."""

    workload: str = ""
    """A pattern (`*`, `?`) of its Deployments and StatefulSets."""

    namespace: str = ""
    """The namespace of its workloads; empty for cluster.namespace."""

    by: str = "the gitops repository"
    """Who installs it, as it is shown."""


class Cluster(_Group, frozen=True, kw_only=True):
    """The shared cluster, and the namespaces in it."""

    name: Text
    resource_group: Text
    context: Text
    namespace: Namespace
    manager_namespace: Namespace = "ambassador"
    argocd_namespace: Namespace = "argocd"
    mapped_namespaces: list[Namespace] = []
    """The namespaces whose Services Telepresence makes reachable; empty for `namespace` alone."""

    components: list[Component] = []


class Registry(_Group, frozen=True, kw_only=True):
    """The registry of the team's images."""

    host: Text
    """As in image names."""

    kind: Literal["acr", "docker"] = "acr"
    """acr: az logs in. docker: the login that `docker login` made is used."""


class Telepresence(_Group, frozen=True, kw_only=True):
    """The client, and personal intercepts."""

    version: Text
    """The wanted version of the client."""

    slot: Slot = ""
    """This developer's name for personal intercepts; empty to intercept all traffic."""

    header: Header
    """The request header that carries the slot."""


class Ingress(_Group, frozen=True, kw_only=True):
    """How requests reach the cluster's ingress."""

    scheme: Literal["http", "https"] = "https"
    environment: Text = "dev"
    """The key of this cluster's host in the `hosts` of a service."""

    address: Address = ""
    """A URL to connect to instead of the host's own address, with the same Host header; empty for DNS."""

    service_url: Text = "http://{service}.{namespace}.svc.cluster.local:{port}/"
    """The URL of a service without a host; {service}, {namespace} and {port} are filled in."""

    verify_tls: bool = True


class Production(_Group, frozen=True, kw_only=True):
    """What is production: patterns (`*`, `?`) for API servers, contexts and namespaces; labels of the namespace."""

    overrides_add: ClassVar[bool] = True  # a branch's .env must not open the way to production

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
    """The package installation of the core repository."""

    folder: Text = "."
    """The folder of package.json, from the repository root."""

    frozen: bool = True
    """An installation must not change the lock file."""


class Tilt(_Group, frozen=True, kw_only=True):
    """How Tilt runs."""

    port: Annotated[int, Meta(ge=1, le=65535)] = 10350
    """The port of its page."""

    upsert_timeout: Seconds = 300
    """Seconds that it waits for a release."""

    platform: Text = "linux/amd64"
    """The platform of the images that it builds."""


class Pin(_Group, frozen=True, kw_only=True):
    """A wanted program."""

    version: Text
    """The exact version, or the minimum when `at_least` is set."""

    pinned: str = ""
    """The version that the dev container gets; empty for `version`."""

    source: str = ""
    """The URL of the program; {version} and {arch} are filled in."""

    sha256: dict[str, str] = {}
    """The checksum of the pinned version by architecture; empty when the vendor publishes it beside the file."""

    at_least: bool = False
    optional: bool = False
    """Its absence is reported, but not an error."""

    @property
    def container(self) -> str:
        """The version in the dev container."""
        return self.pinned or self.version


class Budgets(_Group, frozen=True, kw_only=True):
    """Seconds, from the success criteria of the specification."""

    setup: Seconds = 300
    connect: Seconds = 30
    intercept: Seconds = 10
    clone_to_running: Seconds = 600


class Deadlines(_Group, frozen=True, kw_only=True):
    """Seconds after which a program that does not answer is ended."""

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
    root: str = field(default="", name="_root")
    """The repository root. The loader sets it."""

    origins: dict[str, str] = field(default={}, name="_origins")
    """The place of each override, by key path. The loader sets it."""

    @property
    def core(self) -> Path:
        """The core repository's folder, absolute."""
        return (Path(self.root) / self.repositories.core).resolve()

    @property
    def gitops(self) -> Path:
        """The gitops repository's folder, absolute."""
        return (Path(self.root) / self.repositories.gitops).resolve()


def load(root: Path, environment: Mapping[str, str]) -> Settings:
    """Read the settings of this repository and environment.

    Raises Trouble with file and line, or the variable, and the nearest known key.
    """
    from tasks.core.config import sources

    return sources.load(Settings, root, environment)


@functools.cache
def settings() -> Settings:
    """Return the settings of this run, read once."""
    from tasks.core.repository import repository_root
    from tasks.core.state import store

    store.must_be_usable()
    return load(repository_root(), os.environ)
