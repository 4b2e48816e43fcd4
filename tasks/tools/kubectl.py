"""kubectl, pinned to the frozen kubeconfig, its context and namespace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.plan.change import Change
from tasks.core.process.tool import Command, Done, Tool
from tasks.core.shape import Shape, must_be
from tasks.tools import api_server, base, kubernetes

Object = dict[str, Any]


class Forbidden(ToolError):
    """The cluster answered: this login may not do that."""


class NotFound(ToolError):
    """The cluster answered: there is no such object."""


class UnknownResource(ToolError):
    """The cluster does not have this kind of object: its CustomResourceDefinition is not installed."""


class Unauthorized(ToolError):
    """No credentials, or the cluster does not accept them."""


_ANSWERS = (Forbidden, NotFound, UnknownResource, Unauthorized)


@dataclass(frozen=True)
class Access:
    """Something that a login may do, or may not."""

    verb: str

    resource: str
    """A resource such as `deployments.apps`, or TYPE/NAME."""

    namespace: str
    subresource: str = ""

    @property
    def review(self) -> Object:
        """The question about it, as the API server takes it."""
        kind, _, name = self.resource.partition("/")
        plural, _, group = kind.partition(".")
        attributes = {"resource": plural, "group": group, "name": name, "subresource": self.subresource}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": self.verb, "namespace": self.namespace, **attributes}},
        }


def tool(s: Settings, *, kubeconfig: str = "") -> Tool:
    """Return kubectl for this session.

    One request may take half of the deadline of the call: kubectl then still has time to print the cause.
    """
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
    """Return the objects of these kinds (`deployments,services`), of one namespace or `everywhere`.

    Raises NotFound for a name that does not exist, Forbidden, Unauthorized, ToolError. When it is forbidden, kubectl
    prints an empty list on stdout all the same, so stdout is read only after exit code 0.
    """
    command = tool(s, kubeconfig=kubeconfig)["get", kinds, *([name] if name else [])]
    place = ("--all-namespaces",) if everywhere else ("--namespace", namespace or s.cluster.namespace)
    command = command[place]
    command = command[*(("--selector", selector) if selector else ()), "--output", "json"]
    answer = _answer(s, command, kubeconfig, kubernetes.Items)
    is_list = not name and (str(answer.get("kind")).endswith("List") or "items" in answer)
    objects = list(answer.get("items") or []) if is_list else [answer]
    return [must_be(kubernetes.shape_of(item), item, said=command.name) for item in objects]


def namespace_labels(s: Settings, namespace: str, *, kubeconfig: str = "") -> dict[str, str]:
    """Return the labels of one namespace. To get one needs fewer rights than to list all."""
    command = tool(s, kubeconfig=kubeconfig)["get", "namespace", namespace, "--output", "json"]
    answer = _answer(s, command, kubeconfig, kubernetes.Other)
    return dict((answer.get("metadata") or {}).get("labels") or {})


def api_groups(s: Settings) -> frozenset[str]:
    """Return the API groups that the cluster serves. Every login may ask for them."""
    answer = _answer(s, tool(s)["get", "--raw", "/apis"], "", kubernetes.ApiGroups)
    return frozenset(str(group.get("name")) for group in answer.get("groups") or [])


def ready(s: Settings, *, kubeconfig: str = "") -> None:
    """Raise ToolError when the API server does not answer. One request; /version needs no rights."""
    _run(s, tool(s, kubeconfig=kubeconfig)["get", "--raw", "/version"], kubeconfig)


def can_i(
    s: Settings, verb: str, resource: str, *, namespace: str = "", subresource: str = "", kubeconfig: str = ""
) -> bool:
    """May this login do it? Only stdout says: the exit code is 1 for `no`, and for a question that could not be asked.

    A subresource has its own flag: `pods/portforward` would be a pod named portforward, and the answer `no`.
    """
    command = tool(s, kubeconfig=kubeconfig)["auth", "can-i", verb, resource]
    command = command["--namespace", namespace or s.cluster.namespace]
    command = command[(f"--subresource={subresource}",) if subresource else ()]

    def question(timeout: float | None) -> bool:
        done = command.call(timeout=timeout)
        answer = (done.stdout.split() or [""])[0]
        if answer in {"yes", "no"}:
            return answer == "yes"
        raise error(command, done)

    return api_server.ask(s, question, name=command.name, file=kubeconfig, answers=_ANSWERS)


def may(s: Settings, wanted: Sequence[Access]) -> list[bool]:
    """Return for each of these whether this login may do it, with one kubectl for all. Raises ToolError without answers.

    It sends what `auth can-i` sends. `auth can-i --list` needs fewer requests, but where Azure RBAC decides, the list is
    incomplete: a webhook authorizer cannot list what it allows.
    """
    reviews = {"apiVersion": "v1", "kind": "List", "items": [access.review for access in wanted]}
    # Sent as it is, without the API server's description of all kinds, which a validation would load.
    command = tool(s)["create", "--filename", "-", "--validate=false", "--output", r'jsonpath={.status.allowed}{"\n"}']
    answers = _run(s, command, "", stdin=json.dumps(reviews).encode()).split()
    if len(answers) != len(wanted) or not set(answers) <= {"true", "false"}:
        raise ToolError(
            f"{command.name}: an answer is missing",
            tool="kubectl",
            exit=0,
            fix=f"kubectl auth can-i --list --namespace {wanted[0].namespace} shows what it answers",
        )
    return [answer == "true" for answer in answers]


def last_lines(s: Settings, pod: str, count: int) -> str:
    """Return the last lines that each container of the pod wrote. One that waits for a restart still has those of its last run."""
    command = tool(s)["logs", pod, "--namespace", s.cluster.namespace, "--all-containers", f"--tail={count}"]
    return _run(s, command, "")


def applications(s: Settings) -> list[Object]:
    """Return the Argo CD Applications in Argo CD's own namespace."""
    return get(s, "applications.argoproj.io", namespace=s.cluster.argocd_namespace)


