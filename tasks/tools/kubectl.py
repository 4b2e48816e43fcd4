"""kubectl, pinned to the frozen kubeconfig, its context and namespace."""

from __future__ import annotations

import json
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.plan.change import Change
from tasks.core.process.tool import Done, Tool
from tasks.tools import base

Object = dict[str, Any]


class Forbidden(ToolError):
    """The cluster answered: this login may not do that."""


class NotFound(ToolError):
    """The cluster answered: there is no such object."""


class UnknownResource(ToolError):
    """The cluster does not have this kind of object: its CustomResourceDefinition is not installed."""


class Unauthorized(ToolError):
    """No credentials, or the cluster does not accept them."""


def tool(s: Settings, *, kubeconfig: str = "") -> Tool:
    """kubectl for this session. A request may take half of the whole call, so that kubectl is there to say the cause."""
    limit = s.deadlines.kubectl
    return base.tool(
        s,
        "kubectl",
        "--kubeconfig",
        kubeconfig or str(base.frozen_kubeconfig(s)),
        "--context",
        s.cluster.context,
        f"--request-timeout={max(2, int(limit * 0.5))}s",
        timeout=limit,
    )


def get(
    s: Settings,
    kinds: str,
    *,
    name: str = "",
    namespace: str = "",
    selector: str = "",
    everywhere: bool = False,
    kubeconfig: str = "",
) -> list[Object]:
    """Objects of these kinds (`deployments,services`). Namespaced by default; `everywhere` asks all namespaces.

    Raises NotFound for a name that is not there, Forbidden, Unauthorized, ToolError. kubectl prints an empty list on
    stdout when it is forbidden, so stdout counts only with exit code 0.
    """
    args = ["get", kinds, *([name] if name else [])]
    args += ["--all-namespaces"] if everywhere else ["--namespace", namespace or s.cluster.namespace]
    args += ["--selector", selector] if selector else []
    found = _answer(s, [*args, "--output", "json"], kubeconfig)
    if found.get("kind", "").endswith("List") or "items" in found:
        return list(found.get("items") or [])
    return [found]


def namespace_labels(s: Settings, namespace: str, *, kubeconfig: str = "") -> dict[str, str]:
    """The labels of one namespace. Getting one needs less than listing all, which developers often may not."""
    found = _answer(s, ["get", "namespace", namespace, "--output", "json"], kubeconfig)
    return dict((found.get("metadata") or {}).get("labels") or {})


def ready(s: Settings, *, kubeconfig: str = "") -> None:
    """Raise ToolError when the API server does not answer. One request; /version is open to everybody."""
    _run(s, ["get", "--raw", "/version"], kubeconfig)


def can_i(
    s: Settings, verb: str, resource: str, *, namespace: str = "", subresource: str = "", kubeconfig: str = ""
) -> bool:
    """May this login do it? Judged by stdout: the exit code is 1 for `no` and for "could not ask".

    A subresource has its own flag: `pods/portforward` would mean a pod named portforward, and the answer would be no.
    """
    args = ["auth", "can-i", verb, resource, "--namespace", namespace or s.cluster.namespace]
    done = tool(s, kubeconfig=kubeconfig).call(*args, *([f"--subresource={subresource}"] if subresource else []))
    word = (done.stdout.split() or [""])[0]
    if word in {"yes", "no"}:
        return word == "yes"
    raise error(s, tuple(args), done)


def applications(s: Settings) -> list[Object]:
    """The Argo CD Applications of the cluster's Argo CD namespace."""
    return get(s, "applications.argoproj.io", namespace=s.cluster.argocd_namespace)


def delete(
    s: Settings, kind: str, name: str, *, namespace: str = "", destroys: str, timeout: float = 300
) -> Change[object]:
    """Remove one object; one that is gone is fine."""
    place = namespace or s.cluster.namespace
    return tool(s).change(
        f"delete {kind} {name} in {place}",
        "delete",
        kind,
        name,
        "--namespace",
        place,
        "--ignore-not-found",
        "--wait=false",
        destroys=destroys,
        timeout=timeout,
    )


def put(s: Settings, manifest: Object, *, timeout: float | None = None) -> Change[object]:
    """Create the object or change it to this. Its manifest goes over stdin, not through argv."""
    args = ("apply", "--filename", "-")
    program, data = tool(s), json.dumps(manifest).encode()
    return Change(
        f"write {manifest['kind']} {manifest['metadata']['name']}",
        (program.name, *program.base, *args),
        lambda: program.run(*args, stdin=data, timeout=timeout),
    )


def error(s: Settings, args: tuple[str, ...], done: Done) -> ToolError:
    """The typed error for how kubectl ended."""
    plain = tool(s).failed(args, done)
    kind: type[ToolError] = ToolError
    if "(Forbidden)" in done.stderr or "is forbidden: User" in done.stderr:
        kind = Forbidden
    elif "(NotFound)" in done.stderr:
        kind = NotFound
    elif "doesn't have a resource type" in done.stderr:
        kind = UnknownResource
    elif (
        "getting credentials" in done.stderr
        or "must be logged in" in done.stderr
        or "provide credentials" in done.stderr
    ):
        kind = Unauthorized
    return plain.reworded(kind=kind)


def _answer(s: Settings, args: list[str], kubeconfig: str = "") -> Object:
    out = _run(s, args, kubeconfig)
    try:
        found = json.loads(out or "{}")
    except ValueError:
        raise ToolError(f"kubectl {args[0]}: the answer is not JSON", tool="kubectl", exit=0) from None
    if not isinstance(found, dict):
        raise ToolError(f"kubectl {args[0]}: the answer is no object", tool="kubectl", exit=0)
    return found


def _run(s: Settings, args: list[str], kubeconfig: str = "") -> str:
    done = tool(s, kubeconfig=kubeconfig).call(*args)
    if done.exit != 0:
        raise error(s, tuple(args), done)
    return done.stdout
