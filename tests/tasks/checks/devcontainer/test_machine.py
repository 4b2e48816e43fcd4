"""What a dev container needs, on made-up machines."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.checks.devcontainer import machine as container
from tasks.checks.devcontainer.machine import Machine
from tasks.checks.finding import Finding, Verdict, missing, ok
from tasks.core.state import store as core_state
from tests.made import settings

ALL = 0x1FF_FFFF_FFFF
NEITHER = ALL & ~(1 << 12) & ~(1 << 21)


def machine(
    tmp_path: Path, *, caps: int = ALL, uid: int = 1000, programs: str = "iptables sshfs sudo inv docker", **env: str
):
    """Make a machine with /proc and these programs."""
    root, binaries = tmp_path / "root", tmp_path / "bin"
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/status").write_text(f"Name:\tx\nCapEff:\t{caps:016x}\nCapBnd:\t{caps:016x}\n")
    binaries.mkdir()
    for name in programs.split():
        (binaries / name).write_text("#!/bin/sh\n")
        (binaries / name).chmod(0o755)
    return Machine(root, tmp_path / "home", uid, str(binaries), env, admin_path="")


def look(m: Machine) -> dict[str, Finding]:
    return {f.subject: f for f in container.look(settings(), m)}


def test_each_missing_thing_is_reported_with_its_line_for_devcontainer_json(tmp_path):
    found = look(machine(tmp_path, caps=NEITHER, programs="sudo"))
    assert found["capability NET_ADMIN"].verdict is Verdict.MISSING
    assert '"capAdd": ["NET_ADMIN"]' in found["capability NET_ADMIN"].fix
    assert found["/dev/net/tun"].verdict is Verdict.MISSING
    assert "--device=/dev/net/tun" in found["/dev/net/tun"].fix
    assert found["remote mounts"].verdict is Verdict.WARN
    assert "SYS_ADMIN" in found["remote mounts"].text


def test_iptables_is_required_and_sshfs_is_optional(tmp_path):
    found = look(machine(tmp_path, programs="sudo"))
    assert found["iptables"].verdict is Verdict.MISSING
    assert found["sshfs"].verdict is Verdict.WARN


def test_only_the_device_that_cannot_be_faked_is_missing_on_a_complete_machine(tmp_path):
    found = look(machine(tmp_path, programs="iptables sshfs sudo inv docker az kubelogin kubectl telepresence pnpm"))
    assert {subject for subject, f in found.items() if f.verdict is Verdict.MISSING} == {"/dev/net/tun"}


def test_the_capabilities_of_a_user_are_those_that_sudo_can_get(tmp_path):
    m = machine(tmp_path)
    (m.root / "proc/self/status").write_text(f"CapEff:\t{0:016x}\nCapBnd:\t{ALL:016x}\n")
    assert look(m)["capability NET_ADMIN"].verdict is Verdict.OK


def test_the_capabilities_of_root_are_the_effective_ones(tmp_path):
    m = machine(tmp_path, uid=0)
    (m.root / "proc/self/status").write_text(f"CapEff:\t{0:016x}\nCapBnd:\t{ALL:016x}\n")
    assert look(m)["capability NET_ADMIN"].verdict is Verdict.MISSING


def test_without_proc_the_capabilities_are_unknown(tmp_path):
    m = machine(tmp_path)
    (m.root / "proc/self/status").unlink()
    assert look(m)["capability NET_ADMIN"].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("uid", "docker", "state"),
    [(0, True, Verdict.MISSING), (0, False, Verdict.WARN), (1000, True, Verdict.OK), (1000, False, Verdict.OK)],
)
def test_root_in_a_container_is_reported(tmp_path, uid, docker, state):
    m = machine(tmp_path, uid=uid)
    if docker:
        (m.root / ".dockerenv").touch()
    assert look(m)["user"].verdict is state


def test_a_user_without_sudo_cannot_start_the_root_daemon(tmp_path):
    m = machine(tmp_path, programs="iptables")
    assert look(m)["user"] == missing(
        "user",
        "no sudo: telepresence cannot start its root daemon",
        fix=f"as root: apt-get install -y sudo; or {container.REBUILD}",
    )


def test_programs_that_only_root_has_on_path_count(tmp_path):
    m = machine(tmp_path, programs="iptables")
    assert replace(m, path="", admin_path=m.path).program("iptables") == f"{m.path}/iptables"


def test_a_volume_of_another_user_is_reported_with_its_owner(tmp_path):
    m = machine(tmp_path, uid=os.getuid() + 1)
    (m.home / ".kube").mkdir(parents=True, exist_ok=True)
    kube = look(m)[f"folder {m.home}/.kube"]
    assert kube == missing(
        f"folder {m.home}/.kube",
        f"belongs to uid {os.getuid()}, you are {m.uid}: the volume was created as root",
        fix=f"sudo chown -R $(id -u):$(id -g) {m.home}/.kube",
    )


def test_folders_set_by_variables_are_checked(tmp_path):
    azure = tmp_path / "own-azure"
    azure.mkdir()
    found = look(machine(tmp_path, uid=os.getuid(), AZURE_CONFIG_DIR=str(azure)))
    assert found[f"folder {azure}"] == ok(f"folder {azure}", "yours")


def test_docker_is_checked_through_its_socket(tmp_path):
    m = machine(tmp_path)
    assert "does not exist" in look(m)["docker engine"].text
    docker_socket = m.root / "var/run/docker.sock"
    docker_socket.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as engine:
        os.chdir(docker_socket.parent)  # the path itself may be too long for a socket
        engine.bind("docker.sock")
        engine.listen()
        short = Machine(Path("/proc/self/cwd"), m.home, m.uid, m.path, {"DOCKER_HOST": "unix:///docker.sock"})
        assert look(short)["docker engine"].verdict is Verdict.OK
    assert look(short)["docker engine"].verdict is Verdict.MISSING  # nothing listens any more
    assert look(machine(tmp_path / "tcp", DOCKER_HOST="tcp://10.0.0.1:2376"))["docker engine"].verdict is Verdict.OK


def test_the_checked_state_folder_is_the_one_in_use(tmp_path, monkeypatch):
    monkeypatch.delenv("REMOTE_DEV_STATE")
    for name, path in (("XDG_STATE_HOME", tmp_path / "states"), ("REMOTE_DEV_STATE", tmp_path / "own")):
        monkeypatch.setenv(name, str(path))
        found = look(replace(machine(tmp_path / name), environment={name: str(path)}))
        assert f"folder {core_state.folder()}" in found
