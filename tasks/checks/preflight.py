"""Can this workload be intercepted? Everything that would go wrong, found before anything changes, with what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.checks.workload import Place, Port, annotation
from tasks.core.errors import REFUSED, Refused, Trouble

OPERATORS = {"Deployment", "ReplicaSet", "StatefulSet", "Rollout"}  # kinds that own workloads without reverting them


@dataclass(frozen=True)
class Obstacle:
    """refuses: the intercept is not made; otherwise it is only said. code: the exit code of the refusal."""

    text: str
    fix: str
    why: str = ""
    refuses: bool = True
    code: int = REFUSED

    def raised(self) -> Trouble:
        """The obstacle as the error that stops the intercept."""
        return Trouble(self.text, why=self.why, fix=self.fix, code=self.code)


def obstacles(found: Place, port: Port | None, policy: str = "") -> Iterator[Obstacle]:
    """All obstacles, refusals and warnings. policy: the manager's inject policy, empty when it could not be read."""
    for question in (_no_service, _headless, _forbidden, _operator, _no_pods):
        yield from question(found)
    yield from _policy(found, policy)
    if port is not None:
        yield from _target_port(found, port)
    yield from _no_agent(found)


def must_pass(found: Place, port: Port | None, policy: str, say: Callable[[str], None]) -> None:
    """Raise the first refusal; say the warnings."""
    all_of_them = list(obstacles(found, port, policy))
    for obstacle in all_of_them:
        if obstacle.refuses:
            raise obstacle.raised()
    for obstacle in all_of_them:
        say(f"{obstacle.text}; {obstacle.why + '; ' if obstacle.why else ''}{obstacle.fix}")


def patch(found: Place, key: str, value: str) -> str:
    """The command that shows what to change in the gitops repository, as a patch of the live object."""
    body = f'{{"spec":{{"template":{{"metadata":{{"annotations":{{"{key}":"{value}"}}}}}}}}}}'
    return f"in gitops set spec.template.metadata.annotations: {key}: {value} (kubectl patch {found.kind.lower()} {found.name} --type merge --dry-run=server -p '{body}' shows it)"


def _no_service(found: Place) -> Iterator[Obstacle]:
    if found.service is None:
        yield Obstacle(
            f"no Service selects the pods of {found.name}",
            why="there is no port to intercept",
            fix=f"add a Service for {found.name} in gitops; to run it with the pod's environment alone use inv tilt.up --only {found.name}",
        )
    elif not found.ports:
        yield Obstacle(
            f"the Service {found.service_name} has no ports",
            fix=f"add a port to the Service {found.service_name} in gitops",
        )


def _headless(found: Place) -> Iterator[Obstacle]:
    if found.headless:
        yield Obstacle(
            f"the Service {found.service_name} is headless (clusterIP: None)",
            why="clients dial the pods themselves: an intercept goes ACTIVE and never receives a request",
            fix=f"add a second Service with a cluster IP for {found.name} in gitops and intercept through that",
        )


def _forbidden(found: Place) -> Iterator[Obstacle]:
    value = annotation(found.template, "inject-traffic-agent").lower()
    if value in {"disabled", "false"}:
        yield Obstacle(
            f"{found.name} forbids the Traffic Agent (inject-traffic-agent: {value})",
            fix=patch(found, "telepresence.io/inject-traffic-agent", "enabled"),
        )


def _policy(found: Place, policy: str) -> Iterator[Obstacle]:
    opted_in = annotation(found.template, "inject-traffic-agent").lower() in {"enabled", "true"}
    if policy == "WhenEnabled" and not opted_in and not found.agent:
        yield Obstacle(
            f"{found.name} has not opted in to the Traffic Agent",
            why="the traffic manager's injectPolicy is WhenEnabled",
            fix=patch(found, "telepresence.io/inject-traffic-agent", "enabled"),
        )


def _operator(found: Place) -> Iterator[Obstacle]:
    owners = (found.workload.get("metadata") or {}).get("ownerReferences") or []
    owner = next((o for o in owners if o.get("controller") and o.get("kind") not in OPERATORS), None)
    if owner and not found.agent:
        yield Obstacle(
            f"{found.name} belongs to an operator ({owner.get('kind')} {owner.get('name')})",
            why="the operator puts its own pods back, without the Traffic Agent",
            fix=f"set the annotation telepresence.io/inject-traffic-agent: enabled in the pod template of {owner.get('kind')} {owner.get('name')} in gitops",
        )


def _no_pods(found: Place) -> Iterator[Obstacle]:
    if found.replicas == 0:
        yield Obstacle(
            f"{found.name} is scaled to 0 replicas",
            why="without a pod there is no Traffic Agent",
            fix=f"set replicas to 1 in gitops (kubectl scale {found.kind.lower()} {found.name} --replicas=1 does it until the next sync)",
        )
    elif not found.pods:
        yield Obstacle(
            f"{found.name} has no running pod",
            fix=f"kubectl describe {found.kind.lower()} {found.name} tells why",
        )


def _target_port(found: Place, port: Port) -> Iterator[Obstacle]:
    if isinstance(port.target, str):
        return
    what = f"targetPort {port.target} is a number" if port.target is not None else "targetPort is missing"
    name = port.name or "http"
    yield Obstacle(
        f"{what} in the Service {found.service_name}, port {port.identifier}",
        why="the agent then redirects by iptables in an init container, and probes of the pod can fail meanwhile",
        fix=f"name the port in gitops: containers[].ports: {{name: {name}, containerPort: {port.container}}}, and in the Service targetPort: {name}",
        refuses=False,
    )


def _no_agent(found: Place) -> Iterator[Obstacle]:
    if found.agent or not found.pods:
        return
    down = (
        "and with one replica every colleague sees the service down for some seconds"
        if found.replicas == 1
        else "one after the other"
    )
    yield Obstacle(
        f"{found.name} has no Traffic Agent yet: its pod is replaced now, {down}",
        fix="to avoid that for good set the annotation telepresence.io/inject-traffic-agent: enabled in its pod template in gitops",
        refuses=False,
    )


def held_by_own(workload: str, pid: int) -> Refused:
    """Another run of this workstation has it."""
    return Refused(
        f"you intercept {workload} already (pid {pid})", fix=f"end that run (Ctrl-C there), or inv leave {workload}"
    )
