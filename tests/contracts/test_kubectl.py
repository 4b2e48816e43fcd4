"""What the suite relies on in kubectl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.plan.change import perform
from tasks.core.signatures import explain
from tasks.tools import base, kubectl, versions
from tests.contracts import api_server
from tests.contracts.kubeconfigs import config, fetched, frozen, unaccepted
from tests.contracts.programs import Done, Program

TOOL = "kubectl"
pytestmark = pytest.mark.contract


@dataclass(frozen=True)
class Reach:
    """A cluster that answers.

    outsider: a kubeconfig of a user without rights, "" without one; stranger: one with a token that the cluster
    rejects
    """

    namespace: str
    stranger: str
    outsider: str = ""


@pytest.fixture
def cluster(program: Program, suite: Settings) -> Iterator[Reach]:
    """The sandbox's cluster; for a real kubectl the one in cluster.env, else the API server in api_server.py."""
    s = suite
    if program.is_real and program.cluster.get("KUBECONFIG"):
        text = Path(program.cluster["KUBECONFIG"]).read_text()
        frozen(s, text)
        outsider = program.cluster.get("OUTSIDER_KUBECONFIG", "")
        yield Reach(s.cluster.namespace, unaccepted(text), Path(outsider).read_text() if outsider else "")
    elif program.is_real:
        with api_server.serving() as url:
            mine, other, nobody = (
                config(f"{url}/{who}", "t", s.cluster.context) for who in ("allowed", "outsider", "nobody")
            )
            frozen(s, mine)
            yield Reach(api_server.NAMESPACE, nobody, other)
    else:
        from sandbox import control

        assert program.box is not None
        text = fetched(program, s)
        frozen(s, text)
        outsider = fetched(program, s, control.as_user(program.box, "outsider"))
        yield Reach(s.cluster.namespace, unaccepted(text), outsider)


def ask(program: Program, s: Settings, *words: str, env: Mapping[str, str] | None = None) -> Done:
    """Call kubectl as the wrapper does, with the frozen kubeconfig and its context."""
    return program.call(
        "--kubeconfig",
        str(base.frozen_kubeconfig(s)),
        "--context",
        s.cluster.context,
        "--request-timeout=5s",
        *words,
        env=env,
    )


def test_its_version_is_read_without_a_cluster(program: Program, suite: Settings):
    done = program.call("version", "--client", "--output", "json")
    assert (done.exit, done.err) == (0, "")
    assert done.json["clientVersion"]["gitVersion"].startswith("v1.")
    found = versions.installed(suite, TOOL)
    assert found is not None
    assert f"v{found.version}" == done.json["clientVersion"]["gitVersion"]


def test_objects_are_a_json_list(program: Program, suite: Settings, cluster: Reach):
    done = ask(program, suite, "get", "pods", "--namespace", cluster.namespace, "--output", "json")
    assert done.exit == 0
    assert done.json["kind"] == "List"
    if program.is_real and not done.json["items"]:
        program.not_tried("the namespace has no pod")
    assert {"name", "namespace"} <= set(done.json["items"][0]["metadata"])
    assert kubectl.get(suite, "pods", namespace=cluster.namespace)


def test_one_object_is_not_a_list(program: Program, suite: Settings, cluster: Reach):
    labels = kubectl.namespace_labels(suite, cluster.namespace)
    assert labels["kubernetes.io/metadata.name"] == cluster.namespace


def test_a_missing_object_is_not_found(program: Program, suite: Settings, cluster: Reach):
    done = ask(
        program, suite, "get", "services", "no-such-service", "--namespace", cluster.namespace, "--output", "json"
    )
    assert (done.exit, done.out) == (1, "")
    assert done.err.startswith('Error from server (NotFound): services "no-such-service" not found')
    with pytest.raises(kubectl.NotFound):
        kubectl.get(suite, "services", name="no-such-service", namespace=cluster.namespace)


def test_the_servers_version_needs_no_rights(program: Program, suite: Settings, cluster: Reach):
    done = ask(program, suite, "get", "--raw", "/version")
    assert done.exit == 0
    assert "gitVersion" in done.json
    kubectl.ready(suite)


def test_can_i_prints_yes_with_exit_code_0(program: Program, suite: Settings, cluster: Reach):
    done = ask(program, suite, "auth", "can-i", "list", "pods", "--namespace", cluster.namespace)
    assert (done.exit, done.out) == (0, "yes\n")
    assert kubectl.can_i(suite, "create", "pods", subresource="portforward", namespace=cluster.namespace)


def test_can_i_prints_no_on_stdout_with_exit_code_1(program: Program, suite: Settings, cluster: Reach):
    done = ask(program, suite, "auth", "can-i", "delete", "namespaces", "--namespace", cluster.namespace)
    if program.is_real and done.out == "yes\n":
        program.not_tried("the user of cluster.env may do everything")
    assert (done.exit, done.out.split()[0]) == (1, "no")
    assert not kubectl.can_i(suite, "delete", "namespaces", namespace=cluster.namespace)


def test_can_i_without_an_answer_prints_nothing_on_stdout(program: Program, suite: Settings):
    frozen(suite, config("https://127.0.0.1:1", "t", suite.cluster.context))
    done = ask(program, suite, "auth", "can-i", "list", "pods")
    assert (done.exit, done.out) == (1, "")
    assert "Warning: the server doesn't have a resource type 'pods'\n" in done.err
    with pytest.raises(ToolError) as why:
        kubectl.can_i(suite, "list", "pods")
    assert why.value.why
    assert not isinstance(why.value, kubectl.UnknownResource)


