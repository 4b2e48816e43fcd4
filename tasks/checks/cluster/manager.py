"""The traffic manager: is it where it is looked for, does its version suit the client, may this login use it?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.checks.finding import Finding, State
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.tools import kubectl, telepresence
from tasks.tools.kubectl import Object
from tasks.tools.versions import parts

NAME = "traffic-manager"
SUBJECT = "traffic manager"
_OLDEST = (2, 21)  # what clients from 2.25 on accept, by the release notes of Telepresence 2.25
# Enough for a developer in the manager's namespace, as tried with Telepresence 2.31 on a real cluster.
RIGHTS = (("get", f"services/{NAME}", ""), ("list", "pods", ""), ("create", "pods", "portforward"))


def check_manager(s: Settings) -> Iterator[Finding]:
    """Its place, readiness and version; then the rights that `telepresence connect` needs there."""
    namespace = s.cluster.manager_namespace
    try:
        kubectl.get(s, "service", name=NAME, namespace=namespace)
    except kubectl.NotFound:
        yield _absent(s, namespace)
        return
    except kubectl.Forbidden:
        yield Finding(
            SUBJECT,
            State.UNKNOWN,
            f"the service {NAME} in {namespace} may not be read, so telepresence cannot connect either",
            fix=_ask(namespace),
        )
        return
    pods = [p for p in kubectl.get(s, "pods", namespace=namespace) if p["metadata"]["name"].startswith(NAME)]
    if not any(_ready(pod) for pod in pods):
        yield Finding(
            SUBJECT,
            State.MISSING,
            f"no pod of it in {namespace} is ready",
            fix=f"kubectl describe pods -n {namespace} tells why",
        )
    else:
        yield versions(s, next((v for pod in pods if (v := version_of(pod))), ""))
    for right in RIGHTS:
        yield from _right(s, *right)


def versions(s: Settings, theirs: str) -> Finding:
    """Does the manager's version suit the client that is installed, or else the wanted one?"""
    try:
        ours = telepresence.version(s)
    except ToolError:
        ours = ""
    ours = ours or s.telepresence.version
    mine, other = parts(ours)[:2], parts(theirs)[:2]
    fix = f"bring both to one version: helm upgrade in gitops, or telepresence.version in config/settings.yaml ({ours})"
    if not theirs:
        return Finding(SUBJECT, State.OK, f"ready; its version is not to be seen (the client is {ours})")
    if mine >= (2, 25) and other < _OLDEST:
        return Finding(
            SUBJECT, State.MISSING, f"{theirs} is too old for the client {ours}: it wants 2.21 or newer", fix=fix
        )
    if mine[0] != other[0] or abs(mine[1] - other[1]) > 3:
        text = f"{theirs} and the client {ours} are more than three minor versions apart"
        return Finding(SUBJECT, State.MISSING, text, fix=fix)
    if mine != other:
        return Finding(
            SUBJECT, State.WARN, f"{theirs}, the client is {ours}: works, within three minor versions", fix=fix
        )
    return Finding(SUBJECT, State.OK, f"{theirs}, as the client")


def version_of(pod: Object) -> str:
    """The version by the tag of the pod's image; empty when it has none."""
    for container in (pod.get("spec") or {}).get("containers") or []:
        found = re.search(r":v?(\d+\.\d+\.\d+)", str(container.get("image") or ""))
        if found:
            return found.group(1)
    return ""


def _absent(s: Settings, namespace: str) -> Finding:
    try:
        services = kubectl.get(s, "services", everywhere=True)
    except ToolError:
        elsewhere = ""
    else:
        elsewhere = next((o["metadata"]["namespace"] for o in services if o["metadata"]["name"] == NAME), "")
    if elsewhere:
        return Finding(
            SUBJECT,
            State.MISSING,
            f"not in '{namespace}' but in '{elsewhere}'",
            fix=f"set cluster.manager_namespace to {elsewhere} in config/settings.yaml",
        )
    return Finding(
        SUBJECT,
        State.MISSING,
        f"no service {NAME} in '{namespace}'",
        fix=f"ask for it: telepresence helm install -n {namespace}, by the gitops repository (docs/cluster.md); "
        "or correct cluster.manager_namespace",
    )


def _right(s: Settings, verb: str, resource: str, subresource: str) -> Iterator[Finding]:
    namespace = s.cluster.manager_namespace
    if not kubectl.can_i(s, verb, resource, namespace=namespace, subresource=subresource):
        what = f"{resource}/{subresource}" if subresource else resource
        yield Finding(
            f"may {verb} {what} in {namespace}", State.MISSING, "telepresence connect needs it", fix=_ask(namespace)
        )


def _ask(namespace: str) -> str:
    return f"ask for a Role in {namespace}: get services/{NAME}; get, list, watch pods; create pods/portforward (docs/access.md)"


def _ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
