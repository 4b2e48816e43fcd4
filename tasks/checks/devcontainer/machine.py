"""Is this machine a container in which the suite and Telepresence can work? Looks at /proc, devices and files only."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.checks.finding import Finding, State
from tasks.core.config.settings import Settings

NET_ADMIN = 12  # the capability's bit, from linux/capability.h
SYS_ADMIN = 21
REBUILD = "rebuild the container from this repository's .devcontainer"


@dataclass(frozen=True)
class Machine:
    """What is looked at. root: of the file system; the rest as this process sees it."""

    root: Path
    home: Path
    uid: int
    path: str
    environment: dict[str, str]

    @classmethod
    def this(cls) -> Machine:
        """The machine we run on."""
        return cls(Path("/"), Path.home(), os.getuid(), os.environ.get("PATH", ""), dict(os.environ))

    def program(self, name: str) -> str:
        """Where a program is, also in the folders that only root has on PATH; empty when it is nowhere."""
        return shutil.which(name, path=f"{self.path}:/usr/local/sbin:/usr/sbin:/sbin") or ""

    @property
    def container(self) -> bool:
        """Docker and Podman leave these files."""
        return (self.root / ".dockerenv").exists() or (self.root / "run/.containerenv").exists()


def look(s: Settings, machine: Machine) -> list[Finding]:
    """Everything that a dev container needs, as this machine has it."""
    return [
        finding
        for question in (_net_admin, _tun, _programs, _mounts, _user, _docker, _volumes, _path, _host_name, _tools)
        for finding in question(s, machine)
    ]


def _capabilities(machine: Machine) -> int | None:
    """The bounding and effective capabilities: what sudo can still get. None when /proc does not say."""
    try:
        lines = (machine.root / "proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        return None
    sets = {line.split(":")[0]: int(line.split()[1], 16) for line in lines if line.startswith("Cap")}
    wanted = "CapEff" if machine.uid == 0 else "CapBnd"  # a user without rights has none, what counts is sudo's
    return sets.get(wanted)


def _net_admin(s: Settings, machine: Machine) -> Iterator[Finding]:
    caps = _capabilities(machine)
    subject = "capability NET_ADMIN"
    if caps is None:
        yield Finding(subject, State.UNKNOWN, "/proc/self/status does not say", fix="run this on Linux")
    elif caps >> NET_ADMIN & 1:
        yield Finding(subject, State.OK, "this container may change its network")
    else:
        yield Finding(
            subject,
            State.MISSING,
            "telepresence connect would fail with `netlink.RuleAdd: operation not permitted`",
            fix=f'"capAdd": ["NET_ADMIN"] in devcontainer.json, then {REBUILD}',
        )


def _tun(s: Settings, machine: Machine) -> Iterator[Finding]:
    device = machine.root / "dev/net/tun"
    try:
        there = stat.S_ISCHR(device.stat().st_mode)
    except FileNotFoundError:
        there = False
    except OSError as why:
        yield Finding("/dev/net/tun", State.UNKNOWN, f"could not look: {why.strerror}", fix=f"ls -l {device}")
        return
    if there:
        yield Finding("/dev/net/tun", State.OK, "the device for the tunnel is there")
    else:
        yield Finding(
            "/dev/net/tun",
            State.MISSING,
            "telepresence connect would fail with `failed to open TUN device`",
            fix=f'"runArgs": ["--device=/dev/net/tun"] in devcontainer.json, then {REBUILD}',
        )


def _programs(s: Settings, machine: Machine) -> Iterator[Finding]:
    for name, purpose, state in (
        ("iptables", "telepresence's DNS redirect needs it: without it `no active session`", State.MISSING),
        ("sshfs", "only `inv intercept --mount` needs it", State.WARN),
    ):
        place = machine.program(name)
        if place:
            yield Finding(name, State.OK, place)
        else:
            yield Finding(name, state, f"not installed: {purpose}", fix=f"sudo apt-get install -y {name}, or {REBUILD}")


def _mounts(s: Settings, machine: Machine) -> Iterator[Finding]:
    caps = _capabilities(machine) or 0
    fuse = (machine.root / "dev/fuse").exists()
    if fuse and caps >> SYS_ADMIN & 1:
        yield Finding("remote mounts", State.OK, "`inv intercept --mount` can mount the pod's files")
    else:
        lacking = " and ".join(w for w, ok in (("/dev/fuse", fuse), ("SYS_ADMIN", caps >> SYS_ADMIN & 1)) if not ok)
        yield Finding(
            "remote mounts",
            State.WARN,
            f"`inv intercept --mount` cannot mount the pod's files: no {lacking}",
            fix='only if you need it: "runArgs": ["--device=/dev/fuse"] and "capAdd": ["SYS_ADMIN"] in devcontainer.json',
        )


def _user(s: Settings, machine: Machine) -> Iterator[Finding]:
    if machine.uid == 0 and machine.container:
        yield Finding(
            "user",
            State.MISSING,
            "you are root in a container (/.dockerenv): telepresence 2.31 takes itself for its own image, "
            "connects, resolves no name and soon says it is not running",
            fix=f'"remoteUser": "vscode" in devcontainer.json, then {REBUILD}',
        )
    elif machine.uid == 0:
        yield Finding("user", State.WARN, "you are root", fix="work as a user with sudo")
    elif machine.program("sudo"):
        yield Finding("user", State.OK, f"uid {machine.uid}, with sudo for telepresence's root daemon")
    else:
        yield Finding(
            "user",
            State.MISSING,
            "no sudo: telepresence cannot start its root daemon",
            fix=f"sudo apt-get install -y sudo as root, or {REBUILD}",
        )


def _docker(s: Settings, machine: Machine) -> Iterator[Finding]:
    subject = "docker engine"
    if not machine.program("docker"):
        yield Finding(
            subject, State.WARN, "no docker client: Tilt cannot build images; intercepts work", fix=f"{REBUILD}"
        )
        return
    host = machine.environment.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        yield Finding(subject, State.OK, f"DOCKER_HOST is {host}")
        return
    place = machine.root / (host.removeprefix("unix://") or "/var/run/docker.sock").lstrip("/")
    if not place.exists():
        yield Finding(
            subject,
            State.WARN,
            f"{place} is not there: Tilt cannot build images; intercepts work",
            fix="start Docker on the host; the feature docker-outside-of-docker in devcontainer.json brings its socket here",
        )
    elif _may_connect(place):
        yield Finding(subject, State.OK, f"{place} takes connections")
    else:
        yield Finding(
            subject,
            State.MISSING,
            f"permission denied on {place}",
            fix=f"sudo chgrp docker {place} && sudo usermod -aG docker $USER, then a new terminal; or {REBUILD}",
        )


def _may_connect(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(place))
        except OSError:
            return False
    return True


def _volumes(s: Settings, machine: Machine) -> Iterator[Finding]:
    env = machine.environment
    azure = Path(env.get("AZURE_CONFIG_DIR") or machine.home / ".azure")
    states = Path(env.get("XDG_STATE_HOME") or machine.home / ".local/state")
    state = Path(env.get("REMOTE_DEV_STATE") or states / "remote-dev")  # as core/state.py has it
    for folder in (azure, machine.home / ".kube", state):
        subject = f"folder {folder}"
        try:
            found = folder.stat()
        except FileNotFoundError:
            yield Finding(subject, State.OK, "not there yet; it is made when it is needed")
            continue
        except OSError as why:
            yield Finding(subject, State.UNKNOWN, f"could not look: {why.strerror}", fix=f"ls -ld {folder}")
            continue
        if found.st_uid != machine.uid:
            yield Finding(
                subject,
                State.MISSING,
                f"belongs to uid {found.st_uid}, you are {machine.uid}: a volume that was made as root",
                fix=f"sudo chown -R $(id -u):$(id -g) {folder}",
            )
        elif not os.access(folder, os.W_OK):
            yield Finding(subject, State.MISSING, "cannot be written", fix=f"chmod u+rwx {folder}")
        else:
            yield Finding(subject, State.OK, "yours")


def _path(s: Settings, machine: Machine) -> Iterator[Finding]:
    place = machine.program("inv")
    if place:
        yield Finding("inv on PATH", State.OK, place)
    else:
        yield Finding(
            "inv on PATH",
            State.WARN,
            "`inv` is not on PATH; ./scripts/inv works from the repository",
            fix=f"ln -s {s.root}/scripts/inv ~/.local/bin/inv and put ~/.local/bin on PATH",
        )


def _host_name(s: Settings, machine: Machine) -> Iterator[Finding]:
    name = socket.gethostname()
    if len(name) == 12 and all(c in "0123456789abcdef" for c in name):
        yield Finding(
            "host name",
            State.WARN,
            f"'{name}' is a container id: colleagues see it as the holder of your intercepts, and it changes",
            fix='"runArgs": ["--hostname=NAME"] in devcontainer.json',
        )
    else:
        yield Finding("host name", State.OK, name)


def _tools(s: Settings, machine: Machine) -> Iterator[Finding]:
    for name, pin in sorted(s.tools.items()):
        place = machine.program(name)
        if place:
            yield Finding(f"program {name}", State.OK, place)
        else:
            yield Finding(
                f"program {name}",
                State.WARN if pin.optional else State.MISSING,
                "not on PATH",
                fix=f"{REBUILD}, or install {name} {pin.container} from {pin.source.format(version=pin.container, arch='amd64')}",
            )
