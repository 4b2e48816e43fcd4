"""What the user asked for, and everything about it that can be checked without the cluster."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tasks.core import ports
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.process import processes
from tasks.core.repository import LOCAL_SETTINGS
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.flows.intercept import environment
from tasks.tools import base


@dataclass(frozen=True)
class Request:
    """The command line of `inv intercept`."""

    service: Service

    port: str = ""
    """LOCAL or LOCAL:REMOTE; empty for the catalogue's port."""

    replace: bool = False
    personal: bool = False
    everyone: bool = False

    run: bool = True
    """False with --no-run: intercept only."""

    mount: bool = False

    env_file: str = ""
    """Where to write the pod's environment too; empty for nowhere."""

    overwrite: bool = False
    """Overwrite an existing env_file."""

    command: tuple[str, ...] = ()
    """The words after `--`; empty for the catalogue's dev command."""


@dataclass(frozen=True)
class LocalSide:
    """The half of an intercept that is on this machine."""

    port: int

    remote: str
    """The Service's port as the user named it; empty when the user did not."""

    argv: tuple[str, ...]
    """The process to run; empty with --no-run."""

    folder: Path
    """The folder to run it in."""


def check_local(s: Settings, request: Request) -> LocalSide:
    """Check flags, ports, env file and command. Raises Trouble before anything is asked of the cluster."""
    service = request.service
    if service.kind == "worker" or not service.ports:
        raise Trouble(
            f"{service.name} is a worker: it has no port to intercept",
            fix=f"inv tilt.up --only {service.name} builds it and deploys your copy into the cluster, beside the baseline",
        )
    local, remote = ports.pair(request.port) if request.port else (service.ports[0].port, "")
    _flags_must_agree(s, request)
    base.must_be_installed(s, "kubectl", "telepresence")
    if request.env_file:
        path = Path(request.env_file).absolute()
        environment.must_be_writable(path, overwrite=request.overwrite, removed_on_leave=True)
    if not request.run:
        return LocalSide(local, remote, (), _source_folder(s, service))
    folder = _working_folder(s, request)
    _port_must_be_free(local, remote, service)
    argv = request.command or tuple(service.dev.command)
    _program_must_exist(argv[0], folder, service)
    return LocalSide(local, remote, argv, folder)


def _flags_must_agree(s: Settings, request: Request) -> None:
    if request.personal and request.everyone:
        raise Trouble("--personal and --everyone exclude each other", fix="give only one of them")
    if not request.run and request.command:
        raise Trouble("--no-run and a command after -- exclude each other", fix="give only one of them")
    if request.personal and not s.telepresence.slot:
        raise Trouble(
            "--personal needs a slot",
            fix=f"REMOTE_DEV_TELEPRESENCE__SLOT=yourname, or telepresence.slot in {LOCAL_SETTINGS}",
        )


def _source_folder(s: Settings, service: Service) -> Path:
    return s.core / (service.dev.folder or service.folder)


def _working_folder(s: Settings, request: Request) -> Path:
    """Return the service's folder. A command of the user's own may also run where the user is."""
    folder = _source_folder(s, request.service)
    if folder.is_dir():
        return folder
    if request.command:
        return Path.cwd()
    raise Trouble(
        f"the folder {folder} does not exist",
        fix=f"give a command: inv intercept {request.service.name} -- COMMAND; or point repositories.core in {LOCAL_SETTINGS} to the core repository",
    )


def port_must_be_free(local: int, remote: str = "") -> None:
    """Raise Trouble when a process listens on the local port."""
    owner = ports.owner(local)
    if owner is not None:
        other = f"{ports.free()}{':' + remote if remote else ''}"
        raise Trouble(f"the local port {local} is in use by {owner}", fix=f"end it, or use another: --port {other}")


def _port_must_be_free(local: int, remote: str, service: Service) -> None:
    """The same, but for the process of a killed run that intercepted this service: it is ended with its intercept."""
    owner = ports.owner(local)
    orphan = _orphan_with(owner.pid) if owner else None
    if orphan is None:
        port_must_be_free(local, remote)
    elif orphan.data.get("service") != service.name:
        raise Trouble(
            f"the local port {local} is in use by {owner}, left behind by a killed run of {orphan.data.get('service')}",
            fix=f"inv leave {orphan.data.get('service')}",
        )


def _orphan_with(pid: int) -> Entry | None:
    """Return the intercept of a killed run whose process has this pid or started it."""
    groups = processes.stat(pid)[2:4]  # its group and its session
    orphans = (entry for entry in journal.entries("intercept") if not entry.owner_lives)
    return next((entry for entry in orphans if str(entry.group) in groups), None)


def _program_must_exist(program: str, folder: Path, service: Service) -> None:
    """Refuse a command with a typing error now: a first intercept replaces the pod."""
    path = str(folder / program) if os.sep in program else program
    if shutil.which(path, path=service.dev.env.get("PATH")) is None:
        problem = "exists, but is not executable" if os.path.isfile(path) else "was not found"
        raise Trouble(
            f"the command {program or repr(program)} {problem}",
            fix=f"install it, or give another one after --: inv intercept {service.name} -- COMMAND",
        )
