"""Argo CD's ignoreDifferences: which fields of a workload a rule ignores, and the patch that makes it narrow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tasks.tools.kubectl import Object

ANNOTATIONS = ("spec", "template", "metadata", "annotations")
RESPECT = "RespectIgnoreDifferences=true"
_COMMON = "resource.customizations.ignoreDifferences."
_STEP = re.compile(r"""\.?\[\s*["']([^"']+)["']\s*\]|\."([^"]+)"|\.([A-Za-z_][\w-]*)""")

Path = tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """One entry. where: the Application or ConfigMap that holds it; group, kind, name, namespace: empty or `*` for any.

    paths: the fields it ignores. by_manager: it ignores what certain programs wrote, which the traffic manager may be.
    """

    where: str
    group: str
    kind: str
    name: str = ""
    namespace: str = ""
    paths: tuple[Path, ...] = ()
    by_manager: bool = False

    def applies_to(self, kind: str, name: str, namespace: str) -> bool:
        """Does it speak of this workload?"""
        return (
            self.group in {"apps", "*"}
            and fnmatchcase(kind, self.kind or "*")
            and self.name in {"", name}
            and self.namespace in {"", namespace}
        )

    @property
    def is_wide(self) -> bool:
        """Does it ignore all annotations of the pod template, or more?"""
        return any(_covers(path) for path in self.paths)

    @property
    def widest(self) -> str:
        """The wide field, as a JSON pointer."""
        return next(("/" + "/".join(path) for path in self.paths if _covers(path)), "")

    def ignores(self, key: str) -> bool:
        """Does it ignore this annotation of the pod template?"""
        return self.by_manager or (*ANNOTATIONS, key) in self.paths


def _covers(path: Path) -> bool:
    return len(path) <= len(ANNOTATIONS) and ANNOTATIONS[: len(path)] == path


def of_application(application: Object) -> tuple[Rule, ...]:
    """The rules in the Application itself."""
    where = f"Application {application['metadata']['name']}"
    entries = (application.get("spec") or {}).get("ignoreDifferences") or []
    return tuple(_rule(where, entry, str(entry.get("group") or ""), str(entry.get("kind") or "")) for entry in entries)


def common(data: dict[str, str]) -> tuple[Rule, ...]:
    """The rules for all Applications, in the ConfigMap argocd-cm: `...ignoreDifferences.GROUP_KIND` and `.all`."""
    import yaml

    found = []
    for key, text in data.items():
        if not key.startswith(_COMMON):
            continue
        what = key.removeprefix(_COMMON)
        group, kind = ("*", "*") if what == "all" else ("_".join(what.split("_")[:-1]), what.split("_")[-1])
        try:
            entry = yaml.safe_load(text)
        except yaml.YAMLError:
            continue  # Argo CD does not obey it either
        if isinstance(entry, dict):
            found.append(_rule(f"ConfigMap argocd-cm ({key})", entry, group, kind))
    return tuple(found)


def respects(application: Object) -> bool:
    """Do syncs leave ignored fields alone?"""
    options = ((application.get("spec") or {}).get("syncPolicy") or {}).get("syncOptions") or []
    return RESPECT in options


def patch(application: Object, kind: str, name: str, prefixes: Sequence[str]) -> str:
    """The merge patch for the Application, as YAML: its rules with the wide ones narrowed, and the sync option."""
    import yaml

    spec = application.get("spec") or {}
    rules = [kept for entry in spec.get("ignoreDifferences") or [] if (kept := _narrowed(entry))]
    pointers = [f"/{'/'.join(ANNOTATIONS)}/{prefix}~1restartedAt" for prefix in prefixes]
    wanted = {"group": "apps", "kind": kind, "name": name, "jsonPointers": pointers}
    rules += [wanted] if wanted not in rules else []
    options = [o for o in (spec.get("syncPolicy") or {}).get("syncOptions") or [] if not o.startswith("RespectIgnore")]
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": application["metadata"]["name"], "namespace": application["metadata"].get("namespace")},
        "spec": {"ignoreDifferences": rules, "syncPolicy": {"syncOptions": [*options, RESPECT]}},
    }
    made_by = next(
        (
            f" It is made by the ApplicationSet {o['name']}: change the template there."
            for o in application["metadata"].get("ownerReferences") or []
            if o.get("kind") == "ApplicationSet"
        ),
        "",
    )
    return (
        f"# merge patch for the Application in the gitops repository.{made_by}\n{yaml.safe_dump(body, sort_keys=False)}"
    )


def _narrowed(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry without what is wide; empty when nothing is left."""
    kept = dict(entry)
    for key, parse in (("jsonPointers", _pointer), ("jqPathExpressions", _expression)):
        if entry.get(key):
            kept[key] = [text for text in entry[key] if not _covers(parse(text))]
    fields = ("jsonPointers", "jqPathExpressions", "managedFieldsManagers")
    kept = {key: value for key, value in kept.items() if key not in fields or value}
    return kept if any(kept.get(key) for key in fields) else {}


def _rule(where: str, entry: dict[str, Any], group: str, kind: str) -> Rule:
    paths = [_pointer(str(text)) for text in entry.get("jsonPointers") or []]
    paths += [_expression(str(text)) for text in entry.get("jqPathExpressions") or []]
    return Rule(
        where=where,
        group=group,
        kind=kind,
        name=str(entry.get("name") or ""),
        namespace=str(entry.get("namespace") or ""),
        paths=tuple(path for path in paths if path),
        by_manager="traffic-manager" in (entry.get("managedFieldsManagers") or []),
    )


def _pointer(text: str) -> Path:
    """A JSON pointer (RFC 6901) as its steps."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.strip("/").split("/") if part)


def _expression(text: str) -> Path:
    """A plain jq path as its steps; one that selects (`.containers[] | select(...)`) is none."""
    steps = list(_STEP.finditer(text))
    plain = "".join(step.group(0) for step in steps) == text.strip()
    return tuple(next(filter(None, step.groups())) for step in steps) if plain else ()
