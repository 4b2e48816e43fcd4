"""What an intercept will be: read and checked before anything changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tasks.checks import argo, guard, preflight, workload
from tasks.checks.workload import Place, Port
from tasks.core import ports
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.process.running import cancel_on_failure
from tasks.core.state import journal, store
from tasks.flows import session
from tasks.flows.intercept import environment
from tasks.tools import kubectl, telepresence
from tasks.tools.telepresence import Wanted


@dataclass(frozen=True)
class Request:
    """What the person asked for. command: the words after `--`, empty for the catalogue's dev command. overwrite: an
    env_file that is there already."""

    service: Service
    port: str = ""
    replace: bool = False
    personal: bool = False
    everyone: bool = False
    run: bool = True
    mount: bool = False
    env_file: str = ""
    overwrite: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What will be done. argv and folder: of the local process, empty with --no-run."""

    request: Request
    place: Place
    port: Port
    wanted: Wanted
    argv: tuple[str, ...]
    folder: Path
    personal_why: str = ""
    alone: str = ""  # how to have one's own requests only, where it is all traffic and could be otherwise

    @property
    def mode(self) -> str:
        """personal, or all."""
        return "personal" if self.wanted.headers else "all"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that a request needs to arrive here."""
        return dict(self.wanted.headers)


def local_part(s: Settings, request: Request) -> tuple[int, str, tuple[str, ...], Path]:
    """What can be checked without the cluster: ports, command and folder. Raises Trouble before anything is asked."""
    service = request.service
    if service.kind == "worker" or not service.ports:
        raise Trouble(
            f"{service.name} is a worker: it has no port to intercept",
            fix=f"deploy your build of it beside the baseline: inv tilt.up --only {service.release}",
        )
    local, remote = ports.pair(request.port) if request.port else (service.ports[0].port, "")
    if request.personal and request.everyone:
        raise Trouble("--personal and --everyone exclude each other", fix="name one of them")
    if not request.run and request.command:
        raise Trouble("--no-run and a command after -- exclude each other", fix="leave one of them away")
    if request.personal and not s.telepresence.slot:
        raise Trouble(
            "--personal needs a slot",
            fix="REMOTE_DEV_TELEPRESENCE__SLOT=yourname, or telepresence.slot in config/settings.local.yaml",
        )
    if request.env_file:
        later = ", and removed when the intercept is left"
        environment.may_write(Path(request.env_file).absolute(), overwrite=request.overwrite, later=later)
    folder = s.core / (service.dev.folder or service.folder)
    argv = request.command or tuple(service.dev.command)
    if not request.run:
        return local, remote, (), folder
    if request.command:
        folder = folder if folder.is_dir() else Path.cwd()
    elif not folder.is_dir():
        raise Trouble(
            f"{folder} is not there",
            fix=f"name a command: inv intercept {service.name} -- COMMAND; or point repositories.core in config/settings.local.yaml to the core repository",
        )
    taken = ports.owner(local)
    if taken is not None:
        other = f"{ports.free()}{':' + remote if remote else ''}"
        raise Trouble(f"the local port {local} is in use by {taken}", fix=f"end it, or take another: --port {other}")
    _must_be_there(argv[0], folder, service)
    return local, remote, argv, folder


def _must_be_there(program: str, folder: Path, service: Service) -> None:
    """The command can be started: a typing error must not cost a pod."""
    place = str(folder / program) if os.sep in program else program
    if shutil.which(place, path=service.dev.env.get("PATH")) is None:
        text = "is there, but may not be executed" if os.path.isfile(place) else "is not there"
        raise Trouble(
            f"the command {program or repr(program)} {text}",
            fix=f"install it, or name another after --: inv intercept {service.name} -- COMMAND",
        )


def make(
    s: Settings,
    request: Request,
    say: Callable[[str], None],
    token: Callable[[], str] | None = None,
    *,
    dry: bool = False,
) -> Plan:
    """Guard and pre-flight, in parallel where they only read. Raises Refused, Trouble or ToolError; nothing is changed.

    token: asks for the login's life and returns a line about it; it raises when the login has run out. Telepresence
    itself stays `Connected` then, and a new intercept ends after half a minute without naming the cause.
    """
    guard.names(s)
    local, remote, argv, folder = local_part(s, request)
    session.prepare(s, dry=dry)
    with ThreadPoolExecutor(max_workers=5) as pool, cancel_on_failure():
        target = pool.submit(guard.assess, s)
        found = pool.submit(workload.find, s, request.service)
        policy = pool.submit(_policy, s)
        cd = pool.submit(argo.read, s)
        life = pool.submit(token) if token else None
        store.load_locks()
        if life is not None and (line := life.result()):
            say(line)
        target.result()
        place = found.result()
    port = (
        workload.choose(place, remote or catalogue_port(request.service, place))
        if place.service and place.ports
        else None
    )
    if port is not None and remote and remote not in port.called | {str(port.container)}:
        say(
            f"the Service {place.service_name} has no port {remote}; its only one is intercepted: {port.identifier} ({port.number})"
        )
    preflight.must_pass(place, port, policy.result(), say)
    for finding in argo.findings(s, place, cd.result()):
        if finding.state in {"warn", "missing"} and finding.subject != "injection":  # injection is the pre-flight's own
            say(f"Argo CD: {finding.text}" + (f"; {finding.fix}" if finding.fix else ""))
    assert port is not None  # must_pass has refused a Service without ports
    own = next(
        (e for e in journal.entries("intercept") if e.data.get("workload") == place.name and e.owner_lives), None
    )
    if own is not None:
        raise preflight.held_by_own(place.name, own.pid)
    only_all = _only_all(s, request, port)
    headers, why = _mode(s, request, only_all)
    slot = f"-{s.telepresence.slot}" if s.telepresence.slot else ""
    service_name = place.service_name if place.service_name != place.name else ""
    # `replace` takes no name of one's own: it is called WORKLOAD/CONTAINER, and left by the workload's name.
    name = place.name if request.replace and telepresence.can_replace(s) else f"{place.name}{slot}"
    wanted = Wanted(name, place.name, local, port.identifier, service_name, headers, request.mount)
    slotless = "set telepresence.slot in config/settings.local.yaml"
    alone = f"inv intercept {request.service.name} --personal" if s.telepresence.slot else slotless
    return Plan(request, place, port, wanted, argv, folder, why, "" if headers or only_all else alone)


def _mode(s: Settings, request: Request, only_all: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The headers of a personal intercept, or none and why."""
    slot = s.telepresence.slot
    if request.everyone or not slot:
        return (), only_all or ("" if slot else "no telepresence.slot is set")
    if not only_all:
        return ((s.telepresence.header, slot),), ""
    if request.personal:
        raise Refused(
            f"no personal intercept of {request.service.name}: {only_all}",
            fix=f"inv intercept {request.service.name} --everyone takes all traffic",
        )
    return (), only_all


