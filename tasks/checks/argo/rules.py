"""Argo CD's ignoreDifferences: the fields that a rule ignores, and the patch that narrows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tasks.core import shape
from tasks.core.yaml.bounded import loader
from tasks.tools import kubernetes
from tasks.tools.kubectl import Object

ANNOTATIONS = ("spec", "template", "metadata", "annotations")
RESPECT = "RespectIgnoreDifferences=true"
_COMMON = "resource.customizations.ignoreDifferences."
_SEGMENT = re.compile(r"""\.?\[\s*["']([^"']+)["']\s*\]|\."([^"]+)"|\.([A-Za-z_][\w-]*)""")

Path = tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """One entry. An empty or `*` group, kind, name or namespace fits any."""

    where: str
    """The Application or ConfigMap that has it."""

    group: str
    kind: str
    name: str = ""
    namespace: str = ""

    paths: tuple[Path, ...] = ()
    """The ignored fields."""

    by_manager: bool = False
    """True when it ignores what the traffic manager wrote."""

    def applies_to(self, kind: str, name: str, namespace: str) -> bool:
        """True when the rule is for this workload."""
        return (
            self.group in {"apps", "*"}
            and fnmatchcase(kind, self.kind or "*")
            and self.name in {"", name}
            and self.namespace in {"", namespace}
        )

    @property
    def is_wide(self) -> bool:
        """True when it ignores all annotations of the pod template, or more."""
        return any(_covers(path) for path in self.paths)

    @property
    def widest(self) -> str:
        """The wide field, as a JSON pointer."""
        return next(("/" + "/".join(path) for path in self.paths if _covers(path)), "")

    def ignores(self, key: str) -> bool:
        """True when it ignores this annotation of the pod template."""
        return self.by_manager or (*ANNOTATIONS, key) in self.paths


def _covers(path: Path) -> bool:
    return len(path) <= len(ANNOTATIONS) and ANNOTATIONS[: len(path)] == path


def of_application(application: Object) -> tuple[Rule, ...]:
    """Return the rules in the Application itself."""
    where = f"Application {application['metadata']['name']}"
    entries = (application.get("spec") or {}).get("ignoreDifferences") or []
    return tuple(_rule(where, entry, str(entry.get("group") or ""), str(entry.get("kind") or "")) for entry in entries)


def common(data: dict[str, str]) -> tuple[Rule, ...]:
    """Return the rules for all Applications, in the ConfigMap argocd-cm: `...ignoreDifferences.GROUP_KIND` and `.all`."""
    import yaml

    rules = []
    for key, text in data.items():
        if not key.startswith(_COMMON):
            continue
        scope = key.removeprefix(_COMMON)
        group, _, kind = ("*", "", "*") if scope == "all" else scope.rpartition("_")
        try:
            entry = yaml.load(text, Loader=loader())
        except yaml.YAMLError:
            continue  # Argo CD ignores it too
        if shape.fits(kubernetes.IgnoredDifference, entry):
            rules.append(_rule(f"ConfigMap argocd-cm ({key})", entry, group, kind))
    return tuple(rules)


def respects(application: Object) -> bool:
    """True when syncs do not touch ignored fields."""
    options = ((application.get("spec") or {}).get("syncPolicy") or {}).get("syncOptions") or []
    return RESPECT in options


def patch(application: Object, kind: str, name: str, prefixes: Sequence[str]) -> str:
    """Return the merge patch for the Application as YAML: its rules with the wide ones narrowed, and the sync option."""
    import yaml

    spec = application.get("spec") or {}
    rules = [kept for entry in spec.get("ignoreDifferences") or [] if (kept := _narrowed(entry))]
    pointers = [f"/{'/'.join(ANNOTATIONS)}/{prefix}~1restartedAt" for prefix in prefixes]
    narrow_rule = {"group": "apps", "kind": kind, "name": name, "jsonPointers": pointers}
    if narrow_rule not in rules:
        rules.append(narrow_rule)
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": application["metadata"]["name"], "namespace": application["metadata"].get("namespace")},
        "spec": {"ignoreDifferences": rules, "syncPolicy": {"syncOptions": _options_with_respect(spec)}},
    }
    title = f"# merge patch for the Application in the gitops repository.{_generator_hint(application)}"
    return f"{title}\n{yaml.safe_dump(body, sort_keys=False)}"


def _options_with_respect(spec: dict[str, Any]) -> list[str]:
    options = (spec.get("syncPolicy") or {}).get("syncOptions") or []
    return [*(option for option in options if not option.startswith("RespectIgnore")), RESPECT]


def _generator_hint(application: Object) -> str:
    """Name the ApplicationSet that generates the Application; empty when none does."""
    for owner in application["metadata"].get("ownerReferences") or []:
        if owner.get("kind") == "ApplicationSet":
            return f" The ApplicationSet {owner['name']} generates it: change the template there."
    return ""


def _narrowed(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the entry without its wide fields; empty when no field is left."""
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
    """Split a JSON pointer (RFC 6901)."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.strip("/").split("/") if part)


def _expression(text: str) -> Path:
    """Split a plain jq path; empty for one that selects (`.containers[] | select(...)`)."""
    segments = list(_SEGMENT.finditer(text))
    plain = "".join(segment.group(0) for segment in segments) == text.strip()
    return tuple(next(filter(None, segment.groups())) for segment in segments) if plain else ()
