"""The stand-in for kubectl 1.34: kubeconfig files, the cluster's objects, a few writes, authorization."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.protocol.call import Answer, Call
from sandbox.standins.kubectl import write
from sandbox.standins.kubectl.auth import auth
from sandbox.standins.kubectl.config import config
from sandbox.standins.kubectl.get import get
from sandbox.standins.kubectl.kuberc import policy
from sandbox.standins.kubectl.logs import logs
from sandbox.standins.kubectl.print import BadOutput
from sandbox.standins.kubectl.run import Refused, Run, parse
from sandbox.standins.kubectl.version import version
from sandbox.world.state import World

_HELP = """kubectl controls the Kubernetes cluster manager.

 Find more information at: https://kubernetes.io/docs/reference/kubectl/

Usage:
  kubectl [flags] [options]
"""


def handle(call: Call, world: World) -> Answer:
    """Answer one call of kubectl."""
    try:
        run = parse(call, world)
        run.refusal = policy(call, world).refusal
        verb = run.words[0] if run.words else ""
        if run.on("help") or not verb:
            return Answer(0, _HELP)
        if verb not in _VERBS:
            raise Refused(f'Error: unknown command "{verb}" for "kubectl"\n')
        return _VERBS[verb](run)
    except Refused as why:
        return Answer(1, stderr=str(why))
    except BadOutput as why:
        return Answer(1, stderr=f"error: {why}\n")


_VERBS: dict[str, Callable[[Run], Answer]] = {
    "get": get,
    "logs": logs,
    "version": version,
    "auth": auth,
    "config": config,
    "apply": write.apply,
    "create": write.create,
    "delete": write.delete,
    "scale": write.scale,
}