def _only_all(s: Settings, request: Request, port: Port) -> str:
    """Why it can only be all traffic; empty when a header could tell whose a request is."""
    if request.replace:
        return "the pod's own container is stopped"
    known = [p.protocol for p in request.service.ports if p.name == port.name or p.port == port.container]
    if known[:1] == ["tcp"]:
        return f"the port {port.identifier} speaks no HTTP"
    return "" if telepresence.can_filter(s) else "this Telepresence cannot filter by header"


def catalogue_port(service: Service, place: Place) -> str:
    """The catalogue's first port as the Service calls it; empty when the Service has one port, or none like it."""
    first = service.ports[0]
    known = {p.name for p in place.ports} | {str(p.number) for p in place.ports}
    if len(place.ports) == 1:
        return ""
    return next((word for word in (first.name, str(first.port)) if word in known), "")


def _policy(s: Settings) -> str:
    """The manager's inject policy; empty when it may not be read, which is no reason to stop."""
    try:  # its pods, not its Deployment: pods in the manager's namespace are what developers may read
        pods = kubectl.get(s, "pods", namespace=s.cluster.manager_namespace, selector="app=traffic-manager")
    except ToolError:
        return ""
    containers = [c for pod in pods for c in (pod.get("spec") or {}).get("containers") or []]
    for container in containers:
        for variable in container.get("env") or []:
            if variable.get("name") == "AGENT_INJECT_POLICY":
                return str(variable.get("value", ""))
    return ""
