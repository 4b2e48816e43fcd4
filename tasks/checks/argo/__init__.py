"""Argo CD and an intercepted workload: who owns it, would Argo CD undo what Telepresence does, has it opted in.

Facts from Telepresence's and Argo CD's own documents: up to 2.21 the traffic manager writes `restartedAt` into the pod
template, later only when a disruption budget forbids an eviction. A rule that ignores all annotations together with
RespectIgnoreDifferences keeps Argo CD from ever applying the opt-in annotation from git.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tasks.checks.argo import rules as argo_rules
from tasks.checks.finding import Finding, State, unknown
from tasks.checks.workload import PREFIXES, Place, annotation, has_agent
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.tools import kubectl
from tasks.tools.kubectl import Object
from tasks.tools.versions import parts

OPT_IN = "telepresence.io/inject-traffic-agent"
_READ = "ask for `get` and `list` on applications.argoproj.io in the namespace {}, or look at Argo CD's page"


@dataclass(frozen=True)
class Argo:
    """What was read of Argo CD. `trouble`: why the Applications could not be read; then there are none here.

    common: the rules for all Applications, from the ConfigMap argocd-cm; None when it could not be read.
    manager: the traffic manager's Service, or what the question for it ended with; None when it was not asked for.
    """

    applications: tuple[Object, ...] = ()
    common: tuple[argo_rules.Rule, ...] | None = ()
    trouble: ToolError | None = None
    manager: Object | ToolError | None = None


def read(s: Settings) -> Argo:
    """Applications, common rules and traffic manager, asked at once. Raises nothing: what may not be read is part of
    the answer."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        applications = pool.submit(lambda: tuple(kubectl.applications(s)))
        common = pool.submit(_common, s)
        manager = pool.submit(_manager, s)
    try:
        return Argo(applications.result(), common.result(), manager=manager.result())
    except ToolError as why:
        return Argo(trouble=why, manager=manager.result())


def _common(s: Settings) -> tuple[argo_rules.Rule, ...] | None:
    try:
        found = kubectl.get(s, "configmap", name="argocd-cm", namespace=s.cluster.argocd_namespace)
    except kubectl.NotFound:
        return ()
    except ToolError:
        return None
    return argo_rules.common(found[0].get("data") or {})


def _manager(s: Settings) -> Object | ToolError:
    try:
        return kubectl.get(s, "service", name="traffic-manager", namespace=s.cluster.manager_namespace)[0]
    except ToolError as why:
        return why


def findings(s: Settings, place: Place, argo: Argo | None = None) -> list[Finding]:
    """Everything about one workload. argo: what was read of Argo CD for several; without it, it is read here."""
    argo = read(s) if argo is None else argo
    return [
        *_owned(s, place, argo),
        *_injection(place),
        *_agents(s, place, argo.manager),
    ]


def owner(place: Place, applications: Sequence[Object]) -> Object | None:
    """The Application that manages the workload: by its list of resources, else by the marks on the workload."""
    metadata = place.workload.get("metadata") or {}
    wanted = (place.kind, place.name, metadata.get("namespace"))
    for application in applications:
        resources = (application.get("status") or {}).get("resources") or []
        if any((r.get("kind"), r.get("name"), r.get("namespace")) == wanted for r in resources):
            return application
    marked = mark(place)
    return next((a for a in applications if marked and a["metadata"]["name"] == marked), None)


def mark(place: Place) -> str:
    """The Application's name as the workload carries it, empty when Argo CD left no mark."""
    metadata = place.workload.get("metadata") or {}
    tracking = str((metadata.get("annotations") or {}).get("argocd.argoproj.io/tracking-id") or "")
    if tracking:  # APPLICATION:GROUP/KIND:NAMESPACE/NAME; an Application of another namespace is NAMESPACE_NAME
        return tracking.split(":", 1)[0].rpartition("_")[2]
    labels = metadata.get("labels") or {}
    return str(labels.get("argocd.argoproj.io/instance") or labels.get("app.kubernetes.io/instance") or "")


