"""kubectl version."""

from __future__ import annotations

import json
from typing import Any

from sandbox.protocol.call import Answer
from sandbox.standins.api_server import Session
from sandbox.standins.kubectl.run import Refused, Run

CLIENT = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.4",
    "gitCommit": "sandbox",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}


def server(session: Session) -> dict[str, str]:
    """The API server's version."""
    return {**CLIENT, "gitVersion": session.cluster.kubernetes, "gitCommit": "aks"}


def version(run: Run) -> Answer:
    """Print the client's version, and the server's if it answers."""
    data: dict[str, Any] = {"clientVersion": CLIENT, "kustomizeVersion": "v5.7.1"}
    error = ""
    if not run.on("client"):
        try:
            session, _ = run.session()
            data["serverVersion"] = server(session)
        except Refused as why:
            error = str(why)
    if run.value("output") == "json":
        text = json.dumps(data, indent=2) + "\n"
    elif run.value("output") in ("", "yaml"):
        text = f"Client Version: {CLIENT['gitVersion']}\nKustomize Version: v5.7.1\n"
        text += f"Server Version: {data['serverVersion']['gitVersion']}\n" if "serverVersion" in data else ""
    else:
        return Answer(1, stderr="error: --output must be 'yaml' or 'json'\n")
    return Answer(1 if error else 0, text, error)
