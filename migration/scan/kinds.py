"""What kind of file this is: infrastructure of which tool, code, or neither."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from enum import StrEnum

from migration.scan.reading import Sources


class Kind(StrEnum):
    """What a file belongs to."""

    CHART = "Helm chart"
    KUSTOMIZATION = "kustomization"
    HELMFILE = "Helmfile"
    TERRAFORM = "Terraform"
    BICEP = "Bicep"
    PULUMI = "Pulumi"
    ANSIBLE = "Ansible"
    ARGO = "Argo CD"
    CROSSPLANE = "Crossplane"
    MANIFEST = "manifest"
    CLUSTER = "local cluster"
    CODE = "code"
    SCRIPT = "script"
    OTHER = "other"

    @property
    def infrastructure(self) -> bool:
        """Whether it is infrastructure."""
        return self not in {Kind.CODE, Kind.SCRIPT, Kind.OTHER}


_CODE = {
    "go",
    "py",
    "pyi",
    "js",
    "jsx",
    "mjs",
    "cjs",
    "ts",
    "tsx",
    "rs",
    "java",
    "kt",
    "kts",
    "scala",
    "cs",
    "fs",
    "c",
    "cc",
    "cpp",
    "h",
    "hpp",
    "rb",
    "php",
    "swift",
    "ex",
    "exs",
    "erl",
    "dart",
}
_CODE |= {
    "lua",
    "proto",
    "sol",
    "move",
    "graphql",
    "sql",
    "html",
    "css",
    "scss",
    "vue",
    "svelte",
    "m",
    "mm",
    "zig",
    "hs",
    "clj",
    "r",
    "jl",
    "ipynb",
}
_BY_EXTENSION = {
    "tf": Kind.TERRAFORM,
    "tfvars": Kind.TERRAFORM,
    "tofu": Kind.TERRAFORM,
    "hcl": Kind.TERRAFORM,
    "bicep": Kind.BICEP,
    "bicepparam": Kind.BICEP,
    "sh": Kind.SCRIPT,
    "bash": Kind.SCRIPT,
    "ps1": Kind.SCRIPT,
}
_BY_NAME = {
    "kustomization.yaml": Kind.KUSTOMIZATION,
    "kustomization.yml": Kind.KUSTOMIZATION,
    "Chart.yaml": Kind.CHART,
    "ansible.cfg": Kind.ANSIBLE,
    "Pulumi.yaml": Kind.PULUMI,
    "Pulumi.yml": Kind.PULUMI,
}
_GROUPS = {Kind.CHART: "Chart.yaml", Kind.PULUMI: "Pulumi.yaml", Kind.ANSIBLE: "ansible.cfg"}
_NAMED = ((re.compile(r"^helmfile.*\.ya?ml"), Kind.HELMFILE), (re.compile(r"^Pulumi\..*\.ya?ml$"), Kind.PULUMI))
_CONTENT = (
    (
        re.compile(rb"^apiVersion:\s*[\"']?argoproj\.io/[\s\S]*?^kind:\s*[\"']?(?:Application|AppProject)", re.M),
        Kind.ARGO,
    ),
    (re.compile(rb"^apiVersion:\s*[\"']?(?:kind\.x-k8s\.io|k3d\.io|ctlptl\.dev)/", re.M), Kind.CLUSTER),
    (re.compile(rb"^apiVersion:\s*[\"']?[\w.-]*crossplane\.io/", re.M), Kind.CROSSPLANE),
)
_API, _KIND = re.compile(rb"^apiVersion:[ \t]*[\"'\w{]", re.M), re.compile(rb"^kind:[ \t]*[\"'\w{]", re.M)
# Manifests in these folders are data of tests, or text: they say nothing about where infrastructure is.
_ELSEWHERE = {
    "test",
    "tests",
    "testing",
    "testdata",
    "fixtures",
    "fixture",
    "__tests__",
    "e2e",
    "spec",
    "conformance",
    "chainsaw",
    "terratest",
}
_ELSEWHERE |= {"docs", "doc", "documentation", "site", "website", "examples", "example", "samples", "sample", "backlog"}
_ELSEWHERE |= {"demo", "demos", "fake", "fakes", "mocks", "integration", "integration-tests", "assets"}
_ELSEWHERE |= {"vendor", "third_party", "node_modules"}


def is_elsewhere(path: str) -> bool:
    """Whether the path is below tests, documents, examples, code of others, or a folder whose name begins with a dot."""
    return any(
        part in _ELSEWHERE or part.startswith((".", "testdata")) or part.endswith("_test")
        for part in path.split("/")[:-1]
    )


def kinds(sources: Sources) -> dict[str, Kind]:
    """Return the kind of every file."""
    found: dict[str, Kind] = {}
    unread: list[str] = []
    roots = {kind: _roots(sources, name) for kind, name in _GROUPS.items()}
    for path in sources.files:
        name = posixpath.basename(path)
        kind = _by_group(path, roots) or _BY_NAME.get(name) or _by_name(name)
        found[path] = kind
        if kind is Kind.OTHER and name.endswith((".yaml", ".yml")) and not is_elsewhere(path):
            unread.append(path)
    for path, data in sources.data(unread):
        found[path] = by_content(data)
    return found


def by_content(data: bytes) -> Kind:
    """Return the kind of a YAML file by what it holds."""
    for pattern, kind in _CONTENT:
        if pattern.search(data):
            return kind
    return Kind.MANIFEST if _API.search(data) and _KIND.search(data) else Kind.OTHER


def _roots(sources: Sources, name: str) -> tuple[str, ...]:
    """The folders with a file of this name, as prefixes; not the repository's root."""
    ending = "/" + name
    return tuple(path.removesuffix(name) for path in sources.files if path.endswith(ending) and not is_elsewhere(path))


def _by_group(path: str, roots: dict[Kind, tuple[str, ...]]) -> Kind | None:
    return next((kind for kind, prefixes in roots.items() if prefixes and path.startswith(prefixes)), None)


def _by_name(name: str) -> Kind:
    extension = name.rpartition(".")[2].lower()
    if extension in _CODE:
        return Kind.CODE
    if extension in {"yaml", "yml"}:
        return next((kind for pattern, kind in _NAMED if pattern.match(name)), Kind.OTHER)
    return _BY_EXTENSION.get(extension, Kind.OTHER)


def paths_with(found: dict[str, Kind], kind: Kind) -> Iterable[str]:
    """Return the files of this kind that are not elsewhere."""
    return [path for path, one in found.items() if one is kind and not is_elsewhere(path)]
