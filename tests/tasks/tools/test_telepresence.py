"""Recorded answers and errors of Telepresence 2.19, 2.25 and 2.31, and how they are read."""

from __future__ import annotations

import json

import pytest

from tasks.core.config.settings import settings
from tasks.core.errors import ToolError
from tasks.core.plan.change import perform
from tasks.tools import capabilities, telepresence
from tasks.tools.telepresence import Wanted

IDLE_219 = '{"root_daemon":{},"traffic_manager":{"name":"","traffic_agent":"","version":""},"user_daemon":{}}\n'
IDLE_231 = '{"user_daemon":{"running":false,"in_docker":false,"daemon_port":0},"root_daemon":{"managed":false,"running":false,"api_version":0},"traffic_manager":{"name":"","traffic_agent":"","version":""}}'
CONNECTED_231 = (
    '{"traffic_manager":{"name":"OSS Traffic Manager","version":"v2.31.0"},"user_daemon":{"status":"Connected","kubernetes_server":"https://10.99.0.1:6443",'
    '"kubernetes_context":"dev","name":"dev-ameide","version":"2.31.0","namespace":"ameide","manager_namespace":"ambassador","mapped_namespaces":["ameide"],'
    '"intercepts":[{"name":"www","client":"ada@dev1"}],"running":true,"in_docker":false},"root_daemon":{"running":true,"version":"v2.31.0","subnets":["10.96.0.0/16"]}}'
)
CONTAINER_219 = '{"daemon":{"running":true,"in_docker":true,"status":"Connected","kubernetes_context":"dev","namespace":"ameide","version":"2.19.1"},"traffic_manager":{"version":"v2.19.1"}}\n'


@pytest.fixture
def answer(fp, monkeypatch):
    """Register one answer of the program, with the flags of its help."""
    flags: set[str] = {"format"}
    known: set[str] = {"connect", "detach", "leave", "intercept", "replace"}
    monkeypatch.setattr(capabilities, "flags", lambda tool, *command: frozenset(flags))
    monkeypatch.setattr(capabilities, "commands", lambda tool: frozenset(known))

    def register(stdout: str = "", stderr: str = "", returncode: int = 0) -> None:
        fp.register(["telepresence", fp.any()], stdout=stdout.encode(), stderr=stderr.encode(), returncode=returncode)

    register.flags, register.known, register.calls = flags, known, fp.calls  # type: ignore[attr-defined]
    return register


@pytest.mark.parametrize("text", [IDLE_219, IDLE_231])
def test_nothing_running_is_not_an_error(answer, text: str):
    answer(text)
    assert telepresence.status(settings()) == telepresence.Session()


@pytest.mark.parametrize("text", [CONNECTED_231, CONTAINER_219])
def test_connected_is_seen_in_every_shape(answer, text: str):
    answer(text)
    session = telepresence.status(settings())
    assert session.connected
    assert (session.context, session.namespace) == ("dev", "ameide")


def test_own_intercepts_are_named_with_their_client(answer):
    answer(CONNECTED_231)
    assert telepresence.status(settings()).intercepts == (("www", "ada@dev1"),)


def test_a_workload_that_is_replaced_is_held_like_an_intercepted_one(answer):
    status = json.loads(CONNECTED_231)
    status["user_daemon"]["replacements"] = [{"name": "api", "client": "ada@dev1"}]
    answer(json.dumps(status))
    assert telepresence.status(settings()).intercepts == (("www", "ada@dev1"), ("api", "ada@dev1"))
    answer(
        '[{"name":"api","workload_resource_type":"DEPLOYMENT","replacements":[{"spec":{"name":"api"},"disposition":1}]}]'
    )
    (workload,) = telepresence.workloads(settings())
    assert (workload.agent, [held.name for held in workload.held]) == (True, ["api"])


def test_a_user_daemon_without_its_root_daemon_is_not_connected(answer):
    answer('{"error":"root daemon: telepresence root daemon is not running"}', returncode=1)
    session = telepresence.status(settings())
    assert (session.running, session.connected) == (True, False)