def _owned(s: Settings, place: Place, argo: Argo) -> Iterator[Finding]:
    if argo.trouble is not None:
        if "doesn't have a resource type" in argo.trouble.said:
            yield Finding(
                "owner",
                State.MISSING,
                "Argo CD is not in this cluster",
                fix="see docs/cluster.md: Argo CD is installed by gitops",
            )
            return
        marked = mark(place)
        if marked:
            yield Finding("owner", State.OK, f"by its mark the Argo CD Application {marked}")
        for subject in ("sync policy", "ignore rule") if marked else ("owner", "sync policy", "ignore rule"):
            found = unknown(subject, argo.trouble)
            yield Finding(subject, found.state, found.text, found.fix or _READ.format(s.cluster.argocd_namespace))
        return
    application = owner(place, argo.applications)
    if application is None:
        yield Finding(
            "owner", State.WARN, f"no Argo CD Application manages {place.kind} {place.name}: nobody keeps it as in git"
        )
        return
    spec = application.get("spec") or {}
    source: dict[str, Any] = spec.get("source") or next(iter(spec.get("sources") or []), {})
    where = " ".join(str(source[k]) for k in ("repoURL", "path", "chart") if source.get(k))
    yield Finding(
        "owner",
        State.OK,
        f"Argo CD Application {application['metadata']['name']}" + (f", from {where}" if where else ""),
    )
    yield _sync(place, application)
    yield from _ignored(s, place, application, argo.common)


