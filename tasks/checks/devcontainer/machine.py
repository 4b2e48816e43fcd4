"""Whether the suite and Telepresence work on this machine. Looks only at /proc, devices and files."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.checks.finding import Finding, missing, ok, unknown, warning
from tasks.core.config.settings import Settings
from tasks.core.errors import Problem

NET_ADMIN = 12  # the capability's bit, from linux/capability.h
SYS_ADMIN = 21
REBUILD = "rebuild the container from this repository's .devcontainer"


@dataclass(frozen=True)
class Machine:
    """What the checks look at."""

    root: Path
    """The root of the file system."""

    home: Path
    uid: int

    path: str
    """The value of PATH."""

    environment: dict[str, str]

    admin_path: str = "/usr/local/sbin:/usr/sbin:/sbin"
    """Folders that only root has on PATH."""

    @classmethod
    def this(cls) -> Machine:
        """Return the machine we run on."""
        return cls(Path("/"), Path.home(), os.getuid(), os.environ.get("PATH", ""), dict(os.environ))

    def program(self, name: str) -> str:
        """Return the path of a program, also from the folders that only root has on PATH; empty when it is not installed."""
        return shutil.which(name, path=f"{self.path}:{self.admin_path}") or ""

    @property
    def is_container(self) -> bool:
        """True in a container: Docker and Podman create these files."""
        return (self.root / ".dockerenv").exists() or (self.root / "run/.containerenv").exists()


def look(s: Settings, machine: Machine) -> list[Finding]:
    """Return the findings about everything that a dev container needs."""
    return [
        finding
        for question in (_net_admin, _tun, _programs, _mounts, _user, _docker, _volumes, _path, _host_name, _tools)
        for finding in question(s, machine)
    ]


def _capabilities(machine: Machine) -> int | None:
    """Return the capabilities of this process, or those that sudo can get; None when /proc does not say."""
    try:
        lines = (machine.root / "proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        return None
    sets = {line.split(":")[0]: int(line.split()[1], 16) for line in lines if line.startswith("Cap")}
    # An ordinary user has no effective capabilities; the bounding set limits what sudo gives.
    return sets.get("CapEff" if machine.uid == 0 else "CapBnd")


def _net_admin(s: Settings, machine: Machine) -> Iterator[Finding]:
    caps = _capabilities(machine)
    subject = "capability NET_ADMIN"
    if caps is None:
        yield unknown(subject, "/proc/self/status does not list the capabilities", fix="run this on Linux")
    elif caps >> NET_ADMIN & 1:
        yield ok(subject, "this container may change its network")
    else:
        yield missing(
            subject,
            "telepresence connect would fail with `netlink.RuleAdd: operation not permitted`",
            fix=f'"capAdd": ["NET_ADMIN"] in devcontainer.json, then {REBUILD}',
        )


def _tun(s: Settings, machine: Machine) -> Iterator[Finding]:
    device = machine.root / "dev/net/tun"
    try:
        exists = stat.S_ISCHR(device.stat().st_mode)
    except FileNotFoundError:
        exists = False
    except OSError as why:
        yield unknown("/dev/net/tun", f"could not look: {why.strerror}", fix=f"ls -l {device}")
        return
    if exists:
        yield ok("/dev/net/tun", "the device for the tunnel exists")
    else:
        yield missing(
            "/dev/net/tun",
            "telepresence connect would fail with `failed to open TUN device`",
            fix=f'"runArgs": ["--device=/dev/net/tun"] in devcontainer.json, then {REBUILD}',
        )


def _programs(s: Settings, machine: Machine) -> Iterator[Finding]:
    for name, purpose, finding in (
        ("iptables", "telepresence's DNS redirect needs it: without it `no active session`", missing),
        ("sshfs", "only `inv intercept --mount` needs it", warning),
    ):
        path = machine.program(name)
        if path:
            yield ok(name, path)
        else:
            yield finding(name, f"not installed: {purpose}", fix=f"sudo apt-get install -y {name}, or {REBUILD}")


def _mounts(s: Settings, machine: Machine) -> Iterator[Finding]:
    caps = _capabilities(machine) or 0
    fuse = (machine.root / "dev/fuse").exists()
    if fuse and caps >> SYS_ADMIN & 1:
        yield ok("remote mounts", "`inv intercept --mount` can mount the pod's files")
    else:
        present = {"/dev/fuse": fuse, "SYS_ADMIN": caps >> SYS_ADMIN & 1}
        lacking = " and ".join(name for name, given in present.items() if not given)
        yield warning(
            "remote mounts",
            f"`inv intercept --mount` cannot mount the pod's files: no {lacking}",
            fix='only if you need it: "runArgs": ["--device=/dev/fuse"] and "capAdd": ["SYS_ADMIN"] in devcontainer.json',
        )


def root_in_container(machine: Machine) -> Problem | None:
    """Return what is wrong with root in a container; None for anybody else."""
    if machine.uid != 0 or not machine.is_container:
        return None
    return Problem(
        "you are root in a container (/.dockerenv): telepresence 2.31 then behaves as in its own image: "
        "it connects, resolves no name and soon reports that it is not running",
        fix=f'"remoteUser": "vscode" in devcontainer.json, then {REBUILD}',
    )


def _user(s: Settings, machine: Machine) -> Iterator[Finding]:
    if problem := root_in_container(machine):
        yield missing("user", problem.what, fix=problem.fix)
    elif machine.uid == 0:
        yield warning("user", "you are root", fix="work as a user with sudo")
    elif machine.program("sudo"):
        yield ok("user", f"uid {machine.uid}, with sudo for telepresence's root daemon")
    else:
        yield missing(
            "user",
            "no sudo: telepresence cannot start its root daemon",
            fix=f"as root: apt-get install -y sudo; or {REBUILD}",
        )


def _docker(s: Settings, machine: Machine) -> Iterator[Finding]:
    subject = "docker engine"
    if not machine.program("docker"):
        yield warning(subject, "no docker client: Tilt cannot build images; intercepts work", fix=REBUILD)
        return
    host = machine.environment.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        yield ok(subject, f"DOCKER_HOST is {host}")
        return
    socket_path = machine.root / (host.removeprefix("unix://") or "/var/run/docker.sock").lstrip("/")
    if not socket_path.exists():
        yield warning(
            subject,
            f"{socket_path} does not exist: Tilt cannot build images; intercepts work",
            fix="start Docker on the host; the feature docker-outside-of-docker in devcontainer.json mounts its socket",
        )
    elif _may_connect(socket_path):
        yield ok(subject, f"{socket_path} accepts connections")
    else:
        yield missing(
            subject,
            f"permission denied on {socket_path}",
            fix=f"sudo chgrp docker {socket_path} && sudo usermod -aG docker $(id -un), then a new terminal; or {REBUILD}",
        )


def _may_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _volumes(s: Settings, machine: Machine) -> Iterator[Finding]:
    env = machine.environment
    azure = Path(env.get("AZURE_CONFIG_DIR") or machine.home / ".azure")
    states = Path(env.get("XDG_STATE_HOME") or machine.home / ".local/state")
    state = Path(env.get("REMOTE_DEV_STATE") or states / "remote-dev")  # as core/state/store.py has it
    for folder in (azure, machine.home / ".kube", state):
        yield _folder(folder, machine)


def _folder(folder: Path, machine: Machine) -> Finding:
    subject = f"folder {folder}"
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return ok(subject, "does not exist yet; it is created when it is needed")
    except OSError as why:
        return unknown(subject, f"could not look: {why.strerror}", fix=f"ls -ld {shlex.quote(str(folder))}")
    if owner != machine.uid:
        return missing(
            subject,
            f"belongs to uid {owner}, you are {machine.uid}: the volume was created as root",
            fix=f"sudo chown -R $(id -u):$(id -g) {shlex.quote(str(folder))}",
        )
    if not os.access(folder, os.W_OK):
        return missing(subject, "not writable", fix=f"chmod u+rwx {shlex.quote(str(folder))}")
    return ok(subject, "yours")


def _path(s: Settings, machine: Machine) -> Iterator[Finding]:
    path = machine.program("inv")
    if path:
        yield ok("inv on PATH", path)
    else:
        yield warning(
            "inv on PATH",
            "`inv` is not on PATH; ./scripts/inv works from the repository",
            fix=f"ln -s {shlex.quote(s.root)}/scripts/inv ~/.local/bin/inv and put ~/.local/bin on PATH",
        )


def _host_name(s: Settings, machine: Machine) -> Iterator[Finding]:
    name = socket.gethostname()
    if len(name) == 12 and all(c in "0123456789abcdef" for c in name):
        yield warning(
            "host name",
            f"'{name}' is a container id: colleagues see it as the owner of your intercepts, and it changes",
            fix='"runArgs": ["--hostname=NAME"] in devcontainer.json',
        )
    else:
        yield ok("host name", name)


def _tools(s: Settings, machine: Machine) -> Iterator[Finding]:
    for name, pin in sorted(s.tools.items()):
        path = machine.program(name)
        if path:
            yield ok(f"program {name}", path)
        else:
            finding = warning if pin.optional else missing
            yield finding(
                f"program {name}",
                "not on PATH",
                fix=f"{REBUILD}, or install {name} {pin.container} from {pin.source.format(version=pin.container, arch='amd64')}",
            )
