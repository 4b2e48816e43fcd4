"""Has the shared cluster what work on it needs? One question for each requirement, asked in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache, partial

from tasks.checks.cluster.azure import node_pools, registry
from tasks.checks.cluster.manager import check_manager
from tasks.checks.finding import Finding, Question, State, answers, unknown, within
from tasks.core.config.settings import Component, Settings
from tasks.core.errors import Blocked, ToolError
from tasks.core.plan.change import perform
from tasks.tools import kubeconfig, kubectl

SECONDS = 40.0  # for all of it; every single child gets a third
ROUTES = "httproutes.gateway.networking.k8s.io"
# What the daily work uses: verb, resource, subresource. The ClusterRole `edit` gives all but the routes of releases.
EDIT = (
    ("create", "deployments", ""),
    ("create", ROUTES, ""),
    ("delete", "pods", ""),
    ("create", "pods", "portforward"),
    ("get", "secrets", ""),
)


def look(s: Settings) -> list[Finding]:
    """All findings. When the API server does not answer, it is asked once and what it would tell is unknown."""
    s = within(s, SECONDS / 3)
    inside = _inside(s)
    try:
        freeze = kubeconfig.freeze(s)
        if freeze is not None:
            perform(freeze)
        kubectl.ready(s)
    except (ToolError, Blocked) as why:
        reached = [unknown("API server", why)]
        silent = ToolError("the API server could not be asked", fix=why.fix)
        inside = [Question(q.subjects, partial(_raise, silent)) for q in inside]
    else:
        reached = [Finding("API server", State.OK, f"{s.cluster.context} answers")]
    return [*reached, *answers([*inside, *_outside(s)], seconds=SECONDS)]


def _inside(s: Settings) -> list[Question]:
    @cache
    def groups() -> frozenset[str]:
        return api_groups(s)

    names = dict.fromkeys((s.cluster.namespace, s.cluster.argocd_namespace, s.cluster.manager_namespace))
    return [
        *(Question((f"namespace {name}",), partial(_namespace, s, name)) for name in names),
        *(Question((c.name,), lambda c=c: component(s, c, groups())) for c in s.cluster.components),  # type: ignore[misc]
        Question(("traffic manager",), partial(check_manager, s)),
        Question(("quota",), partial(_quota, s)),
        *(Question((_right(*r),), partial(_may, s, *r)) for r in EDIT),
    ]


def _outside(s: Settings) -> list[Question]:
    questions = [Question(("power", "spot nodes", "B-series nodes", "autoscaling"), partial(node_pools, s))]
    if s.registry.kind == "acr":
        questions.append(Question(("registry login", "registry pull", "registry push"), partial(registry, s)))
    return questions


def api_groups(s: Settings) -> frozenset[str]:
    """The API groups that the cluster serves: every login may ask this."""
    found = kubectl.tool(s)["get", "--raw", "/apis"].json()
    return frozenset(str(group.get("name")) for group in (found or {}).get("groups") or [])


def component(s: Settings, wanted: Component, groups: frozenset[str]) -> Iterator[Finding]:
    """Is this component there and ready? Its API tells that it is installed, its workload that it runs."""
    fix = f"ask for it: {wanted.name} is installed by {wanted.by} (docs/cluster.md)"
    if wanted.api and wanted.api not in groups:
        yield Finding(wanted.name, State.MISSING, f"the cluster does not serve {wanted.api}", fix=fix)
        return
    served = f"{wanted.api} is served" if wanted.api else ""
    if not wanted.workload:
        yield Finding(wanted.name, State.OK, served)
        return
    namespace = wanted.namespace or s.cluster.namespace
    try:
        workloads = kubectl.get(s, "deployments,statefulsets", namespace=namespace)
    except kubectl.Forbidden:
        if not wanted.api:
            raise
        text = f"{served}; whether it runs is not to be seen: the namespace {namespace} may not be read"
        yield Finding(wanted.name, State.UNKNOWN, text, fix=f"ask for the role `view` in {namespace}")
        return
    fitting = [w for w in workloads if fnmatchcase(w["metadata"]["name"], wanted.workload)]
    if not fitting:
        text = f"no workload '{wanted.workload}' in {namespace}"
        yield Finding(wanted.name, State.MISSING, f"{served}, but {text}" if served else text, fix=fix)
        return
    idle = [w["metadata"]["name"] for w in fitting if not int((w.get("status") or {}).get("readyReplicas") or 0)]
    if idle:
        yield Finding(
            wanted.name,
            State.WARN,
            f"{', '.join(idle)} in {namespace} has no ready pod",
            fix=f"kubectl get pods -n {namespace} tells why",
        )
    else:
        yield Finding(
            wanted.name, State.OK, f"{', '.join(w['metadata']['name'] for w in fitting)} is ready in {namespace}"
        )


def _namespace(s: Settings, name: str) -> Iterator[Finding]:
    subject = f"namespace {name}"
    try:
        labels = kubectl.namespace_labels(s, name)
    except kubectl.NotFound:
        yield Finding(
            subject, State.MISSING, "not in the cluster", fix=f"ask the owners of gitops for the namespace {name}"
        )
    else:
        shown = ", ".join(f"{k}={v}" for k, v in sorted(labels.items()) if not k.startswith("kubernetes.io/"))
        yield Finding(subject, State.OK, shown or "there")


def _quota(s: Settings) -> Iterator[Finding]:
    found = kubectl.get(s, "resourcequotas")
    if not found:
        yield Finding(
            "quota",
            State.MISSING,
            f"no ResourceQuota in {s.cluster.namespace}: one developer's pods can push out everybody's",
            fix="add one in the gitops repository (docs/cluster.md has an example)",
        )
        return
    for quota in found:
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        full = [f"{key} {used[key]} of {hard[key]}" for key in sorted(hard) if used.get(key) == hard[key]]
        name = quota["metadata"]["name"]
        if full:
            yield Finding(
                "quota",
                State.WARN,
                f"{name} is used up: {', '.join(full)}: new pods are refused",
                fix="inv tilt.down removes your own releases; else ask for more in gitops",
            )
        else:
            shown = ", ".join(f"{key} {used.get(key, '0')} of {hard[key]}" for key in sorted(hard)[:4])
            yield Finding("quota", State.OK, f"{name}: {shown}" if shown else name)


def _right(verb: str, resource: str, subresource: str) -> str:
    return f"may {verb} {resource.partition('.')[0]}{'/' + subresource if subresource else ''}"


def _may(s: Settings, verb: str, resource: str, subresource: str) -> Iterator[Finding]:
    subject = _right(verb, resource, subresource)
    if kubectl.can_i(s, verb, resource, subresource=subresource):
        yield Finding(subject, State.OK, f"in {s.cluster.namespace}")
    else:
        own = "that role, which `edit` lacks," if resource == ROUTES else "the role `edit`"
        yield Finding(
            subject,
            State.MISSING,
            f"not in {s.cluster.namespace}",
            fix=f"ask for {own} in {s.cluster.namespace} (docs/access.md); a new grant takes up to 5 minutes",
        )


def _raise(why: ToolError) -> Iterable[Finding]:
    raise why
