"""What daily work needs from the shared cluster: one question per requirement, asked in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache, partial

from tasks.checks import session
from tasks.checks.cluster.azure import node_pools, registry
from tasks.checks.cluster.manager import check_manager
from tasks.checks.finding import (
    Finding,
    Question,
    ask_all,
    could_not_look,
    limit_deadlines,
    missing,
    ok,
    unknown,
    warning,
)
from tasks.checks.rights import Right
from tasks.core.config.settings import Component, Settings
from tasks.core.errors import Blocked, ToolError
from tasks.tools import kubectl
from tasks.tools.kubectl import Object

SECONDS = 40.0  # for all questions; each child process gets a third
ROUTES = Right("create", "httproutes.gateway.networking.k8s.io")
# What daily work uses. The ClusterRole `edit` gives all but the routes of releases.
RIGHTS = (
    Right("create", "deployments"),
    ROUTES,
    Right("delete", "pods"),
    Right("create", "pods", "portforward"),
    Right("get", "secrets"),
)


def look(s: Settings) -> list[Finding]:
    """Return all findings. When the API server does not answer, the questions for it are unknown without a request."""
    s = limit_deadlines(s, SECONDS / 3)
    with ExitStack() as stack:
        questions = _kubernetes_questions(s)
        try:
            stack.enter_context(session.readable(s))
            kubectl.ready(s)
        except (ToolError, Blocked) as why:
            api_server = could_not_look("API server", why)
            silent = ToolError("the API server could not be asked", fix=why.fix)
            questions = [Question(question.subjects, partial(_raise, silent)) for question in questions]
        else:
            api_server = ok("API server", f"{s.cluster.context} answers")
        return [api_server, *ask_all([*questions, *_azure_questions(s)], seconds=SECONDS)]


def _kubernetes_questions(s: Settings) -> list[Question]:
    groups = cache(lambda: api_groups(s))  # several components ask for them
    namespaces = dict.fromkeys((s.cluster.namespace, s.cluster.argocd_namespace, s.cluster.manager_namespace))
    return [
        *(Question((f"namespace {name}",), partial(_namespace, s, name)) for name in namespaces),
        *(Question((c.name,), partial(component, s, c, groups)) for c in s.cluster.components),
        Question(("traffic manager",), partial(check_manager, s)),
        Question(("quota",), partial(_quotas, s)),
        *(Question((_subject(right),), partial(_right, s, right)) for right in RIGHTS),
    ]


def _azure_questions(s: Settings) -> list[Question]:
    questions = [Question(("power", "spot nodes", "B-series nodes", "autoscaling"), partial(node_pools, s))]
    if s.registry.kind == "acr":
        questions.append(Question(("registry login", "registry pull", "registry push"), partial(registry, s)))
    return questions


def api_groups(s: Settings) -> frozenset[str]:
    """Return the API groups that the cluster serves. Every login may ask for them."""
    return kubectl.api_groups(s)


def component(s: Settings, wanted: Component, groups: Callable[[], frozenset[str]]) -> Iterator[Finding]:
    """Check that the component is installed, by its API, and that it runs, by its workload."""
    fix = f"ask for it: {wanted.name} is installed by {wanted.by} (docs/cluster.md)"
    if wanted.api and wanted.api not in groups():
        yield missing(wanted.name, f"the cluster does not serve {wanted.api}", fix=fix)
        return
    served = f"{wanted.api} is served" if wanted.api else ""
    if not wanted.workload:
        yield ok(wanted.name, served)
        return
    namespace = wanted.namespace or s.cluster.namespace
    try:
        workloads = kubectl.get(s, "deployments,statefulsets", namespace=namespace)
    except kubectl.Forbidden:
        if not wanted.api:
            raise
        text = f"{served}; this login may not read the namespace {namespace} to see whether it runs"
        yield unknown(wanted.name, text, fix=f"ask for the role `view` in {namespace}")
        return
    fitting = [w for w in workloads if fnmatchcase(w["metadata"]["name"], wanted.workload)]
    if fitting:
        yield _readiness(wanted.name, namespace, fitting)
    else:
        text = f"no workload '{wanted.workload}' in {namespace}"
        yield missing(wanted.name, f"{served}, but {text}" if served else text, fix=fix)


def _readiness(subject: str, namespace: str, workloads: list[Object]) -> Finding:
    names = [w["metadata"]["name"] for w in workloads]
    idle = [w["metadata"]["name"] for w in workloads if not int((w.get("status") or {}).get("readyReplicas") or 0)]
    if idle:
        return warning(
            subject,
            f"{', '.join(idle)} in {namespace} has no ready pod",
            fix=f"kubectl get pods -n {namespace} shows why",
        )
    return ok(subject, f"{', '.join(names)} is ready in {namespace}")


def _namespace(s: Settings, name: str) -> Iterator[Finding]:
    subject = f"namespace {name}"
    try:
        labels = kubectl.namespace_labels(s, name)
    except kubectl.NotFound:
        yield missing(subject, "not in the cluster", fix=f"ask the owners of gitops for the namespace {name}")
    except kubectl.Forbidden:
        if name == s.cluster.namespace:
            raise
        text = "this login may not read it; what is used in it is looked at by itself"
        yield warning(subject, text, fix=f"none is needed; to read it, ask for `get` on the namespace {name}")
    else:
        shown = ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if not k.startswith("kubernetes.io/"))
        yield ok(subject, shown or "there")


def _quotas(s: Settings) -> Iterator[Finding]:
    quotas = kubectl.get(s, "resourcequotas")
    if not quotas:
        yield missing(
            "quota",
            f"no ResourceQuota in {s.cluster.namespace}: one developer's pods can push out everybody's",
            fix="add one in the gitops repository (docs/cluster.md has an example)",
        )
    for quota in quotas:
        yield _quota(quota)


def _quota(quota: Object) -> Finding:
    name, status = quota["metadata"]["name"], quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    full = [f"{key} {used[key]} of {hard[key]}" for key in sorted(hard) if used.get(key) == hard[key]]
    if full:
        return warning(
            "quota",
            f"{name} is used up: {', '.join(full)}: new pods are refused",
            fix="inv tilt.down removes your own releases; else ask for more in gitops",
        )
    shown = ", ".join(f"{key} {used.get(key, '0')} of {hard[key]}" for key in sorted(hard)[:4])
    return ok("quota", f"{name}: {shown}" if shown else name)


def _subject(right: Right) -> str:
    """Return the right without the API group."""
    return f"may {replace(right, resource=right.resource.partition('.')[0]).text}"


def _right(s: Settings, right: Right) -> Iterator[Finding]:
    namespace = s.cluster.namespace
    if right.is_granted(s, namespace):
        yield ok(_subject(right), f"in {namespace}")
    else:
        role = "that right, which `edit` lacks," if right == ROUTES else "the role `edit`"
        yield missing(
            _subject(right),
            f"not in {namespace}",
            fix=f"ask for {role} in {namespace} (docs/access.md); a new grant takes up to 5 minutes",
        )


def _raise(why: ToolError) -> Iterable[Finding]:
    raise why
