"""The effects of telepresence on the cluster and its traffic, as recorded on a real cluster."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from sandbox import control
from tests.sandbox.shell import CONNECT, SERVICE, free_port, processes, wait_until

ALL = ("2.19.1", "2.25.1", "2.31.0")


def watch(me, end: threading.Event, order: list[str]) -> None:
    """Send requests continuously. Append the answering process whenever it changes."""
    while not end.is_set():
        reply = me.ask()
        name = reply.by if reply.body.startswith(b"{") else "local"
        if order[-1:] != [name]:
            order.append(name)
        time.sleep(0.01)


def watched(me, act, last: str = "local") -> list[str]:
    """The order of the answering processes from before `act` until `last` answers."""
    end = threading.Event()
    order: list[str] = []
    thread = threading.Thread(target=watch, args=(me, end, order))
    thread.start()
    wait_until(lambda: order)
    act()
    wait_until(lambda: order[-1] == last)
    end.set()
    thread.join()
    return order


def kill_daemon(me) -> None:
    """Kill a user daemon with SIGKILL and wait until the state server knows."""
    before = control.ask(me.box, "processes")["sessions"]
    os.kill(daemons(me)[0], signal.SIGKILL)
    assert wait_until(lambda: len(control.ask(me.box, "processes")["sessions"]) < len(before))


def daemons(me) -> list[int]:
    """The pids of telepresence's user daemons."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(me.box.path).encode() in words[0] and words[1:2] in ([b"userd"], [b"connector-foreground"]):
                found.append(int(name))
    return found


def containers(me, part: str = "containers", service: str = SERVICE) -> list[str]:
    """The containers of the remaining pod."""
    found = me.kubectl("get", "pods", "-l", f"app.kubernetes.io/name={service}", "-o", "json").stdout
    pods = [p for p in json.loads(found)["items"] if "deletionTimestamp" not in p["metadata"]]
    return [c["name"] for p in pods for c in p["spec"].get(part, [])]


@pytest.mark.parametrize("version", ["2.25.1", "2.31.0"])
def test_the_first_intercept_evicts_the_pod_and_requests_fail_meanwhile(shell, local, version):
    me = shell(version).connected()
    port = local()
    assert watched(me, lambda: me.intercept(port)) == ["baseline", "none", "local"]


def test_2_19_patches_the_template_and_the_old_pod_serves_until_the_new_one_is_ready(shell, local):
    me = shell("2.19.1").connected()
    port = local()
    assert watched(me, lambda: me.intercept(port)) == ["baseline", "local"]
    deployment = json.loads(me.kubectl("get", "deploy", SERVICE, "-o", "json").stdout)
    assert "telepresence.getambassador.io/restartedAt" in deployment["spec"]["template"]["metadata"]["annotations"]
    assert deployment["metadata"]["generation"] == 2


def test_2_31_does_not_change_the_deployment(shell, local):
    me = shell().connected()
    before = json.loads(me.kubectl("get", "deploy", SERVICE, "-o", "json").stdout)
    me.intercept(local())
    after = json.loads(me.kubectl("get", "deploy", SERVICE, "-o", "json").stdout)
    assert (after["spec"], after["metadata"]) == (before["spec"], before["metadata"])


@pytest.mark.parametrize("version", ALL)
def test_active_is_not_routed(shell, local, version):
    me = shell(version).connected()
    assert me.intercept(local("mine"))["disposition"] == "ACTIVE"
    assert b"mine" not in me.ask().body
    assert me.answers(b"mine")


@pytest.mark.parametrize("version", ALL)
def test_the_agent_stays_and_a_second_intercept_has_no_gap(shell, local, version):
    me = shell(version).connected()
    port = local("mine")
    me.intercept(port)
    assert me.answers(b"mine")
    me.tp("leave", SERVICE)
    assert me.answers(b"baseline")
    assert "traffic-agent" in containers(me)
    assert watched(me, lambda: me.intercept(port)) == ["baseline", "local"]


