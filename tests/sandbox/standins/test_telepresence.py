"""The three versions of telepresence: arguments, texts and JSON as recorded."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from sandbox import control
from sandbox.standins.telepresence.args import flags, helps
from tests.sandbox.shell import CONNECT, SERVICE, free_port

ALL = ("2.19.1", "2.25.1", "2.31.0")
OLD, NEW = "2.19.1", "2.31.0"
JSON = {"2.19.1": ("--output", "json"), "2.25.1": ("--output", "json"), "2.31.0": ("--format", "json")}
NOT_THERE = "traffic manager not found, if it is not installed, please run 'telepresence helm install'."

# version, arguments, exit, stdout, stderr: nothing runs, nothing is started
IDLE: list[tuple[str, str, int, str, str]] = [
    (OLD, "version", 0, "OSS Client : v2.19.1\nRoot Daemon: not running\nUser Daemon: not running\n", ""),
    (NEW, "version --format json", 0, '{"client":"v2.31.0","root_daemon":"not running","user_daemon":"not running"}', ""),
    (OLD, "status", 0, "User Daemon: Not running\nRoot Daemon: Not running\nTraffic Manager: Not connected\n", ""),
    (NEW, "status", 0, "OSS User Daemon: Not running\nOSS Root Daemon: Not running\nTraffic Manager: Not connected\n", ""),
    (OLD, "status --output json", 0,
     '{"root_daemon":{},"traffic_manager":{"name":"","traffic_agent":"","version":""},"user_daemon":{}}\n', ""),
    (OLD, "status -j", 0,
     '{"root_daemon":{},"traffic_manager":{"name":"","traffic_agent":"","version":""},"user_daemon":{}}\n', ""),
    (NEW, "status -j", 1, "", "telepresence status: error: unknown shorthand flag: 'j' in -j\n"),
    (OLD, "status --format json", 1, "", "telepresence status: error: unknown flag: --format\n"),
    (NEW, "status --format json --output json", 1, "",
     "telepresence status: error: --output and --format cannot be used together; --output is deprecated, use --format instead\n"),
    (NEW, "status --format nope", 1, "", 'telepresence status: error: invalid output format "nope"\n'),
    (OLD, "status --output xml", 1, "", 'telepresence status: error: invalid output format "xml"\n'),
    (OLD, "status x", 1, "", 'telepresence status: error: unknown command "x" for "telepresence status"\n'),
    (OLD, "quit", 0, "Not connected\n", ""),
    (NEW, "quit", 0, "Not connected\n", ""),
    (OLD, "quit -s", 0, "Telepresence Daemons quitting...done\n", ""),
    (NEW, "quit -s", 0, "Quit\n", ""),
    (OLD, "quit --output json", 0, '{"cmd":"quit","stdout":"Not connected\\n"}\n', ""),
    (NEW, "quit --format json", 0, "", ""),
    (NEW, "quit --output json", 0, "", "Flag --output has been deprecated, use --format instead\n"),
    (OLD, "no-such-command", 1, "", 'telepresence: error: invalid subcommand "no-such-command"\n'),
    (NEW, "no-such-command", 1, "", 'telepresence: error: invalid subcommand "no-such-command"\n'),
    (OLD, "leave", 1, "", "telepresence leave: error: accepts 1 arg(s), received 0\n"),
    (NEW, "leave a b", 1, "",
     'Command "leave" is deprecated, use "telepresence detach" instead\ntelepresence leave: error: accepts 1 arg(s), received 2\n'),
    (NEW, "intercept", 1, "", "telepresence intercept: error: requires at least 1 arg(s), only received 0\n"),
    (OLD, "intercept a b", 1, "", "telepresence intercept: error: commands to be run with intercept must come after options\n"),
    (OLD, "intercept www --env-syntax sh", 1, "", "telepresence intercept: error: unknown flag: --env-syntax\n"),
    (OLD, "intercept www --http-header a=b", 1, "", "telepresence intercept: error: unknown flag: --http-header\n"),
    (NEW, "intercept www --local-only", 1, "", "telepresence intercept: error: unknown flag: --local-only\n"),
    ("2.25.1", "intercept www --namespace x", 1, "", "telepresence intercept: error: unknown flag: --namespace\n"),
    ("2.25.1", "connect --config x", 1, "", "telepresence connect: error: unknown flag: --config\n"),
    ("2.25.1", "status --format json", 1, "", "telepresence status: error: unknown flag: --format\n"),
    ("2.25.1", "revoke x:y", 1, "", 'telepresence: error: invalid subcommand "revoke"\n'),
    (NEW, "intercept www --env-syntax nope --env-file /tmp/e", 1, "",
     'telepresence intercept: error: invalid argument "nope" for "--env-syntax" flag: invalid env syntax: nope\n'),
    (OLD, "list -o json", 1, "", 'telepresence list: error: unknown command "json" for "telepresence list"\n'),
    (OLD, "uninstall", 1, "", "telepresence uninstall: error: please specify --agent or --all-agents\n"),
    (OLD, "connect --context nope", 1, "",
     "telepresence connect: error: invalid configuration: context was not found for specified context: nope\n"),
    (NEW, "connect --nope --format json", 1, "", "telepresence connect: error: unknown flag: --nope\n"),
    (NEW, "connect --kubeconfig none.yaml", 1, "", "telepresence connect: error: stat none.yaml: no such file or directory\n"),
]  # fmt: skip


@pytest.mark.parametrize("version", ALL)
def test_its_answers_while_nothing_runs(shell, version):
    me = shell(version)
    for _, argv, code, out, err in [row for row in IDLE if row[0] == version]:
        done = me.tp(*argv.split())
        if version == NEW and out.startswith("{"):  # its keys come in random order
            assert json.loads(done.stdout) == json.loads(out)
            out = done.stdout
        assert (argv, done.returncode, done.stdout, done.stderr) == (argv, code, out, err)
    assert me.tp("status", *JSON[version]).returncode == 0
    assert not [c for c in me.box.calls() if c["writes"]]


@pytest.mark.parametrize(("version", "command", "has", "lacks"), [
    ("2.19.1", "intercept", "--replace --env-json --to-pod", "--http-header --env-syntax --container --metadata --namespace"),
    ("2.25.1", "intercept", "--http-header --http-path-prefix --metadata --env-syntax --container", "--namespace --node-agent"),
    ("2.31.0", "intercept", "--http-header --namespace --node-agent --format --config", "--local-only --output"),
    ("2.19.1", "status", "--output --no-report", "--format --progress --config"),
    ("2.25.1", "status", "--output --progress", "--format --config --no-report"),
    ("2.31.0", "status", "--format --progress --config", "--output --no-report"),
])  # fmt: skip
def test_help_lists_exactly_this_versions_flags(shell, version, command, has, lacks):
    said = shell(version).tp(command, "--help")
    shown = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", said.stdout, re.M))
    assert said.returncode == 0
    assert set(has.split()) <= shown
    assert not set(lacks.split()) & shown


def test_each_version_has_its_commands(shell):
    assert "detach" not in helps("2.19.1")
    assert "detach" not in helps("2.25.1")
    assert {"detach", "revoke", "leave"} <= helps("2.31.0").keys()
    assert "--stop-daemons" in flags("2.31.0", "quit")
    done = shell().tp("no-such-command", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Telepresence can connect to a cluster")


def test_connect_prints_each_versions_text(shell):
    server = "(https://ameide-dev-aks-dns-0a1b2c3d.hcp.westeurope.azmk8s.io:443)"
    connected = f"Connected to context ameide-dev-aks, namespace ameide {server}\n"
    old = shell("2.19.1")
    assert (
        old.tp(*CONNECT).stdout
        == f"Launching Telepresence User Daemon\nLaunching Telepresence Root Daemon\n{connected}"
    )
    assert old.tp(*CONNECT).stdout == ""
    new = shell("2.31.0")
    assert new.tp(*CONNECT).stdout == f"Launched Daemon\n{connected}"
    assert new.tp(*CONNECT).stdout == connected
    assert new.tp(*CONNECT, "--format", "json").stdout == ""


def test_json_of_2_31_has_random_key_order_and_no_final_newline(shell):
    me = shell().connected()
    said = [me.tp("status", "--format", "json").stdout for _ in range(6)]
    assert len(set(said)) > 1
    assert len({json.dumps(json.loads(s), sort_keys=True) for s in said}) == 1
    assert not said[0].endswith("\n")


@pytest.mark.parametrize("version", ALL)
def test_status_shows_the_connection_and_the_intercepts(shell, version):
    me = shell(version).connected()
    me.intercept(free_port())
    found = json.loads(me.tp("status", *JSON[version]).stdout)
    user = found["user_daemon"]
    assert (user["status"], user["namespace"], user["kubernetes_context"]) == ("Connected", "ameide", "ameide-dev-aks")
    assert user["intercepts"] == [{"name": SERVICE, "client": "developer@developer-box"}]
    assert found["traffic_manager"]["version"] == f"v{version}"


@pytest.mark.parametrize("version", ALL)
def test_list_has_each_versions_shape(shell, version):
    me = shell(version).connected()
    me.intercept(free_port())
    found = json.loads(me.tp("list", *JSON[version]).stdout)
    rows = {r["name"]: r for r in (found if version == NEW else found["stdout"])}
    row = rows[SERVICE]
    key = "intercept_infos" if version == OLD else "intercept_info"
    info = row[key][0]
    assert info["disposition"] == 1
    assert info["environment"]["API_TOKEN"].startswith("planted-token")
    assert info["spec"]["service_port_identifier" if version == OLD else "port_identifier"] == "http"
    assert ("sidecar" in row, "agent_version" in row) == (version == OLD, version != OLD)
    assert row["workload_resource_type"] == ("DEPLOYMENT" if version == NEW else "Deployment")
    assert ("shape-no-service" in rows) == (version != OLD)


@pytest.mark.parametrize(("version", "text"), [
    ("2.19.1", "ready to intercept"), ("2.25.1", "ready to engage"), ("2.31.0", "ready to attach"),
])  # fmt: skip
def test_list_as_text(shell, version, text):
    said = shell(version).connected().tp("list").stdout
    assert re.search(rf"^(deployment +)?{SERVICE}: {text} \(traffic-agent not yet installed\)$", said, re.M)


def test_list_in_2_19_is_empty_without_mapped_namespaces(shell):
    me = shell("2.19.1")
    me.tp("connect", "--namespace", "ameide")
    assert me.tp("list").stdout == "No Workloads (Deployments, StatefulSets, or ReplicaSets)\n"


CONFLICTS = {
    "2.19.1": 'telepresence intercept: error: connector.CreateIntercept: Failed to establish intercept: intercept in error '
    'state AGENT_ERROR: Conflicts with the currently-served intercept "{id}"\n',
    "2.25.1": 'connector.CreateIntercept: conflict with intercept {id} on port 3001 created by client '
    '"developer@developer-box": one intercept has no filters (intercepts all traffic)\n',
    "2.31.0": 'connector.CreateIntercept: conflict with intercept {id} on port 3001 created by client '
    '"developer@developer-box": one intercept has no filters (intercepts all traffic)\n',
}  # fmt: skip


@pytest.mark.parametrize("version", ALL)
def test_a_conflict_is_reported_in_each_versions_text(shell, version):
    me = shell(version).connected()
    held = me.intercept(free_port())["id"]
    done = me.as_colleague().connected().tp("intercept", SERVICE, "--port", f"{free_port()}:http", "--mount=false")
    assert done.returncode == 1
    assert done.stderr.startswith(CONFLICTS[version].format(id=held))


def test_the_same_header_overlaps(shell):
    me = shell().connected()
    me.intercept(free_port(), "--http-header", "x-ameide-agent=a")
    you = me.as_colleague().connected()
    done = you.tp(
        "intercept", SERVICE, "--port", f"{free_port()}:http", "--http-header", "X-Ameide-Agent=a", "--mount=false"
    )
    assert done.stderr.endswith("header filters overlap\n")


@pytest.mark.parametrize(("argv", "said"), [
    (("nothing", "--port", "1:http"), 'workload "nothing.ameide" not found'),
    ((SERVICE, "--port", "1:nosuchport"), f"Deployment {SERVICE}.ameide has no interceptable port matching port nosuchport"),
    ((SERVICE, "--port", "1:http", "--service", "other"),
     f"Deployment {SERVICE}.ameide has no interceptable port matching service other, port http"),
    (("shape-two-ports", "--port", "1"), "Deployment shape-two-ports.ameide has multiple interceptable ports.\nPlease specify"),
    (("shape-no-service", "--port", "1"), "Deployment shape-no-service.ameide has no interceptable port"),
    (("shape-forbidden", "--port", "1"), "Deployment shape-forbidden.ameide is not interceptable"),
])  # fmt: skip
def test_what_cannot_be_intercepted_is_refused(shell, argv, said):
    me = shell().connected()
    done = me.tp("intercept", *argv, "--mount=false")
    assert done.returncode == 1
    assert done.stderr.startswith(f"connector.CreateIntercept: {said}")
    assert json.loads(me.tp("list", "--intercepts", "--format", "json").stdout) == []


@pytest.mark.parametrize("spec", ["a:b:c:d", "abc", "0", "70000", "3000:", ":http"])
def test_a_bad_port_is_seen_after_connecting(shell, spec):
    done = shell().connected().tp("intercept", SERVICE, "--port", spec, "--mount=false")
    assert done.stderr == (
        f'telepresence intercept: error: port must be of the format --port <local-port>[:<svcPortIdentifier>], was "{spec}"\n'
    )


def test_a_name_or_local_port_can_be_used_once(shell):
    me = shell().connected()
    port = free_port()
    me.intercept(port)
    again = me.tp("intercept", SERVICE, "--port", f"{port}:http", "--mount=false")
    assert again.stderr == f'connector.CreateIntercept: intercept with name "{SERVICE}" already exists\n'
    other = me.tp("intercept", "shape-agent", "--port", f"{port}:http", "--mount=false")
    assert (
        other.stderr == f"connector.CreateIntercept: port 127.0.0.1:{port} is already in use by intercept {SERVICE}\n"
    )


def test_leaving_twice_fails_with_each_versions_text(shell):
    assert (
        shell("2.19.1").connected().tp("leave", "x").stderr
        == 'telepresence leave: error: Intercept named "x" not found\n'
    )
    done = shell().connected().tp("detach", "x", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)) == (
        1,
        {"error": 'Found no replace, intercept, or ingest named "x"'},
    )


def test_the_pods_environment_is_exact_and_world_readable(shell, tmp_path):
    me = shell().connected()
    path = tmp_path / "env.json"
    details = me.intercept(free_port(), "--env-json", str(path))
    found = json.loads(path.read_text())
    assert found == details["environment"]
    assert found["APP_QUOTES"] == 'it\'s "quoted" `ticks` $HOME $(id) ${x} \\ back\\slash'
    assert found["APP_TABS"] == "tab\there\r\nwindows"
    assert found["app.dotted.name"] == "a variable named with dots"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644 & ~_umask()


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def test_a_multi_line_env_file_fails_after_the_intercept_exists(shell, tmp_path):
    me = shell().connected()
    done = me.tp(
        "intercept", SERVICE, "--port", f"{free_port()}:http", "--mount=false", "--env-file", str(tmp_path / "e")
    )
    assert (done.returncode, done.stdout) == (1, f"Using Deployment {SERVICE}\n")
    assert "docker run/build does not support multi-line environment values: key: APP_MULTILINE" in done.stderr
    assert len(json.loads(me.tp("list", "--intercepts", "--format", "json").stdout)) == 1


def test_2_19_writes_a_corrupt_multi_line_env_file(shell, tmp_path):
    me = shell("2.19.1").connected()
    me.intercept(free_port(), "--env-file", str(tmp_path / "e"))
    assert "APP_MULTILINE=first line\nsecond line\n" in (tmp_path / "e").read_text()


@pytest.mark.parametrize("version", ALL)
def test_a_childs_exit_code_is_lost(shell, version):
    me = shell(version).connected()
    done = me.tp(
        "intercept",
        SERVICE,
        "--port",
        f"{free_port()}:http",
        "--mount=false",
        "--",
        "sh",
        "-c",
        "echo $APP_EQUALS; exit 7",
    )
    assert done.returncode == 1
    assert done.stdout.endswith("a=b==c&d=e\n")
    assert done.stderr.endswith("sh sh -c 'echo $APP_EQUALS; exit 7': exited with 7\n")
    assert json.loads(me.tp("status", *JSON[version]).stdout)["user_daemon"].get("intercepts") is None


def test_an_implicit_connect_prevents_an_explicit_one(shell):
    me = shell()
    done = me.tp("list")
    assert done.returncode == 0
    assert 'causing an implicit connect to namespace "ameide"' in done.stderr
    assert me.tp(*CONNECT).stderr == (
        "telepresence connect: error: Cluster configuration changed, please quit telepresence and reconnect\n"
    )


def test_the_warning_of_2_19_is_on_stdout(shell):
    done = shell("2.19.1").tp("list")
    assert "causing an implicit connect to take place" in done.stdout


def test_another_namespace_is_a_second_daemon_in_2_31(shell):
    me = shell().connected()
    me.intercept(free_port())
    assert me.tp("connect", "--namespace", "argocd").stdout.startswith("Launched Daemon\n")
    assert "intercepts" not in json.loads(me.tp("status", "--format", "json").stdout)["user_daemon"]
    you = me.as_colleague().connected()
    held = you.tp("intercept", SERVICE, "--port", f"{free_port()}:http", "--mount=false")
    assert 'created by client "developer@developer-box"' in held.stderr
    me.tp("quit", "-s")
    assert me.answers(b"baseline")


def test_another_namespace_breaks_the_session_of_2_19(shell):
    me = shell("2.19.1").connected()
    done = me.tp("connect", "--namespace", "argocd")
    assert "connector.Connect: Cluster configuration changed" in done.stderr
    both = "multiple daemons are running, please select ameide-dev-aks-ameide or ameide-dev-aks-argocd using the --use <match> flag"
    assert me.tp("quit").stderr == f"telepresence quit: error: {both}\n"
    assert len(json.loads(me.tp("status", "--output", "json").stdout)["connections"]) == 2
    assert me.tp("quit", "-s").returncode == 0
    me.connected()


def test_a_failed_connect_leaves_daemons_in_2_19_and_nothing_in_2_31(shell):
    for version, after in (("2.19.1", "Disconnected\n"), ("2.31.0", "Not connected\n")):
        me = shell(version)
        control.fault(me.box, "manager-missing")
        assert NOT_THERE in me.tp(*CONNECT).stderr
        assert me.tp("quit").stdout == after


def test_the_credential_plugin_runs_four_times(shell):
    me = shell()
    control.give_kubeconfig(me.box, exec_plugin=True)
    me.connected()
    assert len(me.box.calls("kubelogin")) == 4


def test_an_expired_login_hides_its_cause_in_the_log(shell):
    me = shell()
    control.give_kubeconfig(me.box, exec_plugin=True)
    control.fault(me.box, "login-70043")
    done = me.tp(*CONNECT)
    assert (
        "getting credentials: exec: executable kubelogin failed with exit code 1. Verify that the cluster"
        in done.stderr
    )
    assert "AADSTS" not in done.stderr + done.stdout
    log = Path(me.env["HOME"], ".cache/telepresence/logs/connector.log").read_text()
    assert "AADSTS70043" in log


def test_a_login_that_expires_during_a_session_lets_a_new_intercept_time_out(shell):
    me = shell()
    control.give_kubeconfig(me.box, exec_plugin=True)
    me.connected()
    control.fault(me.box, "login-700082")
    assert "Status            : Connected" in me.tp("status").stdout
    done = me.tp("intercept", SERVICE, "--port", f"{free_port()}:http", "--mount=false")
    assert "the intercept timed out.  The current timeout 30s" in done.stderr


def test_a_broken_configuration_fails_every_command(shell):
    me = shell()
    folder = f"{me.env['HOME']}/.config/telepresence"
    os.makedirs(folder)
    with open(f"{folder}/config.yml", "w") as file:
        file.write("{")
    done = me.tp("status", "--format", "json")
    assert done.returncode == 1
    assert "yaml: line" in done.stderr + done.stdout
