"""The plan of an intercept: everything is read and checked before anything changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from tasks.checks import argo, finding, guard, preflight, workload
from tasks.checks.argo import Argo
from tasks.checks.workload import ClusterService, Port
from tasks.core import http, ui
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError
from tasks.core.process.running import cancel_on_failure
from tasks.core.repository import LOCAL_SETTINGS
from tasks.core.state import journal, store
from tasks.flows import session
from tasks.flows.intercept import login
from tasks.flows.intercept.request import LocalSide, Request, check_local
from tasks.flows.session.connect import Look
from tasks.tools import kubectl, telepresence
from tasks.tools.telepresence import Wanted


class Mode(StrEnum):
    """Whose requests arrive at the local process."""

    PERSONAL = "personal"  # those with the slot's header
    ALL = "all"


@dataclass(frozen=True)
class Plan:
    """What will be done."""

    request: Request

    cluster_service: ClusterService
    """The service as it is in the cluster."""

    port: Port
    wanted: Wanted
    local: LocalSide

    session: Look
    """The session, as it was when the cluster was read."""

    all_why: str = ""
    """Why it is all traffic although nobody asked for that; empty when there is nothing to explain."""

    personal_hint: str = ""
    """How to get only one's own requests; empty when it is so already, or not possible."""

    @property
    def mode(self) -> Mode:
        """Whose requests arrive here."""
        return Mode.PERSONAL if self.wanted.headers else Mode.ALL

    @property
    def headers(self) -> dict[str, str]:
        """The headers that a request needs to arrive here."""
        return dict(self.wanted.headers)


@dataclass(frozen=True)
class _Read:
    """What was read of the cluster."""

    cluster_service: ClusterService
    inject_policy: str
    argo: Argo
    session: Look


def describe_traffic(headers: Mapping[str, str]) -> str:
    """Return the headers as a person reads them, or `all traffic`."""
    return ", ".join(f"{name}: {value}" for name, value in headers.items()) or "all traffic"


def make(s: Settings, request: Request, *, dry: bool = False) -> Plan:
    """Guard and check. Raises Refused, Trouble or ToolError; changes nothing but the session's kubeconfig.

    dry: do not write that either.
    """
    guard.check_names(s)
    local = check_local(s, request)
    session.prepare(s, dry=dry)
    notes: list[str] = []
    read = _read_cluster(s, request.service, notes)
    port = _port(read.cluster_service, request.service, local, notes)
    preflight.must_pass(read.cluster_service, port, read.inject_policy, notes.append)
    notes += _argo_notes(s, read)
    assert port is not None  # must_pass has refused a Service without ports
    _must_not_be_held_here(read.cluster_service)
    plan = _plan(s, request, read, port, local)
    _say_whose_traffic(plan)
    for line in notes:
        ui.talk(f"   {line}")
    return plan


def catalogue_port(service: Service, cluster_service: ClusterService) -> str:
    """Return the catalogue's first port as the Service calls it.

    Empty when the Service has one port, or none of that name or number.
    """
    if len(cluster_service.ports) == 1:
        return ""
    names = {p.name for p in cluster_service.ports} | {str(p.number) for p in cluster_service.ports}
    first = service.ports[0]
    return next((word for word in (first.name, str(first.port)) if word in names), "")


def _say_whose_traffic(plan: Plan) -> None:
    """Say first when everybody's requests will come here: colleagues notice that at once."""
    if plan.mode is Mode.PERSONAL:
        return
    text = f"everybody's traffic to {plan.request.service.name} comes to this workstation"
    if plan.all_why:
        ui.warn(f"{text}: {plan.all_why}")
    else:
        ui.talk(f"   {text}, as wanted")


def _read_cluster(s: Settings, service: Service, notes: list[str]) -> _Read:
    """Read everything at the same time. Raises the login's failure first, then the guard's, then the others.

    The login comes before all that needs its token: each program without one would ask az itself, and hold up the
    answer that the login has ended. The session too is looked at after it: az may take long, and another terminal may
    end the session meanwhile.
    """
    with ThreadPoolExecutor(max_workers=4) as pool, cancel_on_failure():
        if line := login.validity(s):
            notes.append(line)
        now = pool.submit(session.look, s)
        guarded = pool.submit(guard.assess, s)
        cluster_service = pool.submit(workload.find, s, service)
        argo_cd = pool.submit(argo.read, s)
        _load_what_comes_later()
        guarded.result()
        found = cluster_service.result()
        policy = _inject_policy(s) if preflight.depends_on_policy(found) else ""
        return _Read(found, policy, argo_cd.result(), now.result())