def test_a_user_daemon_that_is_not_running_is_an_error_of_its_own(answer):
    answer('{"error":"telepresence user daemon is not running"}', returncode=1)
    with pytest.raises(telepresence.DaemonNotRunning):
        perform(telepresence.connect(settings()))


def test_several_daemons_are_reported(answer):
    answer(json.dumps({"connections": [json.loads(CONNECTED_231), json.loads(CONNECTED_231)]}))
    session = telepresence.status(settings())
    assert (session.sessions, session.connected, len(session.intercepts)) == (2, False, 2)


def test_an_old_client_is_asked_with_output_and_a_new_one_with_format(answer):
    answer(IDLE_219)
    answer.flags.clear()
    telepresence.status(settings())
    assert list(answer.calls[-1]) == ["telepresence", "status", "--output", "json"]
    answer(IDLE_231)
    answer.flags.add("format")
    telepresence.status(settings())
    assert list(answer.calls[-1]) == ["telepresence", "status", "--format", "json"]


ERRORS = {
    "2.19 envelope on stdout": (
        '{"cmd":"connect","err":"connector.Connect: traffic manager not found, if it is not installed, please run"}\n',
        "",
    ),
    "2.31 object without a newline": ('{"error":"traffic manager not found, if it is not installed, please run"}', ""),
    "text on stderr": ("", "telepresence connect: error: traffic manager not found, if it is not installed\n"),
    "a line before the JSON": (
        'Need root privileges to run: x\n{"cmd":"connect","err":"traffic manager not found, if"}\n',
        "",
    ),
    "a deprecation line beside it": (
        '{"error":"traffic manager not found, if"}',
        "Flag --output has been deprecated, use --format instead\n",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_is_read_wherever_the_version_puts_it(answer, case: str):
    stdout, stderr = ERRORS[case]
    answer(stdout, stderr, 1)
    with pytest.raises(ToolError, match="traffic manager not found") as caught:
        perform(telepresence.connect(settings()))
    assert "manager_namespace" in caught.value.fix


CONFLICT_231 = '{"error":"conflict with intercept 3b0f-aa:www on port 80 created by client \\"bob@dev2\\": one intercept has no filters (intercepts all traffic)"}'
CONFLICT_219 = '{"cmd":"intercept","err":"connector.CreateIntercept: Failed to establish intercept: intercept in error state AGENT_ERROR: Conflicts with the currently-served intercept \\"3b0f-aa:www\\""}\n'
WANTED = Wanted("www", "www", 3001, "http")


def test_a_conflict_names_the_colleague_and_exits_3(answer):
    answer(CONFLICT_231, returncode=1)
    with pytest.raises(telepresence.Conflict, match="held by bob@dev2") as caught:
        perform(telepresence.intercept(settings(), WANTED))
    assert (caught.value.code, caught.value.client, caught.value.id) == (3, "bob@dev2", "3b0f-aa:www")


def test_where_the_version_names_no_holder_that_is_reported(answer):
    answer(CONFLICT_219, returncode=1)
    with pytest.raises(telepresence.Conflict, match="does not say who"):
        perform(telepresence.intercept(settings(), WANTED))


def test_leaving_what_is_gone_is_success(answer):
    answer(stderr='telepresence detach: error: Found no replace, intercept, or ingest named "www"\n', returncode=1)
    perform(telepresence.leave(settings(), "www"))
    assert list(answer.calls[-1])[:3] == ["telepresence", "detach", "www"]


def test_an_old_client_leaves_with_leave(answer):
    answer('{"cmd":"leave","err":"Intercept named \\"www\\" not found"}\n', returncode=1)
    answer.known.discard("detach")
    perform(telepresence.leave(settings(), "www"))
    assert list(answer.calls[-1])[1] == "leave"


def test_the_pods_environment_comes_from_the_answer_and_no_file(answer):
    answer('{"id":"x:www","name":"www","disposition":"ACTIVE","target_port":3001,"environment":{"A":"line\\nline"}}')
    held = perform(telepresence.intercept(settings(), WANTED))
    assert isinstance(held, telepresence.Held)
    assert held.environment == {"A": "line\nline"}
    assert not any(word.startswith("--env") for word in answer.calls[-1])


LIST_219 = '{"cmd":"list","stdout":[{"name":"www","workload_resource_type":"Deployment","sidecar":{"agentName":"www"},"intercept_infos":[{"spec":{"name":"www-a","agent":"www","target_port":3001,"service_port_identifier":"http"},"disposition":1,"environment":{"A":"1"}}]}]}\n'
LIST_231 = '[{"name":"www","workload_resource_type":"DEPLOYMENT","intercept_info":[{"spec":{"name":"www-a","agent":"www","target_port":3001,"port_identifier":"http"},"disposition":1,"environment":{"A":"1"}}]}]'


@pytest.mark.parametrize("text", [LIST_219, LIST_231])
def test_the_list_is_read_in_both_shapes(answer, text: str):
    answer(text)
    (found,) = telepresence.workloads(settings())
    assert (found.name, found.kind, found.agent) == ("www", "Deployment", True)
    assert (found.held[0].name, found.held[0].remote_port, found.held[0].environment) == ("www-a", "http", {"A": "1"})


def test_a_leave_that_could_not_look_is_a_failure(answer):
    """Recorded of 2.31 without a session: detach connects by itself, and this is how that fails."""
    answer(
        '{"error":"traffic manager not found, if it is not installed, please run \'telepresence helm install\'."}',
        returncode=1,
    )
    with pytest.raises(ToolError, match="traffic manager not found"):
        perform(telepresence.leave(settings(), "www"))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"cmd":"leave","err":"Intercept named \\"www\\" not found"}\n', 1),
        ('{"error":"Found no replace, intercept, or ingest named \\"www\\""}', 1),
    ],
)
def test_leaving_what_is_gone_is_fine_in_every_version(answer, said: str, code: int):
    answer(said, returncode=code)
    perform(telepresence.leave(settings(), "www"))


