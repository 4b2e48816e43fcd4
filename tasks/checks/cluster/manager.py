"""The traffic manager: its namespace, its version beside the client's, and the rights that this login has there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.checks.finding import Finding, missing, ok, unknown, warning
from tasks.checks.rights import Right
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.repository import SETTINGS
from tasks.tools import kubectl, telepresence
from tasks.tools.kubectl import Object
from tasks.tools.versions import parts

NAME = "traffic-manager"
SUBJECT = "traffic manager"
_OLDEST = (2, 21)  # what clients from 2.25 on accept, by the release notes of Telepresence 2.25
# Enough for a developer in the manager's namespace, as tried with Telepresence 2.31 on a real cluster.
RIGHTS = (Right("get", f"services/{NAME}"), Right("list", "pods"), Right("create", "pods", "portforward"))


def check_manager(s: Settings) -> Iterator[Finding]:
    """Check namespace, readiness and version, then the rights that `telepresence connect` needs there."""
    namespace = s.cluster.manager_namespace
    try:
        kubectl.get(s, "service", name=NAME, namespace=namespace)
    except kubectl.NotFound:
        yield _absent(s, namespace)
        return
    except kubectl.Forbidden:
        yield unknown(
            SUBJECT,
            f"this login may not read the service {NAME} in {namespace}, so telepresence cannot connect either",
            fix=_role_request(namespace),
        )
        return
    pods = [p for p in kubectl.get(s, "pods", namespace=namespace) if p["metadata"]["name"].startswith(NAME)]
    if any(_is_ready(pod) for pod in pods):
        yield versions(s, next((version for pod in pods if (version := version_of(pod))), ""))
    else:
        yield missing(
            SUBJECT,
            f"no pod of it in {namespace} is ready",
            fix=f"kubectl describe pods -n {namespace} shows why",
        )
    for right in RIGHTS:
        if not right.is_granted(s, namespace):
            yield missing(
                f"may {right.text} in {namespace}", "telepresence connect needs it", fix=_role_request(namespace)
            )


def versions(s: Settings, theirs: str) -> Finding:
    """Compare the manager's version with the client's: the installed one, else the one in the settings."""
    try:
        ours = telepresence.version(s)
    except ToolError:
        ours = ""
    ours = ours or s.telepresence.version
    client, manager = parts(ours)[:2], parts(theirs)[:2]
    fix = f"bring both to one version: helm upgrade in gitops, or telepresence.version in {SETTINGS} ({ours})"
    if not theirs:
        return ok(SUBJECT, f"ready; its image does not name a version (the client is {ours})")
    if client >= (2, 25) and manager < _OLDEST:
        return missing(SUBJECT, f"{theirs} is too old for the client {ours}, which needs 2.21 or newer", fix=fix)
    if client[0] != manager[0] or abs(client[1] - manager[1]) > 3:
        text = f"{theirs} and the client {ours} are more than three minor versions apart"
        return missing(SUBJECT, text, fix=fix)
    if client != manager:
        return warning(SUBJECT, f"{theirs}, the client is {ours}: works, within three minor versions", fix=fix)
    return ok(SUBJECT, f"{theirs}, as the client")


def version_of(pod: Object) -> str:
    """Return the version in the tag of the pod's image; empty without one."""
    for container in (pod.get("spec") or {}).get("containers") or []:
        tag = re.search(r":v?(\d+\.\d+\.\d+)", str(container.get("image") or ""))
        if tag:
            return tag.group(1)
    return ""


def _absent(s: Settings, namespace: str) -> Finding:
    """Return the finding for a manager that is not in this namespace, and look for it in the others."""
    try:
        services = kubectl.get(s, "services", everywhere=True)
    except ToolError:
        elsewhere = ""
    else:
        elsewhere = next((o["metadata"]["namespace"] for o in services if o["metadata"]["name"] == NAME), "")
    if elsewhere:
        return missing(
            SUBJECT,
            f"not in '{namespace}' but in '{elsewhere}'",
            fix=f"set cluster.manager_namespace to {elsewhere} in {SETTINGS}",
        )
    return missing(
        SUBJECT,
        f"no service {NAME} in '{namespace}'",
        fix=f"ask for it: telepresence helm install -n {namespace}, by the gitops repository (docs/cluster.md); "
        "or correct cluster.manager_namespace",
    )


def _role_request(namespace: str) -> str:
    return f"ask for a Role in {namespace}: get services/{NAME}; get, list, watch pods; create pods/portforward (docs/access.md)"


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
