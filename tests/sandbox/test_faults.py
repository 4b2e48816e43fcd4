"""Each fault has a line of help, can be switched on and off, and has its described effect."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sandbox import control
from sandbox.faults.catalogue import FAULTS
from sandbox.server import apply_fault
from sandbox.world.latency import PROFILES
from tasks.core.errors import Trouble
from tests.sandbox.shell import CONNECT, SERVICE, free_port, wait_until
from tests.world import ROOT, inv, is_possible, switch_on


def test_every_fault_can_be_switched_on_and_off(make_box):
    box = make_box()
    for name in filter(is_possible, FAULTS):
        control.fault(box, name)
        assert control.ask(box, "faults")[name] == {"help": FAULTS[name], "on": True}
        control.fault(box, name, on=False)
    assert not any(f["on"] for f in control.ask(box, "faults").values())


def test_an_unknown_fault_is_refused(make_box):
    with pytest.raises(Trouble, match="'nonsense' is not a fault"):
        control.fault(make_box(), "nonsense")


@pytest.mark.parametrize("tool", ["az", "kubelogin", "kubectl", "telepresence", "pnpm", "helm", "tilt", "docker"])
def test_a_missing_program_is_not_on_path(make_box, tool):
    box = make_box()
    control.fault(box, f"{tool}-missing")
    assert shutil.which(tool, path=box.env["PATH"]) is None


CONNECTS = [
    ("net-admin-missing", "2.31.0", "NewTunnelVIF: netlink.RuleAdd: operation not permitted"),
    ("net-admin-missing", "2.19.1", "connector.Connect: NewTunnelVIF: netlink.RuleAdd: operation not permitted"),
    ("tun-missing", "2.31.0", "NewTunnelVIF: failed to open TUN device /dev/net/tun: no such file or directory"),
    ("manager-missing", "2.31.0", "traffic manager not found, if it is not installed"),
    (
        "manager-old",
        "2.31.0",
        "traffic manager version 2.14.0 is too old. Minimum supported version is 2.21.0, please upgrade",
    ),
    ("rbac", "2.31.0", "unable to determine the traffic-manager namespace"),
    ("rbac-manager", "2.31.0", "traffic manager not found"),
    ("api-refused", "2.31.0", "the API server refused the connection. Verify that the cluster still exists"),
    ("api-refused", "2.19.1", "connector.Connect: initial cluster check failed: Get "),
    ("cluster-stopped", "2.31.0", "no such host"),
]


@pytest.mark.parametrize(("fault", "version", "said"), CONNECTS)
def test_a_connect_that_fails(shell, fault, version, said):
    me = shell(version)
    control.fault(me.box, fault)
    done = me.tp(*CONNECT)
    assert done.returncode == 1
    assert said in done.stderr
    control.fault(me.box, fault, on=False)
    me.connected()


def test_without_rights_in_a_named_managers_namespace_it_is_forbidden(shell):
    me = shell()
    control.fault(me.box, "rbac-manager")
    done = me.tp(*CONNECT, "--manager-namespace", "ambassador")
    assert 'services "traffic-manager" is forbidden: User "developer@example.com" cannot get' in done.stderr


def test_without_iptables_the_session_does_not_work(shell):
    me = shell("2.19.1")
    control.fault(me.box, "iptables-missing")
    assert me.tp(*CONNECT).returncode == 0
    assert "code = Unavailable desc = no active session" in me.tp("list").stderr


@pytest.mark.slow
def test_a_lost_session_is_not_running_and_holds_its_intercepts(shell):
    me = shell().connected()
    me.intercept(free_port(), service="shape-agent")
    control.fault(me.box, "session-lost")
    assert me.tp("status").stdout.startswith("OSS User Daemon: Not running")
    assert wait_until(lambda: me.ask("/__service/shape-agent/").status == 504)


def test_status_denies_a_running_session(shell):
    me = shell().connected()
    control.fault(me.box, "status-wrong")
    assert me.tp("status").stdout.startswith("OSS User Daemon: Not running")
    assert me.tp("quit", "-s").stdout == "Quit\n"
    control.fault(me.box, "status-wrong", on=False)
    assert "Status            : Connected" in me.tp("status").stdout


def test_a_colleague_intercepts_the_first_service(shell):
    me = shell().connected()
    control.fault(me.box, "conflict")
    done = me.tp("intercept", SERVICE, "--port", f"{free_port()}:http", "--mount=false")
    assert 'created by client "colleague@colleague-box"' in done.stderr
    control.fault(me.box, "conflict", on=False)
    assert me.answers(b"baseline")


def seconds_of(call: Callable[[], object]) -> float:
    """How long the call takes."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.slow
def test_stale_sockets_cost_2_19_three_seconds_once(shell):
    me = shell("2.19.1")
    control.fault(me.box, "stale-sockets")
    assert os.path.exists(f"{me.env['HOME']}/.cache/telepresence/daemons/stale.json")
    began = time.monotonic()
    assert me.tp("status").returncode == 0
    first = time.monotonic() - began
    assert 2.9 < first < 60
    assert (
        min(seconds_of(lambda: me.tp("status")) for _ in range(3)) < 2.9
    )  # one of them without a hiccup of the machine


