"""Tilt's own kubeconfig: a copy of one context, for all commands that Tilt starts."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.protocol.call import Call
from sandbox.standins import kubeconfig


def frozen(wanted: str, port: int, env: dict[str, str]) -> tuple[str, str, Path | None]:
    """Write Tilt's kubeconfig. Returns the context, its namespace and the path; the context is "" if it does not exist."""
    call = Call("tilt", (), env, os.getcwd(), os.getpid())
    try:
        merged = kubeconfig.load(call)
    except kubeconfig.Broken:
        return "", "", None
    name = wanted or merged.current
    if name not in merged.contexts or not merged.server(name):
        return "", "", None
    context = dict(merged.contexts[name])
    runtime = env.get("XDG_RUNTIME_DIR") or os.path.join(env.get("HOME", "/"), ".local/state")
    instance = "tilt-default" if port == 10350 else f"tilt-{port}"
    path = Path(runtime, "tilt-dev", instance, "cluster", "default.yml")
    path.parent.mkdir(parents=True, exist_ok=True)
    cluster = str(context.get("cluster"))
    user = str(context.get("user"))
    kubeconfig.write(
        str(path),
        {
            "clusters": [{"name": cluster, "cluster": merged.clusters.get(cluster) or {}}],
            "contexts": [{"name": name, "context": context}],
            "users": [{"name": user, "user": merged.users.get(user) or {}}],
            "current-context": name,
        },
    )
    return name, str(context.get("namespace") or ""), path
