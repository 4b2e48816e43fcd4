"""What the suite relies on in Telepresence, in each version."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.plan.change import perform
from tasks.core.signatures import explain
from tasks.tools import capabilities, telepresence, versions
from tasks.tools.telepresence import Conflict, Held, Wanted
from tests.contracts.kubeconfigs import config, fetched, frozen
from tests.contracts.programs import Done, Program

TOOL = "telepresence"
pytestmark = pytest.mark.contract
IDLE_VERBS = ["status", "version", "quit"]


def form(program: Program) -> str:
    """The flag for JSON in this version's help."""
    return "--output" if program.lacks("format", "status") else "--format"


@pytest.fixture
def refused(program: Program, suite: Settings) -> None:
    """A kubeconfig for a closed port."""
    program.env["KUBECONFIG"] = str(frozen(suite, config("https://127.0.0.1:1", "t", suite.cluster.context)))


@pytest.fixture
def session(program: Program, suite: Settings) -> Iterator[Settings]:
    """An open session. A real client needs a cluster: KUBECONFIG, CONTEXT and NAMESPACE in cluster.env."""
    program.only_real_with("KUBECONFIG", "CONTEXT", "NAMESPACE")
    if program.is_real:
        frozen(suite, Path(program.cluster["KUBECONFIG"]).read_text())
    else:
        frozen(suite, fetched(program, suite))
    perform(telepresence.connect(suite))
    yield suite
    perform(telepresence.quit(suite))


@pytest.fixture
def wanted(program: Program, session: Settings, request: pytest.FixtureRequest) -> Wanted:
    """An intercept to create: of a service in the catalogue, or on a real cluster of WORKLOAD and PORT in cluster.env."""
    program.only_real_with("WORKLOAD", "PORT")
    if program.is_real:
        return Wanted("contract", program.cluster["WORKLOAD"], 38999, program.cluster["PORT"])
    return Wanted("contract", "www-ameide-platform", 38999, "http")


@pytest.fixture
def held(wanted: Wanted, session: Settings) -> Iterator[Held]:
    """An existing intercept."""
    yield perform_held(session, wanted)
    perform(telepresence.leave(session, wanted.name))


def perform_held(s: Settings, wanted: Wanted) -> Held:
    found = perform(telepresence.intercept(s, wanted))
    assert isinstance(found, Held)
    return found


def ask(program: Program, s: Settings, *words: str) -> Done:
    from tasks.tools import base

    return program.call(*words, env={"KUBECONFIG": str(base.frozen_kubeconfig(s))})


def test_its_version_has_a_blank_before_the_colon(program: Program, suite: Settings):
    done = program.call("version")
    assert done.exit == 0
    found = re.search(r"Client\s*: v(\S+)", done.out)
    assert found
    installed = versions.installed(suite, TOOL)
    assert installed is not None
    assert installed.version == found.group(1) == telepresence.version(suite)


def test_its_help_names_the_flags_that_every_version_has(program: Program, suite: Settings):
    tool = telepresence.tool(suite)
    assert {"context", "namespace", "manager-namespace", "mapped-namespaces"} <= capabilities.flags(tool, "connect")
    assert {"workload", "port", "service", "mount", "detailed-output"} <= capabilities.flags(tool, "intercept")
    assert {
        "connect",
        "intercept",
        "list",
        "status",
        "quit",
        "version",
        "gather-logs",
    } <= capabilities.commands(tool)
    assert {"leave", "detach"} & capabilities.commands(tool)
    assert {"format", "output"} & capabilities.flags(tool, "status")


def test_a_flag_that_help_does_not_name_is_refused(program: Program, suite: Settings, refused: None):
    """So reading `--help` is enough: a version does not silently accept a flag that it lacks."""
    for command, flag in (
        ("intercept", "http-header"),
        ("connect", "vnat"),
        ("status", "format"),
        ("intercept", "no-such-flag"),
    ):
        if flag not in capabilities.flags(telepresence.tool(suite), command):
            done = program.call(command, f"--{flag}", "json")
            assert done.exit == 1, flag
            assert f"unknown flag: --{flag}" in done.err, flag


def test_an_unknown_command_is_refused_although_its_help_is_not(program: Program):
    done = program.call("no-such-command")
    assert done.exit == 1
    assert 'invalid subcommand "no-such-command"' in done.err
    assert program.call("no-such-command", "--help").exit == 0


@pytest.mark.parametrize("verb", IDLE_VERBS)
def test_idle_commands_start_nothing(program: Program, suite: Settings, verb: str):
    assert program.call(verb).exit == 0
    assert telepresence.status(suite) == telepresence.Session()