def _sync(place: Place, application: Object) -> Finding:
    name = application["metadata"]["name"]
    automated = ((application.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    heals = isinstance(automated, dict) and bool(automated.get("selfHeal"))
    prunes = isinstance(automated, dict) and bool(automated.get("prune"))
    words = ["self-heals" if heals else "syncs by itself" if automated is not None else "is synced by hand"]
    words += ["prunes"] if prunes else []
    policy = f"{name} {' and '.join(words)}"
    if not _drifted(place, application):
        return Finding("sync policy", State.OK, f"{policy}; the workload is as in git")
    if heals:
        return Finding(
            "sync policy",
            State.MISSING,
            f"{policy}, and the workload differs from git (OutOfSync): Argo CD puts it back, with new pods, at any moment",
            fix=f"see what differs (argocd app diff {name}) and bring it to git, or give up the change, before you intercept",
        )
    return Finding(
        "sync policy",
        State.WARN,
        f"{policy}; the workload differs from git (OutOfSync): the next sync makes new pods",
        fix=f"see what differs: argocd app diff {name}",
    )


def _drifted(place: Place, application: Object) -> bool:
    status = application.get("status") or {}
    for resource in status.get("resources") or []:
        if (resource.get("kind"), resource.get("name")) == (place.kind, place.name):
            return bool(resource.get("status") == "OutOfSync")
    return bool((status.get("sync") or {}).get("status") == "OutOfSync")


def _ignored(
    s: Settings, place: Place, application: Object, common: tuple[argo_rules.Rule, ...] | None
) -> Iterator[Finding]:
    own = argo_rules.of_application(application)
    rules = [r for r in (*own, *(common or ())) if r.applies_to(place.kind, place.name, _namespace(place))]
    key = f"{PREFIXES[1] if parts(s.telepresence.version) < (2, 22) else PREFIXES[0]}/restartedAt"
    wide = [r for r in rules if r.is_wide]
    narrow = any(r.ignores(key) for r in rules if not r.is_wide)
    respects = argo_rules.respects(application)
    patch = argo_rules.patch(application, place.kind, place.name, PREFIXES)
    if wide and respects:
        yield Finding(
            "ignore rule",
            State.MISSING,
            f"wide: {wide[0].where} ignores {wide[0].widest} as a whole, and with RespectIgnoreDifferences Argo CD never "
            "applies inject-traffic-agent from git",
            fix=f"narrow it to the single keys in {wide[0].where}",
            patch=patch,
        )
    elif wide:
        yield Finding(
            "ignore rule",
            State.WARN,
            f"wide: {wide[0].where} ignores {wide[0].widest} as a whole; it breaks opt-in as soon as RespectIgnoreDifferences is set",
            fix=f"narrow it to the single keys in {wide[0].where}",
            patch=patch,
        )
    elif not narrow and common is None:
        yield Finding(
            "ignore rule",
            State.UNKNOWN,
            f"none in the Application; the rules for all of them (ConfigMap argocd-cm in {s.cluster.argocd_namespace}) may not be read",
            fix="ask whoever runs Argo CD, or add the rule to the Application",
            patch=patch,
        )
    elif not narrow:
        yield Finding(
            "ignore rule",
            State.MISSING,
            f"none for {key}: a sync after the traffic manager had to restart the pods would restart them again",
            fix="add it in the gitops repository",
            patch=patch,
        )
    elif not respects:
        yield Finding(
            "ignore rule",
            State.WARN,
            f"narrow, but without RespectIgnoreDifferences every sync still reverts {key}",
            fix="add the sync option in the gitops repository",
            patch=patch,
        )
    else:
        yield Finding("ignore rule", State.OK, f"narrow: {key} alone, and syncs respect it")


def _injection(place: Place) -> Iterator[Finding]:
    value = annotation(place.template, "inject-traffic-agent").lower()
    patch = (
        f"# pod template of {place.kind} {place.name}, in its chart or values\n"
        f"spec:\n  template:\n    metadata:\n      annotations:\n        {OPT_IN}: enabled\n"
    )
    if value in {"enabled", "true"}:
        yield Finding(
            "injection", State.OK, "opted in: the Traffic Agent is always there, an intercept restarts nothing"
        )
    elif value in {"disabled", "false"}:
        yield Finding(
            "injection",
            State.MISSING,
            "forbidden by the pod template",
            fix="opt in, in the gitops repository",
            patch=patch,
        )
    else:
        yield Finding(
            "injection",
            State.WARN,
            "not opted in: the first intercept replaces the pod; where the manager's injectPolicy is WhenEnabled it is refused",
            fix="opt in, in the gitops repository",
            patch=patch,
        )


def _agents(s: Settings, place: Place, manager: Object | ToolError | None) -> Iterator[Finding]:
    with_agent = [pod for pod in place.pods if has_agent(pod)]
    if not with_agent:
        yield Finding("traffic agent", State.OK, "none in its pods yet")
        return
    ours = s.cluster.manager_namespace
    for pod in with_agent:
        theirs = manager_namespace(pod)
        if theirs and theirs != ours:
            yield Finding(
                "traffic agent",
                State.MISSING,
                f"wrong manager namespace: the agent in {pod['metadata']['name']} obeys the traffic manager of '{theirs}', "
                f"you connect to that of '{ours}'",
                fix=f"set cluster.manager_namespace to {theirs} in config/settings.yaml, or have the pod made anew: "
                f"kubectl delete pod {pod['metadata']['name']} -n {_namespace(place)}",
            )
            return
    manager = _manager(s) if manager is None else manager
    if isinstance(manager, kubectl.NotFound):
        names = " ".join(pod["metadata"]["name"] for pod in with_agent)
        yield Finding(
            "traffic agent",
            State.MISSING,
            f"orphaned: {names} carries an agent, and there is no traffic manager in '{ours}' any more",
            fix=f"have the pods made anew, without it: kubectl delete pod {names} -n {_namespace(place)}",
        )
    elif isinstance(manager, ToolError):
        yield unknown("traffic agent", manager)
    else:
        yield Finding(
            "traffic agent", State.OK, f"in {len(with_agent)} of {len(place.pods)} pods, of the manager in '{ours}'"
        )


def manager_namespace(pod: Object) -> str:
    """The namespace of the traffic manager that the pod's agent obeys; empty when the pod does not tell (before 2.22)."""
    found = (pod.get("metadata") or {}).get("annotations") or {}
    try:
        config: Any = json.loads(
            next((found[f"{p}/agent-config"] for p in PREFIXES if f"{p}/agent-config" in found), "{}")
        )
    except ValueError:
        return ""
    host = str(config.get("managerHost") or "") if isinstance(config, dict) else ""
    parts = host.split(".")
    return parts[1] if len(parts) > 1 else ""


def _namespace(place: Place) -> str:
    return str((place.workload.get("metadata") or {}).get("namespace") or "")
