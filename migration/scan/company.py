"""The keys of settings.yaml that a repository gives away: cluster, registry, namespace, where gitops is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from migration.scan.proposal import Proposal, Row
from migration.scan.reading import Hit, Sources

UNKNOWN = "change-me"
_CREDENTIALS = re.compile(r"az\s+aks\s+get-credentials\b")
_NAMED = re.compile(r"(?:--name|-n)[ =][\"']?([A-Za-z][\w-]*)")
_GROUP = re.compile(r"(?:--resource-group|-g)[ =][\"']?([A-Za-z][\w.-]*)")
_ACTION = re.compile(r"^\s*(cluster-name|resource-group):\s*[\"']?([A-Za-z][\w.-]*)[\"']?\s*$")
_REGISTRY = re.compile(
    r"\b((?:[a-z0-9-]+\.azurecr\.io|[a-z0-9-]+-docker\.pkg\.dev/[\w-]+/[\w-]+|ghcr\.io/[\w.-]+|quay\.io/[\w.-]+))\b"
)
_PUSHES = re.compile(r"(?i)registry|push|image_?name|prefix|repo\b|tags?:")
_NAMESPACE = re.compile(
    r"^\s*namespace:\s*[\"']?([a-z0-9][-a-z0-9]*)[\"']?\s*$|k8s_namespace\s*=\s*[\"']([a-z][a-z0-9-]+)"
    r"|(?:kubectl|helm)\b.*?\s(?:-n|--namespace)[ =]([a-z][-a-z0-9]+)\b"
)
_SYSTEM = {
    "kube-system",
    "default",
    "kube-public",
    "argocd",
    "cert-manager",
    "monitoring",
    "istio-system",
    "ingress-nginx",
}
_DEPLOYING = re.compile(
    r"^\.github/workflows/|(?:^|/)[Tt]iltfile|\.sh$|(?:^|/)[Mm]akefile|\.gitlab-ci|azure-pipelines|\.mk$"
)
_MODULE = re.compile(r"gitops|deploy|infra|environments", re.IGNORECASE)
_NOT_SEARCHED = (
    "**/*.md",
    "**/*.lock",
    "**/vendor/**",
    "**/node_modules/**",
    "**/testdata/**",
    "docs/**",
    "**/test/**",
)


def propose(sources: Sources, proposal: Proposal) -> None:
    """Add the settings that the repository names, and say which a person has to fill in."""
    words = (
        "aks get-credentials",
        "cluster-name:",
        "resource-group:",
        "azurecr.io",
        "pkg.dev/",
        "ghcr.io/",
        "quay.io/",
        *("namespace:", "k8s_namespace", "--namespace", " -n "),
    )
    hits = sources.lines_with(words, _NOT_SEARCHED)
    deploying = [hit for hit in hits if _DEPLOYING.search(hit.path)]
    cluster, group = _cluster(deploying)
    settings = {
        "cluster.name": cluster,
        "cluster.resource_group": group,
        "cluster.context": cluster,
        "cluster.namespace": _most(_namespaces(deploying)) or _most(_namespaces(hits)),
        "registry.host": _most(_registries(deploying)),
        "repositories.gitops": _gitops(sources),
    }
    for key, row in settings.items():
        proposal.settings[key] = row or Row(_placeholder(key), False, ("nothing in the repository says it",))
        if row is None:
            proposal.person.append(f"settings.yaml: fill in {key}")
    host = str(_value(proposal.settings["registry.host"]))
    kind = "acr" if host.endswith(".azurecr.io") else "docker"
    proof = "the registry's name" if settings["registry.host"] else "nothing in the repository names a registry"
    proposal.settings["registry.kind"] = Row(kind, settings["registry.host"] is not None, (proof,))
    proposal.person.append("settings.yaml: check guard.production first: what it does not match may be intercepted")


def _value(row: Row | list[Row]) -> object:
    return row.value if isinstance(row, Row) else ""


def _placeholder(key: str) -> str:
    return {"repositories.gitops": "gitops", "registry.host": "registry.invalid"}.get(key, UNKNOWN)


def _cluster(hits: Iterable[Hit]) -> tuple[Row | None, Row | None]:
    """The cluster and its resource group, as workflows and scripts get its credentials.

    `cluster-name:` without a resource group in the same file is that of an action which makes a local cluster.
    """
    hits = list(hits)
    with_group = {hit.path for hit in hits if (action := _ACTION.match(hit.text)) and action[1] == "resource-group"}
    names: list[tuple[str, Hit]] = []
    groups: list[tuple[str, Hit]] = []
    for hit in hits:
        action = _ACTION.match(hit.text)
        if action and hit.path in with_group:
            (names if action[1] == "cluster-name" else groups).append((action[2], hit))
        elif _CREDENTIALS.search(hit.text):
            names += [(name, hit) for name in _NAMED.findall(hit.text)]
            groups += [(group, hit) for group in _GROUP.findall(hit.text)]
    return _most(names), _most(groups)


def _namespaces(hits: Iterable[Hit]) -> list[tuple[str, Hit]]:
    found = [(next(filter(None, match)), hit) for hit in hits for match in _NAMESPACE.findall(hit.text)]
    return [(name, hit) for name, hit in found if name not in _SYSTEM and len(name) < 64]


def _registries(hits: Iterable[Hit]) -> list[tuple[str, Hit]]:
    """The registries that the repository pushes to, as far as a line says so."""
    return [(match[1], hit) for hit in hits if _PUSHES.search(hit.text) for match in _REGISTRY.finditer(hit.text)]


def _most(found: Iterable[tuple[str, Hit]]) -> Row | None:
    """The value that is named most often; sure when no other is."""
    pairs = list(found)
    if not pairs:
        return None
    counts = Counter(value for value, _ in pairs)
    value, count = counts.most_common(1)[0]
    first = next(hit for name, hit in pairs if name == value)
    others = [f"also named: {', '.join(name for name, _ in counts.most_common(4)[1:])}"] if len(counts) > 1 else []
    return Row(value, len(counts) == 1, (f"{first.where}, {count} times", *others))


def _gitops(sources: Sources) -> Row | None:
    """The submodule whose name says that it holds the infrastructure."""
    named = [path for path in sources.submodules if _MODULE.search(path)]
    return Row(named[0], len(named) == 1, (f"a submodule at {named[0]}",)) if named else None