def delete(
    s: Settings, kind: str, name: str, *, namespace: str = "", destroys: str, timeout: float = 300
) -> Change[str]:
    """Delete one object. One that is gone is fine."""
    place = namespace or s.cluster.namespace
    command = tool(s)["delete", kind, name, "--namespace", place, "--ignore-not-found", "--wait=false"]
    return base.change(command, f"delete {kind} {name} in {place}", destroys=destroys, timeout=timeout)


def put(s: Settings, manifest: Object, *, timeout: float | None = None) -> Change[str]:
    """Create the object, or change it to this. Its manifest goes through stdin."""
    command, data = tool(s)["apply", "--filename", "-"], json.dumps(manifest).encode()
    return Change(
        f"write {manifest['kind']} {manifest['metadata']['name']}",
        command.argv,
        lambda: command.run(stdin=data, timeout=timeout),
    )


def error(command: Command, done: Done) -> ToolError:
    """Return the typed error for how kubectl ended. The sentences are recorded in tests/data/contracts/kubectl-*.yaml."""
    plain = command.failed(done)
    kind: type[ToolError] = ToolError
    if "(Forbidden)" in done.stderr or "is forbidden: User" in done.stderr:
        kind = Forbidden
    elif "(NotFound)" in done.stderr:
        kind = NotFound
    elif "error: the server doesn't have a resource type" in done.stderr:  # the same as a warning means no connection
        kind = UnknownResource
    elif (
        "getting credentials" in done.stderr
        or "must be logged in" in done.stderr
        or "provide credentials" in done.stderr
    ):
        kind = Unauthorized
    return plain.reworded(kind=kind)


def _answer(s: Settings, command: Command, kubeconfig: str, kind: type[Shape]) -> Object:
    """Return the object that it prints. Raises ToolError when it has another form than `kind`."""
    answer: Object = must_be(kind, command.parsed(_run(s, command, kubeconfig)), said=command.name)
    return answer


def _run(s: Settings, command: Command, kubeconfig: str, *, stdin: bytes | None = None) -> str:
    def question(timeout: float | None) -> str:
        done = command.call(timeout=timeout, stdin=stdin)
        if done.exit != 0:
            raise error(command, done)
        return done.stdout

    return api_server.ask(s, question, name=command.name, file=kubeconfig, answers=_ANSWERS)