def test_a_named_port_leads_to_the_agent_in_the_endpoint_slice(shell, local):
    me = shell().connected()

    def port() -> int:
        found = me.kubectl("get", "endpointslices", "-l", f"kubernetes.io/service-name={SERVICE}", "-o", "json").stdout
        return int(json.loads(found)["items"][0]["ports"][0]["port"])

    assert port() == 3001
    me.intercept(local("mine"))
    assert me.answers(b"mine")
    assert port() == 9900


def test_a_headless_service_goes_active_and_receives_nothing(shell, local):
    me = shell().connected()
    assert me.intercept(local("mine"), service="shape-headless")["disposition"] == "ACTIVE"
    time.sleep(0.8)
    assert json.loads(me.ask("/__service/shape-headless/").body)["answered_by"] == "baseline"


def test_a_numeric_target_works_through_an_init_container(shell, local):
    me = shell().connected()
    me.intercept(local("mine"), service="shape-numeric", remote="80")
    assert wait_until(lambda: b"mine" in me.ask("/__service/shape-numeric/").body)
    assert containers(me, "initContainers", "shape-numeric") == ["tel-agent-init"]


@pytest.mark.parametrize("version", ["2.25.1", "2.31.0"])
def test_two_users_can_have_personal_intercepts(shell, local, version):
    me = shell(version).connected()
    you = me.as_colleague().connected()
    me.intercept(local("mine"), "--http-header", "X-Ameide-Agent=a")
    you.intercept(local("yours"), "--http-header", "X-Ameide-Agent: b")
    assert me.answers(b"mine", x_ameide_agent="a")
    assert you.answers(b"yours", X_Ameide_Agent="b")
    assert me.ask().by == "baseline"
    assert me.ask(X_Ameide_Agent="c").by == "baseline"
    me.tp("leave", SERVICE)
    assert me.answers(b"baseline", X_Ameide_Agent="a")
    assert b"yours" in you.ask(X_Ameide_Agent="b").body


def test_each_user_sees_only_their_own_intercepts(shell, local):
    me = shell().connected()
    you = me.as_colleague().connected()
    me.intercept(local())
    assert json.loads(you.tp("list", "--intercepts", "--format", "json").stdout) == []
    assert you.tp("leave", SERVICE).returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("version", ALL)
def test_the_intercept_of_a_killed_daemon_stays_until_its_owner_reconnects(shell, local, version):
    me = shell(version).connected()
    me.intercept(local("mine"))
    assert me.answers(b"mine")
    kill_daemon(me)
    reply = me.ask()
    assert (reply.status, reply.seconds > 2.8) == (504, True)
    user = json.loads(me.tp("status", *(("--format",) if version > "2.29" else ("--output",)), "json").stdout)[
        "user_daemon"
    ]
    assert user.get("status") != "Connected"
    time.sleep(0.6)
    me.connected()
    assert me.answers(b"mine")


def test_an_ended_clients_intercept_conflicts_and_can_be_revoked(shell, local):
    me = shell().connected()
    held = me.intercept(local())["id"]
    you = me.as_colleague().connected()
    kill_daemon(me)
    refused = you.tp("intercept", SERVICE, "--port", f"{free_port()}:http", "--mount=false")
    assert held in refused.stderr
    assert you.tp("revoke", held).returncode == 0
    assert me.answers(b"baseline")


def test_a_hanging_request_continues_after_a_revoke(shell, local):
    me = shell().connected()
    held = me.intercept(local("mine"))["id"]
    you = me.as_colleague().connected()
    assert me.answers(b"mine")
    kill_daemon(me)
    threading.Timer(0.5, lambda: you.tp("revoke", held)).start()
    reply = me.ask()
    assert reply.by == "baseline"
    assert reply.seconds > 0.3


