"""Argo CD and an intercepted workload: its owner, whether Argo CD would undo an intercept, and its opt-in.

Facts from the documents of Telepresence and Argo CD: until 2.21 the traffic manager writes `restartedAt` into the pod
template; later only when a disruption budget forbids an eviction. With RespectIgnoreDifferences, a rule that ignores
all annotations keeps Argo CD from ever applying the opt-in annotation from git.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from tasks.checks.argo import rules as argo_rules
from tasks.checks.argo.agents import agents, read_manager
from tasks.checks.finding import Finding, Verdict, could_not_look, missing, ok, unknown, warning
from tasks.checks.workload import PREFIXES, ClusterService, annotation
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.tools import kubectl
from tasks.tools.kubectl import Object
from tasks.tools.versions import parts

OPT_IN = "telepresence.io/inject-traffic-agent"
_READ = "ask for `get` and `list` on applications.argoproj.io in the namespace {}, or look at Argo CD's page"


@dataclass(frozen=True)
class Argo:
    """What was read about Argo CD and the traffic manager."""

    applications: tuple[Object, ...] = ()

    common: tuple[argo_rules.Rule, ...] | None = ()
    """The rules for all Applications, from the ConfigMap argocd-cm; None when it could not be read."""

    trouble: ToolError | None = None
    """Why the Applications could not be read."""

    manager: Object | ToolError | None = None
    """The Service of the traffic manager, or why it could not be read; None when it was not read."""


def read(s: Settings) -> Argo:
    """Read Applications, common rules and the traffic manager. Errors are part of the result."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        applications = pool.submit(lambda: tuple(kubectl.applications(s)))
        common = pool.submit(_common_rules, s)
        manager = pool.submit(read_manager, s)
    try:
        return Argo(applications.result(), common.result(), manager=manager.result())
    except ToolError as why:
        return Argo(trouble=why, manager=manager.result())


def _common_rules(s: Settings) -> tuple[argo_rules.Rule, ...] | None:
    try:
        config = kubectl.get(s, "configmap", name="argocd-cm", namespace=s.cluster.argocd_namespace)
    except kubectl.NotFound:
        return ()
    except ToolError:
        return None
    return argo_rules.common(config[0].get("data") or {})


def findings(s: Settings, service: ClusterService, argo: Argo | None = None) -> list[Finding]:
    """Return all findings about one workload. argo: read here when it is not given."""
    argo = read(s) if argo is None else argo
    return [*_ownership(s, service, argo), *_injection(service), *agents(s, service, argo.manager)]


def owner(service: ClusterService, applications: Sequence[Object]) -> Object | None:
    """Return the Application that manages the workload: by its list of resources, else by the mark on the workload."""
    wanted = (service.kind, service.name, (service.workload.get("metadata") or {}).get("namespace"))
    for application in applications:
        resources = (application.get("status") or {}).get("resources") or []
        if any((r.get("kind"), r.get("name"), r.get("namespace")) == wanted for r in resources):
            return application
    marked = mark(service)
    return next((a for a in applications if marked and a["metadata"]["name"] == marked), None)


def mark(service: ClusterService) -> str:
    """Return the name of the Application from the mark on the workload; empty without one."""
    metadata = service.workload.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    tracking = str(annotations.get("argocd.argoproj.io/tracking-id") or "")
    if tracking:  # APPLICATION:GROUP/KIND:NAMESPACE/NAME; an Application of another namespace is NAMESPACE_NAME
        return tracking.split(":", 1)[0].rpartition("_")[2]
    labels = metadata.get("labels") or {}
    # Charts set app.kubernetes.io/instance themselves. Helm annotates what it installs; Argo CD only renders charts.
    shared = "" if "meta.helm.sh/release-name" in annotations else labels.get("app.kubernetes.io/instance")
    return str(labels.get("argocd.argoproj.io/instance") or shared or "")


def _ownership(s: Settings, service: ClusterService, argo: Argo) -> Iterator[Finding]:
    if argo.trouble is not None:
        yield from _unreadable(s, service, argo.trouble)
        return
    application = owner(service, argo.applications)
    if application is None:
        yield warning(
            "owner", f"no Argo CD Application manages {service.kind} {service.name}: nothing keeps it as in git"
        )
        return
    spec = application.get("spec") or {}
    source: dict[str, Any] = spec.get("source") or next(iter(spec.get("sources") or []), {})
    origin = " ".join(str(source[k]) for k in ("repoURL", "path", "chart") if source.get(k))
    name = application["metadata"]["name"]
    yield ok("owner", f"Argo CD Application {name}" + (f", from {origin}" if origin else ""))
    yield _sync_policy(service, application)
    yield _ignore_rule(s, service, application, argo.common)


def _unreadable(s: Settings, service: ClusterService, trouble: ToolError) -> Iterator[Finding]:
    """Yield the findings for Applications that could not be read. The mark on the workload may still name the owner."""
    if isinstance(trouble, kubectl.UnknownResource):
        yield missing(
            "owner", "Argo CD is not in this cluster", fix="see docs/cluster.md: Argo CD is installed by gitops"
        )
        return
    marked = mark(service)
    if marked:
        yield ok("owner", f"by its mark the Argo CD Application {marked}")
    for subject in ("sync policy", "ignore rule") if marked else ("owner", "sync policy", "ignore rule"):
        yield could_not_look(subject, trouble, fix=_READ.format(s.cluster.argocd_namespace))


