"""What a dev container needs, told apart on made-up machines."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.checks.devcontainer import machine as container
from tasks.checks.devcontainer.machine import Machine
from tasks.checks.finding import Finding, State
from tasks.core.state import store as core_state
from tests.made import settings

ALL = 0x1FF_FFFF_FFFF
NEITHER = ALL & ~(1 << 12) & ~(1 << 21)


def machine(
    tmp_path: Path, *, caps: int = ALL, uid: int = 1000, programs: str = "iptables sshfs sudo inv docker", **env: str
):
    """A root folder with /proc and programs; the developer's own uid owns the home."""
    root, binaries = tmp_path / "root", tmp_path / "bin"
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/status").write_text(f"Name:\tx\nCapEff:\t{caps:016x}\nCapBnd:\t{caps:016x}\n")
    binaries.mkdir()
    for name in programs.split():
        (binaries / name).write_text("#!/bin/sh\n")
        (binaries / name).chmod(0o755)
    return Machine(root, tmp_path / "home", uid, str(binaries), env)


def look(m: Machine) -> dict[str, Finding]:
    return {f.subject: f for f in container.look(settings(), m)}


def test_each_missing_thing_is_named_with_the_line_that_gives_it(tmp_path):
    found = look(machine(tmp_path, caps=NEITHER, programs="sudo"))
    assert found["capability NET_ADMIN"].state is State.MISSING
    assert '"capAdd": ["NET_ADMIN"]' in found["capability NET_ADMIN"].fix
    assert found["/dev/net/tun"].state is State.MISSING
    assert "--device=/dev/net/tun" in found["/dev/net/tun"].fix
    assert found["remote mounts"].state is State.WARN
    assert "SYS_ADMIN" in found["remote mounts"].text


@pytest.mark.skipif(
    any((Path(d) / "iptables").exists() for d in ("/usr/sbin", "/sbin")), reason="iptables is installed here"
)
def test_iptables_is_needed_and_sshfs_is_only_wanted(tmp_path):
    found = look(machine(tmp_path, programs="sudo"))
    assert found["iptables"].state is State.MISSING
    assert found["sshfs"].state is State.WARN


def test_a_machine_with_everything_has_nothing_missing_but_the_device_that_cannot_be_faked(tmp_path):
    found = look(machine(tmp_path, programs="iptables sshfs sudo inv docker az kubelogin kubectl telepresence pnpm"))
    assert {subject for subject, f in found.items() if f.state is State.MISSING} == {"/dev/net/tun"}


def test_the_rights_of_a_user_are_those_that_sudo_can_get(tmp_path):
    m = machine(tmp_path)
    (m.root / "proc/self/status").write_text(f"CapEff:\t{0:016x}\nCapBnd:\t{ALL:016x}\n")
    assert look(m)["capability NET_ADMIN"].state is State.OK


def test_root_has_what_is_effective_not_what_is_bounded(tmp_path):
    m = machine(tmp_path, uid=0)
    (m.root / "proc/self/status").write_text(f"CapEff:\t{0:016x}\nCapBnd:\t{ALL:016x}\n")
    assert look(m)["capability NET_ADMIN"].state is State.MISSING


def test_without_proc_nobody_knows(tmp_path):
    m = machine(tmp_path)
    (m.root / "proc/self/status").unlink()
    assert look(m)["capability NET_ADMIN"].state is State.UNKNOWN


@pytest.mark.parametrize(
    ("uid", "docker", "state"),
    [(0, True, State.MISSING), (0, False, State.WARN), (1000, True, State.OK), (1000, False, State.OK)],
)
def test_root_in_a_container_is_telepresences_trap(tmp_path, uid, docker, state):
    m = machine(tmp_path, uid=uid)
    if docker:
        (m.root / ".dockerenv").touch()
    assert look(m)["user"].state is state


def test_a_user_without_sudo_cannot_start_the_root_daemon(tmp_path):
    m = machine(tmp_path, programs="iptables")
    if container.Machine(Path("/"), m.home, 1000, "", {}).program("sudo"):
        pytest.skip("sudo is installed here")
    assert look(m)["user"].state is State.MISSING


def test_a_volume_of_another_user_is_named_with_its_owner(tmp_path):
    m = machine(tmp_path, uid=os.getuid() + 1)
    (m.home / ".kube").mkdir(parents=True, exist_ok=True)
    kube = look(m)[f"folder {m.home}/.kube"]
    assert kube.state is State.MISSING
    assert f"uid {os.getuid()}" in kube.text
    assert "chown" in kube.fix


def test_the_folders_that_variables_name_are_the_ones_looked_at(tmp_path):
    azure = tmp_path / "own-azure"
    azure.mkdir()
    found = look(machine(tmp_path, uid=os.getuid(), AZURE_CONFIG_DIR=str(azure)))
    assert found[f"folder {azure}"].text == "yours"


def test_docker_is_asked_through_its_socket(tmp_path):
    m = machine(tmp_path)
    assert "is not there" in look(m)["docker engine"].text
    place = m.root / "var/run/docker.sock"
    place.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as engine:
        os.chdir(place.parent)  # the path itself may be too long for a socket
        engine.bind("docker.sock")
        engine.listen()
        short = Machine(Path("/proc/self/cwd"), m.home, m.uid, m.path, {"DOCKER_HOST": "unix:///docker.sock"})
        assert look(short)["docker engine"].state is State.OK
    assert look(short)["docker engine"].state is State.MISSING  # nobody listens any more
    assert look(machine(tmp_path / "tcp", DOCKER_HOST="tcp://10.0.0.1:2376"))["docker engine"].state is State.OK


def test_the_folder_for_state_that_is_looked_at_is_the_one_that_is_used(tmp_path, monkeypatch):
    monkeypatch.delenv("REMOTE_DEV_STATE")
    for name, place in (("XDG_STATE_HOME", tmp_path / "states"), ("REMOTE_DEV_STATE", tmp_path / "own")):
        monkeypatch.setenv(name, str(place))
        found = look(replace(machine(tmp_path / name), environment={name: str(place)}))
        assert f"folder {core_state.folder()}" in found