@pytest.mark.parametrize("version", ALL)
def test_quit_restores_the_traffic(shell, local, version):
    me = shell(version).connected()
    me.intercept(local("mine"))
    assert me.answers(b"mine")
    assert me.tp("quit").stdout == "Disconnected\n"
    assert me.answers(b"baseline")
    me.tp("quit", "-s")
    assert daemons(me) == []


def test_a_replaced_container_comes_back_after_a_gap(shell, local):
    me = shell().connected()
    done = me.tp("replace", SERVICE, "--port", f"{local('mine')}:3001", "--mount=false")
    assert f"Container name: {SERVICE}" in done.stdout
    assert me.answers(b"mine")
    assert watched(me, lambda: me.tp("detach", SERVICE), "baseline")[-2:] == ["none", "baseline"]


def test_2_31_times_out_if_the_agent_never_arrives(shell, local):
    me = shell().connected()
    control.fault(me.box, "agent-never")
    done = me.tp("intercept", SERVICE, "--port", f"{local()}:http", "--mount=false")
    assert (
        done.stderr
        == f"connector.CreateIntercept: request timed out while waiting for agent {SERVICE}.ameide to arrive\n"
    )
    assert me.ask().status == 503
    control.fault(me.box, "agent-never", on=False)
    assert me.answers(b"baseline")


def test_2_19_reports_active_if_the_agent_never_arrives_and_the_old_pod_serves(shell, local):
    me = shell("2.19.1").connected()
    control.fault(me.box, "agent-never")
    assert me.intercept(local())["disposition"] == "ACTIVE"
    time.sleep(0.6)
    assert me.ask().by == "baseline"


def test_a_connecting_cli_that_is_killed_leaves_an_orphan_that_quit_does_not_end(shell, background):
    me = shell()
    control.fault(me.box, "api-silent")  # it connects for 20 s
    cli = background([f"{me.box.path}/bin/telepresence", "connect", "--namespace", "ameide"], me.env)
    assert wait_until(lambda: daemons(me))
    cli.kill()
    cli.wait()
    assert me.tp("status").stdout.startswith("OSS User Daemon: Not running")
    assert me.tp("quit", "-s").stdout == "Quit\n"
    assert len(daemons(me)) == 1


def test_the_daemon_has_the_real_name_in_the_process_list(shell):
    me = shell("2.19.1").connected()
    lines = processes(me.box)
    assert any(line.endswith("bin/telepresence connector-foreground") for line in lines)
    assert any("bin/telepresence daemon-foreground" in line for line in lines)


def test_a_root_daemon_outlives_its_user_daemon_and_quit_ends_both(shell):
    me = shell("2.19.1").connected()
    kill_daemon(me)
    assert me.tp(*CONNECT).stdout.startswith("Launching Telepresence User Daemon\nConnected to context")
    kill_daemon(me)
    me.tp("quit", "-s")
    assert [line for line in processes(me.box) if "foreground" in line] == []


def test_a_child_of_a_killed_cli_stays_until_leave(shell, background):
    me = shell().connected()
    seconds = str(100000 + free_port())  # tells this child from every other
    argv = ["intercept", SERVICE, "--port", f"{free_port()}:http", "--mount=false", "--", "sleep", seconds]
    cli = background([f"{me.box.path}/bin/telepresence", *argv], me.env)

    def sleeping() -> int:
        count = 0
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    count += Path(f"/proc/{name}/cmdline").read_bytes() == f"sleep\0{seconds}\0".encode()
                except OSError:
                    continue
        return count

    assert wait_until(sleeping)
    assert wait_until(lambda: control.ask(me.box, "processes")["children"])
    cli.kill()
    cli.wait()
    time.sleep(0.2)
    assert sleeping() == 1
    assert len(json.loads(me.tp("list", "--intercepts", "--format", "json").stdout)) == 1
    me.tp("detach", SERVICE)
    assert wait_until(lambda: sleeping() == 0)