def test_status_in_json_is_pure_json(program: Program, suite: Settings):
    done = program.call("status", form(program), "json")
    assert done.exit == 0
    assert {"user_daemon", "root_daemon", "traffic_manager"} <= set(done.json)


def test_quit_is_never_an_error(program: Program, suite: Settings):
    perform(telepresence.quit(suite))
    perform(telepresence.quit(suite, daemons=False))


def test_an_unknown_context_is_reported_before_anything_starts(program: Program, suite: Settings, refused: None):
    done = program.call("connect", "--context", "nope")
    assert (done.exit, done.out) == (1, "")
    assert "context was not found for specified context: nope" in done.err
    assert telepresence.status(suite) == telepresence.Session()


def test_a_server_that_refuses_is_reported_in_the_json(program: Program, suite: Settings, refused: None):
    with pytest.raises(ToolError) as why:
        perform(telepresence.connect(suite))
    assert "refused" in why.value.what
    assert "does not answer" in why.value.why


def test_only_the_plugin_reports_a_missing_login(program: Program, suite: Settings):
    """The client receives no AADSTS code, so the suite checks az first."""
    if program.is_real:
        program.not_tried("it needs az and kubelogin of a cluster")
    text = fetched(program, suite)
    frozen(suite, text)
    program.call("logout", tool="az")
    with pytest.raises(ToolError) as why:
        perform(telepresence.connect(suite))
    assert "executable kubelogin failed with exit code 1" in why.value.what
    assert why.value.fix == "inv aks.login"


def test_the_user_daemon_starts_the_plugin_first_as_client_go(program: Program, suite: Settings):
    folder = program.home / "plugin-folder"
    folder.mkdir(parents=True)
    plugin, asks = folder / "plugin", folder / "asks"
    version = "client.authentication.k8s.io/v1beta1"
    answer = {"kind": "ExecCredential", "apiVersion": version, "status": {"token": "not-a-token"}}
    said = "$(tr '\\0' ' ' < /proc/$PPID/cmdline)$KUBERNETES_EXEC_INFO"
    plugin.write_text(f"#!/bin/sh\necho \"{said}\" >> {asks}\necho '{json.dumps(answer)}'\n")
    plugin.chmod(0o700)
    data = yaml.safe_load(config("https://127.0.0.1:1", "", suite.cluster.context))
    data["users"][0]["user"] = {"exec": {"apiVersion": version, "command": str(plugin), "provideClusterInfo": False}}
    frozen(suite, yaml.safe_dump(data))
    with pytest.raises(ToolError):
        perform(telepresence.connect(suite))
    first = asks.read_text().splitlines()[0]
    assert re.search(r"\b(userd|connector-foreground)\b", first)
    assert "ExecCredential" in first


def test_status_reports_the_sessions_connection(program: Program, session: Settings):
    now = telepresence.status(session)
    assert now.connected
    assert (now.context, now.namespace) == (session.cluster.context, session.cluster.namespace)
    assert now.manager_namespace == session.cluster.manager_namespace
    assert set(now.mapped_namespaces) == set(session.cluster.mapped_namespaces)
    assert now.server.startswith("https://")
    assert now.client_version
    assert now.manager_version


def test_connecting_again_with_the_same_parameters_succeeds(program: Program, session: Settings):
    perform(telepresence.connect(session))
    assert telepresence.status(session).sessions == 1


def test_connecting_elsewhere_is_refused_or_opens_a_second_session(program: Program, session: Settings):
    """2.31 exits with 0 and hides the first session; 2.19 refuses, but has two afterwards. So the suite reads `status` first."""
    words = ["connect", "--context", session.cluster.context, "--namespace", "default"]
    done = ask(program, session, *words)
    if done.exit != 0:
        assert "Cluster configuration changed" in done.said
    assert telepresence.status(session) != telepresence.Session()


def test_list_names_each_workload_with_its_kind(program: Program, session: Settings):
    found = {w.name: w for w in telepresence.workloads(session)}
    assert found
    assert {w.kind for w in found.values()} <= {"Deployment", "StatefulSet", "ReplicaSet", "Rollout"}
    assert all(w.name for w in found.values())


def test_an_intercept_reports_its_state_and_the_pods_environment(program: Program, held: Held, wanted: Wanted):
    assert (held.name, held.workload, held.disposition) == (wanted.name, wanted.workload, "ACTIVE")
    assert held.local_port == wanted.local_port
    assert ":" in held.id
    assert held.environment["KUBERNETES_SERVICE_PORT"]