def _sync_policy(service: ClusterService, application: Object) -> Finding:
    name = application["metadata"]["name"]
    automated = ((application.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    heals = isinstance(automated, dict) and bool(automated.get("selfHeal"))
    prunes = isinstance(automated, dict) and bool(automated.get("prune"))
    words = ["self-heals" if heals else "syncs by itself" if automated is not None else "is synced by hand"]
    words += ["prunes"] if prunes else []
    policy = f"{name} {' and '.join(words)}"
    if not _drifted(service, application):
        return ok("sync policy", f"{policy}; the workload is as in git")
    if heals:
        return missing(
            "sync policy",
            f"{policy}, and the workload differs from git (OutOfSync): Argo CD may restore it, with new pods, at any moment",
            fix=f"see what differs (argocd app diff {name}) and bring it to git, or give up the change, before you intercept",
        )
    return warning(
        "sync policy",
        f"{policy}; the workload differs from git (OutOfSync): the next sync makes new pods",
        fix=f"see what differs: argocd app diff {name}",
    )


def _drifted(service: ClusterService, application: Object) -> bool:
    status = application.get("status") or {}
    for resource in status.get("resources") or []:
        if (resource.get("kind"), resource.get("name")) == (service.kind, service.name):
            return bool(resource.get("status") == "OutOfSync")
    return bool((status.get("sync") or {}).get("status") == "OutOfSync")


def _ignore_rule(
    s: Settings, service: ClusterService, application: Object, common: tuple[argo_rules.Rule, ...] | None
) -> Finding:
    own = argo_rules.of_application(application)
    rules = [r for r in (*own, *(common or ())) if r.applies_to(service.kind, service.name, service.namespace)]
    key = _restart_annotation(s)
    respects = argo_rules.respects(application)
    wide = next((rule for rule in rules if rule.is_wide), None)
    if wide:
        finding = _wide_rule(wide, respects)
    elif any(rule.ignores(key) for rule in rules):
        finding = _narrow_rule(key, respects)
    else:
        finding = _no_rule(key, common is not None, s.cluster.argocd_namespace)
    if finding.verdict is Verdict.OK:
        return finding
    return replace(finding, patch=argo_rules.patch(application, service.kind, service.name, PREFIXES))


def _restart_annotation(s: Settings) -> str:
    """Return the annotation that the traffic manager sets to restart pods; its prefix changed in 2.22."""
    prefix = PREFIXES[1] if parts(s.telepresence.version) < (2, 22) else PREFIXES[0]
    return f"{prefix}/restartedAt"


def _narrow_rule(key: str, respects: bool) -> Finding:
    if respects:
        return ok("ignore rule", f"narrow: {key} alone, and syncs respect it")
    return warning(
        "ignore rule",
        f"narrow, but without RespectIgnoreDifferences every sync still reverts {key}",
        fix="add the sync option in the gitops repository",
    )


def _no_rule(key: str, common_rules_are_readable: bool, argocd_namespace: str) -> Finding:
    if common_rules_are_readable:
        return missing(
            "ignore rule",
            f"none for {key}: a sync after the traffic manager had to restart the pods would restart them again",
            fix="add it in the gitops repository",
        )
    return unknown(
        "ignore rule",
        f"none in the Application; the rules for all of them (ConfigMap argocd-cm in {argocd_namespace}) may not be read",
        fix="ask the owners of Argo CD, or add the rule to the Application",
    )


def _wide_rule(rule: argo_rules.Rule, respects: bool) -> Finding:
    fix = f"narrow it to the single keys in {rule.where}"
    text = f"wide: {rule.where} ignores {rule.widest} as a whole"
    if respects:
        effect = "with RespectIgnoreDifferences Argo CD never applies inject-traffic-agent from git"
        return missing("ignore rule", f"{text}, and {effect}", fix=fix)
    return warning("ignore rule", f"{text}; it breaks opt-in as soon as RespectIgnoreDifferences is set", fix=fix)


def _injection(service: ClusterService) -> Iterator[Finding]:
    value = annotation(service.template, "inject-traffic-agent").lower()
    fix = "opt in, in the gitops repository"
    patch = (
        f"# pod template of {service.kind} {service.name}, in its chart or values\n"
        f"spec:\n  template:\n    metadata:\n      annotations:\n        {OPT_IN}: enabled\n"
    )
    if value in {"enabled", "true"}:
        yield ok("injection", "opted in: the Traffic Agent is always there, an intercept restarts nothing")
    elif value in {"disabled", "false"}:
        yield missing("injection", "forbidden by the pod template", fix=fix, patch=patch)
    else:
        yield warning(
            "injection",
            "not opted in: the first intercept replaces the pod; where the manager's injectPolicy is WhenEnabled it is refused",
            fix=fix,
            patch=patch,
        )
