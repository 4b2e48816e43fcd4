"""The stand-in for kubectl: kubeconfig files, the world's objects, authorization, and recorded failures."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from sandbox import control
from sandbox.standins.kubectl.print import jsonpath

SERVER = "ameide-dev-aks-dns-0a1b2c3d.hcp.westeurope.azmk8s.io"


def test_config_without_a_file_is_empty(make_box):
    from tests.sandbox.shell import Shell

    box = make_box()
    me = Shell(box, box.environment())
    assert me.kubectl("config", "get-contexts", "-o", "name").stdout == ""
    assert me.kubectl("config", "current-context").stderr == "error: current-context is not set\n"
    done = me.kubectl("config", "view", "--minify", "-o", "json")
    assert done.stderr == "error: current-context must exist in order to minify\n"
    assert me.kubectl("get", "pods").returncode == 1


def test_config_edits_the_file_itself(shell):
    me = shell()
    assert (
        me.kubectl("config", "set-context", "--current", "--namespace", "other").stdout
        == 'Context "ameide-dev-aks" modified.\n'
    )
    assert me.kubectl("config", "view", "--minify", "-o", "jsonpath={..namespace}").stdout == "other"
    me.kubectl("config", "set-context", "new", "--cluster", "ameide-dev-aks", "--user", "u")
    assert me.kubectl("config", "use-context", "new").stdout == 'Switched to context "new".\n'
    assert me.kubectl("config", "use-context", "nope").stderr == 'error: no context exists with the name: "nope"\n'
    assert me.kubectl("config", "get-contexts", "-o", "name").stdout == "ameide-dev-aks\nnew\n"
    assert "deleted context new" in me.kubectl("config", "delete-context", "new").stdout
    path = Path(me.env["KUBECONFIG"])
    assert "name: new" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_secrets_are_hidden_unless_raw(shell):
    me = shell()
    assert "REDACTED" in me.kubectl("config", "view", "-o", "json").stdout
    found = json.loads(me.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json").stdout)
    assert found["users"][0]["user"]["token"].startswith("eyJ")


def test_a_stale_lock_stops_writes_only(shell):
    me = shell()
    lock = me.env["KUBECONFIG"] + ".lock"
    Path(lock).touch()
    assert me.kubectl("config", "use-context", "ameide-dev-aks").stderr == f"error: open {lock}: file exists\n"
    assert me.kubectl("config", "current-context").stdout == "ameide-dev-aks\n"


def test_two_files_are_merged_and_each_entry_stays_in_its_file(shell, tmp_path):
    me = shell()
    second = tmp_path / "second"
    second.write_text("apiVersion: v1\nkind: Config\ncontexts:\n- {name: two, context: {cluster: c, user: u}}\n")
    me.env["KUBECONFIG"] = f"{me.env['KUBECONFIG']}{os.pathsep}{second}"
    assert me.kubectl("config", "get-contexts", "-o", "name").stdout == "ameide-dev-aks\ntwo\n"
    me.kubectl("config", "set-context", "two", "--namespace", "x")
    assert "namespace: x" in second.read_text()


def test_broken_yaml_is_reported(shell):
    me = shell()
    Path(me.env["KUBECONFIG"]).write_text("{")
    done = me.kubectl("get", "pods")
    assert done.stderr.startswith(f'error: error loading config file "{me.env["KUBECONFIG"]}": yaml: line ')


FAILURES = [
    ("api-refused", f"The connection to the server {SERVER}:443 was refused - did you specify the right host or port?\n"),
    ("cluster-stopped", f"Unable to connect to the server: dial tcp: lookup {SERVER} on 10.98.0.1:53: no such host\n"),
    ("dns", f"Unable to connect to the server: dial tcp: lookup {SERVER} on 10.98.0.1:53: no such host\n"),
    ("api-silent", "Unable to connect to the server: context deadline exceeded\n"),
    ("rbac", 'Error from server (Forbidden): pods is forbidden: User "developer@example.com" cannot list resource "pods" in '
             'API group "" in the namespace "ameide"\n'),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "said"), FAILURES)
def test_an_api_server_that_does_not_answer(shell, fault, said):
    me = shell()
    control.fault(me.box, fault)
    done = me.kubectl("get", "pods", "--request-timeout=500ms")
    assert (done.returncode, done.stderr) == (1, said)
    assert me.kubectl("auth", "can-i", "get", "pods", "--request-timeout=500ms").returncode == 1
    control.fault(me.box, fault, on=False)
    assert me.kubectl("get", "pods").returncode == 0


def test_an_expired_token_is_unauthorized(shell):
    me = shell()
    text = Path(me.env["KUBECONFIG"]).read_text()
    Path(me.env["KUBECONFIG"]).write_text(text.replace("token: ", "token: x"))
    assert me.kubectl("get", "pods").stderr == "error: You must be logged in to the server (Unauthorized)\n"


def test_a_failing_plugins_error_is_shown(shell):
    me = shell()
    control.give_kubeconfig(me.box, exec_plugin=True)
    control.fault(me.box, "login-70043")
    done = me.kubectl("get", "pods")
    assert done.stderr.startswith("Error: failed to get token: AzureCLICredential: ERROR: AADSTS70043: ")
    assert done.stderr.endswith("getting credentials: exec: executable kubelogin failed with exit code 1\n")


def test_a_missing_plugin_is_named(shell):
    me = shell()
    control.give_kubeconfig(me.box, exec_plugin=True)
    control.fault(me.box, "kubelogin-missing")
    assert "getting credentials: exec: executable kubelogin not found" in me.kubectl("get", "pods").stderr


def test_another_workstation_is_another_user_of_the_cluster(shell):
    you = shell().as_colleague()
    assert (
        json.loads(you.kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]["username"]
        == "colleague@example.com"
    )


RIGHTS = [
    ("create deployments -n ameide", "yes\n", 0),
    ("get services/traffic-manager -n ambassador", "yes\n", 0),
    ("create pods/portforward -n ambassador", "no\n", 1),
    ("create pods --subresource=portforward -n ambassador", "yes\n", 0),
    ("get namespaces", "no\n", 1),
    ("create deployments -n kube-system", "no\n", 1),
]


def test_rights_are_judged_on_stdout(shell):
    me = shell()
    for words, out, code in RIGHTS:
        done = me.kubectl("auth", "can-i", *words.split())
        assert (words, done.stdout, done.returncode) == (words, out, code)
    quiet = me.kubectl("auth", "can-i", "get", "namespaces", "-q")
    assert (quiet.stdout, quiet.returncode) == ("", 1)


def test_reads_of_missing_objects(shell):
    me = shell()
    assert me.kubectl("get", "pod", "nope").stderr == 'Error from server (NotFound): pods "nope" not found\n'
    assert (
        me.kubectl("get", "deploy", "nope").stderr
        == 'Error from server (NotFound): deployments.apps "nope" not found\n'
    )
    assert me.kubectl("get", "pod", "nope", "--ignore-not-found").returncode == 0
    assert me.kubectl("get", "foo").stderr == 'error: the server doesn\'t have a resource type "foo"\n'
    assert (
        me.kubectl("get", "pods", "--nope").stderr
        == "Error: unknown flag: --nope\nSee 'kubectl get --help' for usage.\n"
    )
    assert me.kubectl("get", "netpol").stderr == "No resources found in ameide namespace.\n"
    assert me.kubectl("--context", "nope", "get", "pods").stderr == (
        "Error in configuration: context was not found for specified context: nope\n"
    )


def test_forbidden_prints_an_empty_list_and_fails(shell):
    done = shell().kubectl("get", "services", "-A", "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["items"] == []


def test_several_kinds_are_one_list(shell):
    found = json.loads(
        shell().kubectl("get", "deployments,services", "-l", "app.kubernetes.io/name=graph", "-o", "json").stdout
    )
    assert [(o["kind"], o["metadata"]["name"]) for o in found["items"]] == [
        ("Deployment", "graph"),
        ("Service", "graph"),
    ]


def test_labels_of_a_namespace_can_be_production_or_unreadable(shell):
    me = shell()
    control.fault(me.box, "production-labels")
    labels = json.loads(me.kubectl("get", "ns", "ameide", "-o", "jsonpath={.metadata.labels}").stdout)
    assert labels["ameide.io/environment"] == "production"
    control.fault(me.box, "labels-unreadable")
    assert "(Forbidden)" in me.kubectl("get", "ns", "ameide").stderr


def test_what_is_applied_can_be_read_and_deleted(shell):
    me = shell()
    me.kubectl("apply", "-f", "-", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {k: v}\n")
    assert me.kubectl("get", "cm", "x", "-o", "jsonpath={.data.k}").stdout == "v"
    assert me.kubectl("delete", "cm", "x").stdout == 'configmap "x" deleted from ameide namespace\n'
    assert me.kubectl("delete", "cm", "x").returncode == 1
    assert me.kubectl("delete", "cm", "x", "--ignore-not-found").returncode == 0


@pytest.mark.parametrize(("template", "wanted"), [
    ("{.a.b}", "1"),
    ("{.list[*].n}", "x y"),
    ("{.list[0].n}", "x"),
    ('{.list[?(@.n=="y")].v}', "2"),
    (r"{.keys.with\.dots/slash}", "deep"),
    ("{..n}", "x y"),
    ('{range .list[*]}{.n}={.v}{"\\n"}{end}', "x=1\ny=2\n"),
    ("{.none}", ""),
    ("{.keys}", '{"with.dots/slash":"deep"}'),
])  # fmt: skip
def test_jsonpath(template, wanted):
    data = {"a": {"b": 1}, "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}], "keys": {"with.dots/slash": "deep"}}
    assert jsonpath(data, template) == wanted