@pytest.mark.parametrize(("fault", "said"), [
    ("env-file-fails", "failed to create environment file"), ("disk-full", "no space left on device"),
])  # fmt: skip
def test_an_environment_that_cannot_be_written_leaves_the_intercept(shell, tmp_path, fault, said):
    me = shell().connected()
    control.fault(me.box, fault)
    done = me.tp(
        "intercept", SERVICE, "--port", f"{free_port()}:http", "--mount=false", "--env-json", str(tmp_path / "e")
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert SERVICE in me.tp("list", "--intercepts").stdout


def test_a_full_disk_stops_writes_of_the_kubeconfig(shell):
    me = shell()
    control.fault(me.box, "disk-full")
    done = me.kubectl("config", "set-context", "--current", "--namespace", "x")
    assert done.stderr == f"error: write {me.env['KUBECONFIG']}: no space left on device\n"
    assert "namespace: ameide" in Path(me.env["KUBECONFIG"]).read_text()


def test_a_read_only_home_is_not_writable_but_can_be_deleted(make_box):
    box = make_box()
    home = Path(box.env["HOME"])
    control.give_kubeconfig(box)
    switch_on(box, "home-read-only")
    for path in (home / "x", home / ".kube/x"):
        with pytest.raises(OSError, match=r"Read-only|denied"):
            path.touch()
    with pytest.raises(OSError, match=r"Read-only|denied"):
        (home / ".kube/config").write_text("")
    control.fault(box, "home-read-only", on=False)
    (home / ".kube/config").write_text("")
    switch_on(box, "home-read-only")
    control.down(box)
    assert not box.path.exists()


def test_a_condition_that_this_machine_forbids_is_an_error_and_not_a_fault_that_is_on(monkeypatch, tmp_path):
    """Root in a container without SYS_ADMIN may not mount, and no mode keeps root from writing."""
    world = SimpleNamespace(
        box=tmp_path, lock=threading.Lock(), faults=set(), users={"developer": SimpleNamespace(home=tmp_path)}
    )
    refused = subprocess.CompletedProcess([], 32, "", "mount: permission denied")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(ValueError, match="permission denied"):
        apply_fault.fault(world, "home-read-only", True)  # type: ignore[arg-type]
    assert world.faults == set()


LOOK = """
import shutil
from tasks.checks.devcontainer.machine import Machine, root_in_container
print(bool(root_in_container(Machine.this())), shutil.rmtree.avoids_symlink_attacks)
"""


@pytest.mark.parametrize("fault", ["container-root", "status-wrong"])
def test_a_program_sees_itself_as_root_in_a_container_on_every_machine(make_box, fault):
    box = make_box()

    def seen() -> str:
        return subprocess.check_output([sys.executable, "-c", LOOK], env=box.environment(), cwd=ROOT, text=True)

    before = seen()
    control.fault(box, fault)
    assert seen() == "True True\n"
    done = inv(box, "sandbox.fault", fault, "--off")  # the sandbox is still this user's
    assert done.returncode == 0, done.stderr
    assert seen() == before


def waits_for_an_answer(pid: int) -> bool:
    """Whether the process sleeps with an open socket: it has sent its call."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "S" and any(os.readlink(fd).startswith("socket:") for fd in Path(f"/proc/{pid}/fd").iterdir())


def test_a_hanging_tool_ends_with_its_caller(shell, background):
    me = shell()
    control.fault(me.box, "hanging-kubectl")
    hanging = background([f"{me.box.path}/bin/kubectl", "version"], me.env)
    assert wait_until(lambda: waits_for_an_answer(hanging.pid))
    assert hanging.poll() is None
    hanging.kill()
    hanging.wait()
    assert wait_until(lambda: me.box.calls("kubectl"))
    assert me.box.calls("kubectl")[-1]["exit"] is None


@pytest.mark.slow
def test_a_slow_tool_takes_two_seconds_longer(shell):
    me = shell()
    control.fault(me.box, "slow-tools")
    began = time.monotonic()
    me.tp("version")
    assert 2.0 <= time.monotonic() - began < 60


@pytest.mark.slow
@pytest.mark.parametrize(("latency", "kubectl", "connect"), [("aks", 0.3, 3.0), ("real", 0.1, 2.5)])
def test_a_latency_profile_delays_each_tool(shell, latency, kubectl, connect):
    me = shell(latency=latency)
    began = time.monotonic()
    me.kubectl("get", "pods", "-o", "name")
    assert kubectl <= time.monotonic() - began < 60
    began = time.monotonic()
    me.tp(*CONNECT)
    assert connect <= time.monotonic() - began < 60


@pytest.mark.slow
def test_connect_takes_longer_by_the_time_of_the_credential_plugin(shell):
    me = shell(latency="real")
    control.give_kubeconfig(me.box, exec_plugin=True)
    began = time.monotonic()
    me.tp(*CONNECT)
    profile = PROFILES["real"]
    plugin = profile.of("kubelogin", ("get-token",)) + profile.of("az", ("account", "get-access-token"))
    assert len(me.box.calls("kubelogin")) == 4
    assert profile.connect + 4 * plugin <= time.monotonic() - began < 60