def test_several_rights_are_asked_with_one_call_in_order(program: Program, suite: Settings, cluster: Reach):
    space = cluster.namespace
    wanted = [
        kubectl.Access("create", "pods", space, "portforward"),
        kubectl.Access("delete", "namespaces", space),
        kubectl.Access("get", "services/web", space),
        kubectl.Access("create", "deployments.apps", space),
    ]
    answers = kubectl.may(suite, wanted)
    if program.is_real and answers[1]:
        program.not_tried("the user of cluster.env may do everything")
    assert answers == [True, False, True, True]


def test_rights_without_an_answer_are_not_a_no(program: Program, suite: Settings):
    frozen(suite, config("https://127.0.0.1:1", "t", suite.cluster.context))
    with pytest.raises(ToolError):
        kubectl.may(suite, [kubectl.Access("list", "pods", "team")])


def test_an_unknown_kind_of_object_is_reported(program: Program, suite: Settings, cluster: Reach):
    done = ask(program, suite, "get", "nosuchthings.example.com", "--output", "json")
    assert (done.exit, done.out) == (1, "")
    assert done.err.endswith('error: the server doesn\'t have a resource type "nosuchthings"\n')
    with pytest.raises(kubectl.UnknownResource):
        kubectl.get(suite, "nosuchthings.example.com")


def test_an_outsider_is_forbidden(program: Program, suite: Settings, cluster: Reach):
    if not cluster.outsider:
        program.not_tried("there is no kubeconfig of an outsider")
    frozen(suite, cluster.outsider)
    env: dict[str, str] = {}
    if program.box is not None:
        from sandbox import control

        env = control.as_user(program.box, "outsider")
    done = ask(program, suite, "get", "namespace", cluster.namespace, "--output", "json", env=env)
    assert (done.exit, done.out) == (1, "")
    assert done.err.startswith(f'Error from server (Forbidden): namespaces "{cluster.namespace}" is forbidden: User "')
    pods = ask(program, suite, "get", "pods", "--namespace", cluster.namespace, "--output", "json", env=env)
    assert pods.exit == 1
    assert 'cannot list resource "pods" in API group ""' in pods.err
    no = ask(program, suite, "auth", "can-i", "list", "pods", "--namespace", cluster.namespace, env=env)
    assert (no.exit, no.out) == (1, "no\n")


def test_a_rejected_token_is_reported(program: Program, suite: Settings, cluster: Reach):
    frozen(suite, cluster.stranger)
    done = ask(program, suite, "get", "pods", "--namespace", cluster.namespace, "--output", "json")
    assert (done.exit, done.out) == (1, "")
    assert "You must be logged in to the server" in done.err
    with pytest.raises(kubectl.Unauthorized):
        kubectl.get(suite, "pods", namespace=cluster.namespace)


def test_deleting_a_missing_object_succeeds(program: Program, suite: Settings, cluster: Reach):
    perform(kubectl.delete(suite, "pod", "no-such-pod", namespace=cluster.namespace, destroys="nothing"))


def test_a_server_that_refuses_is_reported(program: Program, suite: Settings):
    frozen(suite, config("https://127.0.0.1:1", "t", suite.cluster.context))
    done = ask(program, suite, "get", "pods", "--output", "json")
    assert (done.exit, done.out) == (1, "")
    assert "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?" in done.err
    assert "does not answer" in explain(TOOL, done.said)[0]


def test_a_missing_context_is_reported(program: Program, suite: Settings):
    frozen(suite, config("https://127.0.0.1:1", "t"))
    done = program.call("--kubeconfig", str(base.frozen_kubeconfig(suite)), "--context", "nope", "get", "pods")
    assert (done.exit, done.out) == (1, "")
    assert done.err == "Error in configuration: context was not found for specified context: nope\n"


def test_a_failing_plugin_is_passed_on(program: Program, suite: Settings):
    """kubelogin's error comes first, unchanged; then kubectl's line."""
    text = yaml.safe_load(config("https://127.0.0.1:1", "", suite.cluster.context))
    args = ["get-token", "--login", "azurecli", "--server-id", suite.azure.server_id]
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": args,
        "provideClusterInfo": False,
    }
    text["users"][0]["user"] = {"exec": plugin}
    if program.is_real:
        plugin["command"], plugin["args"] = (
            "sh",
            ["-c", "echo 'Error: failed to get token: AzureCLICredential: said' >&2; exit 1"],
        )
    frozen(suite, yaml.safe_dump(text))
    done = ask(program, suite, "get", "pods", "--output", "json")
    assert (done.exit, done.out) == (1, "")
    assert done.err.startswith("Error: failed to get token: AzureCLICredential: ")
    last = f"Unable to connect to the server: getting credentials: exec: executable {plugin['command']} failed with exit code 1"
    assert last in done.err
    with pytest.raises(kubectl.Unauthorized):
        kubectl.get(suite, "pods")


def test_a_missing_plugin_is_reported(program: Program, suite: Settings):
    text = yaml.safe_load(config("https://127.0.0.1:1", "", suite.cluster.context))
    hint = "install it"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "no-such-plugin",
        "installHint": hint,
        "provideClusterInfo": False,
    }
    text["users"][0]["user"] = {"exec": plugin}
    frozen(suite, yaml.safe_dump(text))
    done = ask(program, suite, "get", "pods", "--output", "json")
    assert (done.exit, done.out) == (1, "")
    assert "Unable to connect to the server: getting credentials: exec: executable no-such-plugin not found" in done.err
    assert hint in done.err


def test_a_stale_lock_is_reported(program: Program, suite: Settings):
    file = program.kubeconfig(config("https://127.0.0.1:1", "t"))
    file.with_name("config.lock").touch()
    done = program.call("config", "use-context", "dev")
    assert done.exit == 1
    assert "config.lock: file exists" in done.err
    assert program.call("config", "current-context").out == "dev\n"