@pytest.mark.parametrize("said", ["", "OSS User Daemon: Not running\n", "null"])
def test_an_unreadable_status_is_not_treated_as_nothing_runs(answer, said: str):
    answer(said)
    with pytest.raises(ToolError, match="not JSON"):
        telepresence.status(settings())


def test_nothing_to_list_may_be_a_sentence(answer):
    answer('{"cmd":"list","stdout":"No Workloads (Deployments, StatefulSets, or ReplicaSets)\\n"}\n')
    assert telepresence.workloads(settings()) == []


def test_an_intercept_without_its_details_is_an_error_and_not_an_empty_environment(answer):
    answer('{"cmd":"intercept","stdout":"Using Deployment www\\n   State : ACTIVE\\n"}\n')
    with pytest.raises(ToolError, match="another form than expected"):
        perform(telepresence.intercept(settings(), Wanted("www", "www", 3001, "http")))


def test_a_failure_does_not_quote_stdout_which_holds_the_pods_environment(answer):
    answer('{"name":"www","environment":{"DB_LOGIN":"s3cr3t-of-the-pod"}}\n', returncode=1)
    with pytest.raises(ToolError) as caught:
        perform(telepresence.intercept(settings(), Wanted("www", "www", 3001, "http")))
    assert "s3cr3t" not in f"{caught.value}{caught.value.output}"


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("unable to dial root daemon port 38133: TRANSIENT_FAILURE: context deadline exceeded", "inv tp.quit"),
        ("failed to launch the daemon service: exit status 1", "sudo"),
        ("invalid configuration: context was not found for specified context: nope", "inv aks.credentials"),
        ("connector.CreateIntercept: Port 127.0.0.1:3001 is already in use by intercept www: id = x", "inv leave"),
    ],
)
def test_a_recorded_error_has_a_suitable_fix(answer, said: str, fix: str):
    answer(json.dumps({"error": said}), returncode=1)
    with pytest.raises(ToolError) as caught:
        telepresence.workloads(settings())
    assert fix in caught.value.fix
