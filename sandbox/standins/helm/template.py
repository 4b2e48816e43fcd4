"""Render a chart into the manifests that `helm template` prints and a release installs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sandbox.standins.go.template import Node, Template, TemplateError
from sandbox.standins.go.template_run import Raised, Run
from sandbox.standins.helm.chart import Chart, HelmError, coalesced, enabled
from sandbox.standins.helm.functions import functions
from tasks.core.yaml.bounded import loader

_ORDER = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
]


@dataclass(frozen=True)
class Manifest:
    """One object of a release. source: `chart/templates/x.yaml`."""

    source: str
    text: str
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.data.get("kind", ""))

    @property
    def name(self) -> str:
        return str((self.data.get("metadata") or {}).get("name", ""))

    @property
    def hook(self) -> bool:
        """Is it a hook? Hooks are not part of the release's manifest."""
        return "helm.sh/hook" in ((self.data.get("metadata") or {}).get("annotations") or {})


@dataclass(frozen=True)
class Release:
    """The .Release object of templates."""

    name: str
    namespace: str
    revision: int = 1
    install: bool = True


@dataclass(frozen=True)
class Rendered:
    """The manifests in the order of installation, and NOTES.txt."""

    manifests: list[Manifest]
    notes: str

    def text(self, hooks: bool = True) -> str:
        """The manifests with their sources, as `helm template` prints them."""
        return "".join(f"---\n# Source: {m.source}\n{m.text}\n" for m in self.manifests if hooks or not m.hook)


def render(chart: Chart, given: dict[str, Any], release: Release, kubernetes: str = "v1.34.4") -> Rendered:
    """Render the chart. Raises HelmError with the position in the template."""
    merged = coalesced(chart, given)
    capabilities = {
        "KubeVersion": {
            "Version": kubernetes,
            "Major": "1",
            "Minor": kubernetes.split(".")[1],
            "GitVersion": kubernetes,
        },
        "APIVersions": {"Has": _has_api},
        "HelmVersion": {"Version": "v3.22.0"},
    }
    about = {
        "Name": release.name,
        "Namespace": release.namespace,
        "Revision": release.revision,
        "IsInstall": release.install,
        "IsUpgrade": not release.install,
        "Service": "Helm",
    }
    files = list(_files(chart, merged, chart.name, {"Release": about, "Capabilities": capabilities}))
    run = Run(functions(), {})
    try:
        parsed = [(path, Template(path, text), data) for path, text, data in files]
        for _, template, _data in parsed:
            run.defines.update({name: (template, nodes) for name, nodes in template.defines.items()})
        run.functions["include"] = run.named
        run.functions["tpl"] = lambda text, data: _tpl(run, text, data)
        out = {
            path: run.text(template, data) for path, template, data in parsed if not path.split("/")[-1].startswith("_")
        }
    except TemplateError as why:
        raise HelmError(f"{why}\n\nUse --debug flag to render out invalid YAML") from None
    except Raised as why:
        raise HelmError(
            f"execution error at ({why.where}): {why.text}\n\nUse --debug flag to render out invalid YAML"
        ) from None
    notes = out.get(f"{chart.name}/templates/NOTES.txt", "")
    return Rendered(_manifests({k: v for k, v in out.items() if not k.endswith("NOTES.txt")}), notes.strip("\n"))


def _files(chart: Chart, merged: dict[str, Any], place: str, shared: dict[str, Any]) -> Any:
    meta = {key[:1].upper() + key[1:]: value for key, value in chart.meta.items()}
    about = {**shared, "Values": merged, "Chart": {"AppVersion": "", **meta}, "Files": _Files(chart)()}
    for path, text in chart.templates.items():
        where = f"{place}/{path}"
        yield where, text, {**about, "Template": {"Name": where, "BasePath": f"{place}/templates"}}
    for part in enabled(chart, merged):
        own = merged.get(part.name)
        yield from _files(part, own if isinstance(own, dict) else {}, f"{place}/charts/{part.name}", shared)


class _Files:
    """The .Files object of a chart."""

    def __init__(self, chart: Chart) -> None:
        self._files = chart.files

    def __call__(self) -> dict[str, Any]:
        """Its methods by name."""
        return {
            "Get": lambda name: self._files.get(name, ""),
            "Lines": lambda name: self._files.get(name, "").splitlines(),
        }


def _has_api(name: str) -> bool:
    return name.split("/")[0] in (
        "v1",
        "apps",
        "batch",
        "policy",
        "autoscaling",
        "networking.k8s.io",
        "gateway.networking.k8s.io",
    )


def _tpl(run: Run, text: str, data: Any) -> str:
    template = Template("gotpl", text)
    defines: dict[str, tuple[Template, list[Node]]] = {
        name: (template, nodes) for name, nodes in template.defines.items()
    }
    return Run(run.functions, {**run.defines, **defines}).text(template, data)


def _manifests(out: dict[str, str]) -> list[Manifest]:
    import yaml

    manifests = []
    for source, text in out.items():
        if not source.endswith((".yaml", ".yml", ".tpl", ".txt", ".json")):
            continue
        for part in re.split(r"(?m)^---[ \t]*$\n?", text):
            body = part.strip()
            if not body or all(line.lstrip().startswith("#") or not line.strip() for line in body.splitlines()):
                continue
            try:
                data = yaml.load(body, Loader=loader())
            except yaml.MarkedYAMLError as why:
                line = why.problem_mark.line + 1 if why.problem_mark else 1
                raise HelmError(
                    f"YAML parse error on {source}: error converting YAML to JSON: yaml: line {line}: {why.problem}\n\n"
                    "Use --debug flag to render out invalid YAML"
                ) from None
            if isinstance(data, dict):
                manifests.append(Manifest(source, body, data))
    rank = {kind: number for number, kind in enumerate(_ORDER)}
    return sorted(manifests, key=lambda m: (rank.get(m.kind, len(rank)), m.kind if m.kind not in rank else ""))
