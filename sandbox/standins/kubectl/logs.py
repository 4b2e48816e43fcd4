"""kubectl logs: what the program of one pod has printed. The words of the errors are those of kubectl 1.32.4."""

from __future__ import annotations

import time

from sandbox.protocol.call import Answer
from sandbox.standins.kubectl.kinds import kind_named
from sandbox.standins.kubectl.rights import allowed, forbidden
from sandbox.standins.kubectl.run import Refused, Run
from sandbox.standins.kubectl.workloads import workloads

_USAGE = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command"
_CRASH = ("starting", "Error: the variable DATABASE_URL is not set", "    at main (/app/server.js:12:9)")
_RUNNING = ("starting", "listening")


def logs(run: Run) -> Answer:
    """Print the last lines of a pod. A container that waits for its restart still has those of its last run."""
    if len(run.words) != 2:
        raise Refused(f"error: {_USAGE}\nSee 'kubectl logs -h' for help and examples\n")
    name = run.words[1].removeprefix("pod/")
    session, namespace = run.session()
    kind = kind_named("pods")
    assert kind is not None
    if not allowed(run.world, session, "get", kind, namespace, name, "log"):
        return Answer(1, stderr=forbidden(session, "get", kind, namespace, name))
    now = time.monotonic()
    for workload in workloads(run.world, session.cluster):
        for pod in workload.pods:
            if workload.namespace == namespace and pod.name == name and pod.exists(now):
                lines = _CRASH if pod.crashes else _RUNNING
                tail = int(run.value("tail") or len(lines))
                return Answer(stdout="".join(f"{line}\n" for line in lines[max(0, len(lines) - tail) :]))
    return Answer(
        1, stderr=f'error: error from server (NotFound): pods "{name}" not found in namespace "{namespace}"\n'
    )
