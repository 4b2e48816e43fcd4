"""Whether a workload can be intercepted: every known obstacle with its fix, before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.checks.workload import ClusterService, Port, annotation
from tasks.core.errors import REFUSED, Problem, Refused, Trouble

OPERATORS = {"Deployment", "ReplicaSet", "StatefulSet", "Rollout"}  # owners that do not revert their workloads


@dataclass(frozen=True)
class Obstacle:
    """A problem that prevents the intercept, or one to warn about."""

    problem: Problem

    refuses: bool = True
    """False for a warning."""


def refusal(what: str, *, fix: str, why: str = "") -> Obstacle:
    """Return an obstacle that prevents the intercept."""
    return Obstacle(Problem(what, why=why, fix=fix, code=REFUSED))


def warning(what: str, *, fix: str, why: str = "") -> Obstacle:
    """Return an obstacle to warn about."""
    return Obstacle(Problem(what, why=why, fix=fix), refuses=False)


def obstacles(service: ClusterService, port: Port | None, policy: str = "") -> Iterator[Obstacle]:
    """Yield all obstacles. policy: the traffic manager's inject policy, empty when it is not known."""
    for question in (_no_service, _headless, _forbidden, _operator, _no_pods):
        yield from question(service)
    yield from _policy(service, policy)
    if port is not None:
        yield from _target_port(service, port)
    yield from _no_agent(service)


def must_pass(service: ClusterService, port: Port | None, policy: str, say: Callable[[str], None]) -> None:
    """Raise the first refusal, or pass each warning to `say`."""
    present = list(obstacles(service, port, policy))
    for obstacle in present:
        if obstacle.refuses:
            raise Trouble.of(obstacle.problem)
    for obstacle in present:
        problem = obstacle.problem
        say("; ".join(text for text in (problem.what, problem.why, problem.fix) if text))


def depends_on_policy(service: ClusterService) -> bool:
    """Does the traffic manager's inject policy decide about this workload? Not when it has an agent, or asks for one."""
    opted_in = annotation(service.template, "inject-traffic-agent").lower() in {"enabled", "true"}
    return not opted_in and not service.has_agent


def patch(service: ClusterService, key: str, value: str) -> str:
    """Return the annotation to set in the gitops repository, with a command that shows its effect."""
    body = f'{{"spec":{{"template":{{"metadata":{{"annotations":{{"{key}":"{value}"}}}}}}}}}}'
    return f"in gitops set spec.template.metadata.annotations: {key}: {value} (kubectl patch {service.kind.lower()} {service.name} --type merge --dry-run=server -p '{body}' shows it)"


def _no_service(service: ClusterService) -> Iterator[Obstacle]:
    if service.service is None:
        yield refusal(
            f"no Service selects the pods of {service.name}",
            why="there is no port to intercept",
            fix=f"add a Service for {service.name} in gitops; or inv tilt.up --only {service.name} builds it and deploys your copy into the cluster",
        )
    elif not service.ports:
        yield refusal(
            f"the Service {service.service_name} has no ports",
            fix=f"add a port to the Service {service.service_name} in gitops",
        )


def _headless(service: ClusterService) -> Iterator[Obstacle]:
    if service.headless:
        yield refusal(
            f"the Service {service.service_name} is headless (clusterIP: None)",
            why="clients connect to the pods directly: an intercept becomes ACTIVE and never receives a request",
            fix=f"add a second Service with a cluster IP for {service.name} in gitops and intercept through that",
        )


def _forbidden(service: ClusterService) -> Iterator[Obstacle]:
    value = annotation(service.template, "inject-traffic-agent").lower()
    if value in {"disabled", "false"}:
        yield refusal(
            f"{service.name} forbids the Traffic Agent (inject-traffic-agent: {value})",
            fix=patch(service, "telepresence.io/inject-traffic-agent", "enabled"),
        )


def _policy(service: ClusterService, policy: str) -> Iterator[Obstacle]:
    if policy == "WhenEnabled" and depends_on_policy(service):
        yield refusal(
            f"{service.name} has not opted in to the Traffic Agent",
            why="the traffic manager's injectPolicy is WhenEnabled",
            fix=patch(service, "telepresence.io/inject-traffic-agent", "enabled"),
        )


def _operator(service: ClusterService) -> Iterator[Obstacle]:
    owners = (service.workload.get("metadata") or {}).get("ownerReferences") or []
    owner = next((o for o in owners if o.get("controller") and o.get("kind") not in OPERATORS), None)
    if owner and not service.has_agent:
        yield refusal(
            f"{service.name} belongs to an operator ({owner.get('kind')} {owner.get('name')})",
            why="the operator restores its own pods, without the Traffic Agent",
            fix=f"set the annotation telepresence.io/inject-traffic-agent: enabled in the pod template of {owner.get('kind')} {owner.get('name')} in gitops",
        )


def _no_pods(service: ClusterService) -> Iterator[Obstacle]:
    if service.replicas == 0:
        yield refusal(
            f"{service.name} is scaled to 0 replicas",
            why="without a pod there is no Traffic Agent",
            fix=f"set replicas to 1 in gitops (kubectl scale {service.kind.lower()} {service.name} --replicas=1 does it until the next sync)",
        )
    elif not service.pods:
        yield refusal(
            f"{service.name} has no running pod",
            fix=f"kubectl describe {service.kind.lower()} {service.name} shows why",
        )


def _target_port(service: ClusterService, port: Port) -> Iterator[Obstacle]:
    if isinstance(port.target, str):
        return
    what = f"targetPort {port.target} is a number" if port.target is not None else "targetPort is missing"
    name = port.name or "http"
    yield warning(
        f"{what} in the Service {service.service_name}, port {port.identifier}",
        why="the agent then redirects by iptables in an init container, and probes of the pod can fail meanwhile",
        fix=f"name the port in gitops: containers[].ports: {{name: {name}, containerPort: {port.container}}}, and in the Service targetPort: {name}",
    )


def _no_agent(service: ClusterService) -> Iterator[Obstacle]:
    if service.has_agent or not service.pods:
        return
    effect = (
        "and with one replica every colleague sees the service down for some seconds"
        if service.replicas == 1
        else "one after the other"
    )
    yield warning(
        f"{service.name} has no Traffic Agent yet: its pod is replaced now, {effect}",
        fix="to avoid that for good set the annotation telepresence.io/inject-traffic-agent: enabled in its pod template in gitops",
    )


def held_by_own(workload: str, pid: int) -> Refused:
    """Return the refusal for an intercept that another run on this workstation holds."""
    return Refused(
        f"you intercept {workload} already (pid {pid})", fix=f"end that run (Ctrl-C there), or inv leave {workload}"
    )