def _load_what_comes_later() -> None:
    """Import what an intercept needs after its plan, while other programs work."""
    store.load_locks()
    http.load()


def _port(cluster_service: ClusterService, service: Service, local: LocalSide, notes: list[str]) -> Port | None:
    """Choose the Service's port; None for a Service without ports, which the pre-flight refuses."""
    if not cluster_service.service or not cluster_service.ports:
        return None
    port = workload.choose(cluster_service, local.remote or catalogue_port(service, cluster_service))
    if local.remote and local.remote not in port.aliases | {str(port.container)}:
        notes.append(
            f"the Service {cluster_service.service_name} has no port {local.remote}; its only one is intercepted: {port.identifier} ({port.number})"
        )
    return port


def _argo_notes(s: Settings, read: _Read) -> Iterator[str]:
    """Yield what Argo CD would do to the intercept. Injection is the pre-flight's own subject."""
    for found in argo.findings(s, read.cluster_service, read.argo):
        if found.verdict in {finding.Verdict.WARN, finding.Verdict.MISSING} and found.subject != "injection":
            yield f"Argo CD: {found.text}" + (f"; {found.fix}" if found.fix else "")


def _must_not_be_held_here(cluster_service: ClusterService) -> None:
    for entry in journal.entries("intercept"):
        if entry.data.get("workload") == cluster_service.name and entry.owner_lives:
            raise preflight.held_by_own(cluster_service.name, entry.pid)


def _plan(s: Settings, request: Request, read: _Read, port: Port, local: LocalSide) -> Plan:
    cannot_filter = _why_not_personal(s, request, port)
    headers, all_why = _headers(s, request, cannot_filter)
    workload_name, service_name = read.cluster_service.name, read.cluster_service.service_name
    wanted = Wanted(
        name=_name(s, request, workload_name),
        workload=workload_name,
        local_port=local.port,
        remote_port=port.identifier,
        service=service_name if service_name != workload_name else "",
        headers=headers,
        mount=request.mount,
    )
    hint = "" if headers or cannot_filter else _personal_hint(s, request.service)
    return Plan(request, read.cluster_service, port, wanted, local, read.session, all_why, hint)


def _name(s: Settings, request: Request, workload_name: str) -> str:
    """Return the intercept's name: the workload's, with the slot where there is one.

    `telepresence replace` takes no name: it calls the result WORKLOAD/CONTAINER, and leaves it by the workload's name.
    """
    replaces = request.replace and telepresence.can_replace(s)
    slot = s.telepresence.slot
    return f"{workload_name}-{slot}" if slot and not replaces else workload_name


def _personal_hint(s: Settings, service: Service) -> str:
    if s.telepresence.slot:
        return f"inv intercept {service.name} --personal"
    return f"set telepresence.slot in {LOCAL_SETTINGS}"


def _headers(s: Settings, request: Request, cannot_filter: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return the headers of a personal intercept; or no headers, and why it is all traffic."""
    slot = s.telepresence.slot
    if request.everyone or not slot:
        return (), cannot_filter or ("" if slot else "no telepresence.slot is set")
    if not cannot_filter:
        return ((s.telepresence.header, slot),), ""
    if request.personal:
        raise Refused(
            f"no personal intercept of {request.service.name}: {cannot_filter}",
            fix=f"inv intercept {request.service.name} --everyone takes all traffic",
        )
    return (), cannot_filter


def _why_not_personal(s: Settings, request: Request, port: Port) -> str:
    """Return why requests cannot be told apart by a header; empty when they can."""
    if request.replace:
        return "the pod's own container is stopped"
    protocols = [p.protocol for p in request.service.ports if p.name == port.name or p.port == port.container]
    if protocols[:1] == ["tcp"]:
        return f"the port {port.identifier} does not speak HTTP"
    return "" if telepresence.can_filter(s) else "this Telepresence cannot filter by header"


def _inject_policy(s: Settings) -> str:
    """Return the traffic manager's inject policy; empty when it may not be read, which stops nothing.

    Read from its pods, not from its Deployment: pods in the manager's namespace are what developers may read.
    """
    try:
        pods = kubectl.get(s, "pods", namespace=s.cluster.manager_namespace, selector="app=traffic-manager")
    except ToolError:
        return ""
    containers = [c for pod in pods for c in (pod.get("spec") or {}).get("containers") or []]
    variables = [variable for container in containers for variable in container.get("env") or []]
    return next((str(v.get("value", "")) for v in variables if v.get("name") == "AGENT_INJECT_POLICY"), "")