def test_multi_line_values_are_complete(program: Program, held: Held):
    if program.is_real:
        program.not_tried("the values of a real pod are not known here")
    assert held.environment["APP_MULTILINE"] == "first line\nsecond line\n\n  fourth, indented\n"
    assert held.environment["APP_QUOTES"] == 'it\'s "quoted" `ticks` $HOME $(id) ${x} \\ back\\slash'
    assert held.environment["APP_EMPTY"] == ""
    assert held.environment["app.dotted.name"] == "a variable named with dots"


def test_an_intercept_is_in_status_and_list(program: Program, session: Settings, held: Held, wanted: Wanted):
    names = dict(telepresence.status(session).intercepts)
    assert wanted.name in names
    assert "@" in names[wanted.name]
    one = next(w for w in telepresence.workloads(session) if w.name == wanted.workload)
    assert one.agent
    assert [(h.name, h.disposition, h.local_port) for h in one.held] == [(wanted.name, "ACTIVE", wanted.local_port)]


def test_a_second_intercept_of_the_same_name_is_refused(
    program: Program, session: Settings, held: Held, wanted: Wanted
):
    with pytest.raises(ToolError, match="already exists"):
        perform(telepresence.intercept(session, wanted))


def test_leaving_twice_succeeds(program: Program, session: Settings, wanted: Wanted):
    perform(telepresence.intercept(session, wanted))
    perform(telepresence.leave(session, wanted.name))
    perform(telepresence.leave(session, wanted.name))
    assert telepresence.status(session).intercepts == ()


def test_an_unknown_workload_is_reported(program: Program, session: Settings):
    with pytest.raises(ToolError) as why:
        perform(telepresence.intercept(session, Wanted("nope", "no-such-workload", 38999, "http")))
    assert "no-such-workload" in why.value.what


def test_an_unknown_port_is_reported(program: Program, session: Settings, wanted: Wanted):
    with pytest.raises(ToolError) as why:
        perform(telepresence.intercept(session, Wanted("nope", wanted.workload, 38999, "nosuchport")))
    assert wanted.workload in why.value.what or "port" in why.value.what


def test_a_header_makes_it_personal_if_the_version_supports_it(program: Program, session: Settings, wanted: Wanted):
    if not telepresence.can_filter(session):
        program.not_tried("this version has no --http-header")
    personal = Wanted(wanted.name, wanted.workload, wanted.local_port, wanted.remote_port, headers=(("x-slot", "ada"),))
    held = perform_held(session, personal)
    assert held.headers == {"x-slot": "ada"}
    perform(telepresence.leave(session, wanted.name))


def test_replace_ends_like_an_intercept(program: Program, session: Settings, wanted: Wanted):
    if not telepresence.can_replace(session):
        assert "replace" in capabilities.flags(telepresence.tool(session), "intercept")
    held: Any = perform(telepresence.replace(session, wanted, program.cluster.get("CONTAINER_PORT", "3001")))
    assert held.disposition in {"", "ACTIVE"}
    perform(telepresence.leave(session, held.name))
    assert telepresence.status(session).intercepts == ()


def test_another_users_intercept_is_a_conflict(
    program: Program, session: Settings, held: Held, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
):
    if program.box is None:
        program.not_tried("it needs a second workstation")
    from sandbox import control

    other = {**program.env, **control.as_user(program.box, f"{program.env['REMOTE_SANDBOX_USER']}x")}
    for name, value in other.items():
        monkeypatch.setenv(name, value)
    frozen(session, fetched(program, session, other))
    perform(telepresence.connect(session))
    try:
        with pytest.raises(Conflict) as why:
            perform(telepresence.intercept(session, wanted))
    finally:
        perform(telepresence.quit(session))
    assert why.value.id.startswith(held.id.partition(":")[0])
    if not telepresence.can_filter(session):
        assert why.value.client == ""  # versions without header filters do not report the holder
    for name, value in program.env.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("fault", "cause"), [("manager-missing", "traffic manager"), ("rbac-manager", "manager")])
def test_problems_of_the_traffic_manager_are_explained(program: Program, suite: Settings, fault: str, cause: str):
    program.fault(fault)
    frozen(suite, fetched(program, suite))
    with pytest.raises(ToolError) as why:
        perform(telepresence.connect(suite))
    assert cause in why.value.why


@pytest.mark.parametrize("fault", ["net-admin-missing", "tun-missing"])
def test_missing_capabilities_of_the_container_are_explained(program: Program, suite: Settings, fault: str):
    program.fault(fault)
    frozen(suite, fetched(program, suite))
    done = ask(program, suite, "connect", "--context", suite.cluster.context)
    assert done.exit == 1
    assert explain(TOOL, done.said)[1]
