"""What the suite relies on in Azure's kubelogin."""

from __future__ import annotations

import json

import pytest

from tasks.core.config.settings import Settings
from tasks.core.signatures import explain
from tasks.tools import kubeconfig as kc
from tasks.tools import kubelogin, versions
from tests.contracts.programs import Program

TOOL = "kubelogin"
pytestmark = pytest.mark.contract
SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"
CONFIG = f"""apiVersion: v1
kind: Config
clusters:
- {{name: dev, cluster: {{server: "https://127.0.0.1:1"}}}}
- {{name: other, cluster: {{server: "https://127.0.0.1:2"}}}}
contexts:
- {{name: dev, context: {{cluster: dev, user: clusterUser_G_dev, namespace: team}}}}
- {{name: other, context: {{cluster: other, user: clusterUser_G_other}}}}
current-context: other
users:
- name: clusterUser_G_dev
  user: {{exec: &plugin {{apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, env: null, provideClusterInfo: false,
    args: [get-token, --environment, AzurePublicCloud, --server-id, {SERVER_ID}, --client-id, c, --tenant-id, t, --login, devicecode]}}}}
- name: clusterUser_G_other
  user: {{exec: {{apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, env: null, provideClusterInfo: false,
    args: [get-token, --environment, AzurePublicCloud, --server-id, {SERVER_ID}, --client-id, c, --tenant-id, t, --login, devicecode]}}}}
"""


def test_its_version_is_read(program: Program, suite: Settings):
    found = versions.installed(suite, TOOL)
    assert found is not None
    assert found.version
    assert not found.wrong


def test_it_converts_one_context_and_prints_nothing(program: Program):
    file = program.kubeconfig(CONFIG)
    done = program.call(*kubelogin.convert_args("dev", str(file)))
    assert (done.exit, done.out, done.err) == (0, "", "")
    found = kc.load([file])
    mine, other = found.context("dev"), found.context("other")
    assert mine is not None
    assert mine.plugin is not None
    assert mine.plugin.args == ("get-token", "--login", "azurecli", "--server-id", SERVER_ID)
    assert mine.namespace == "team"
    assert found.current == "other"
    assert other is not None
    assert other.plugin is not None
    assert "devicecode" in other.plugin.args


def test_converting_again_changes_nothing(program: Program):
    file = program.kubeconfig(CONFIG)
    program.call(*kubelogin.convert_args("dev", str(file)))
    once = file.read_bytes()
    assert program.call(*kubelogin.convert_args("dev", str(file))).exit == 0
    assert file.read_bytes() == once


def test_the_wrapper_converts_and_verifies(program: Program, suite: Settings):
    before = kc.load([program.kubeconfig(CONFIG)]).context("dev")
    assert before is not None
    after = kubelogin.convert(suite, before)
    assert not kc.wrong_plugin(suite, after.plugin)


def test_an_unknown_context_is_an_error(program: Program):
    file = program.kubeconfig(CONFIG)
    done = program.call(*kubelogin.convert_args("nope", str(file)))
    assert (done.exit, done.out) == (1, "")
    assert 'no context exists with the name: "nope"' in done.err


def test_an_explicit_missing_file_is_an_error(program: Program):
    done = program.call(*kubelogin.convert_args("dev", str(program.home / "none")))
    assert done.exit == 1
    assert "no such file or directory" in done.err


def test_a_stale_lock_is_reported(program: Program):
    file = program.kubeconfig(CONFIG)
    file.with_name(f"{file.name}.lock").touch()
    done = program.call(*kubelogin.convert_args("dev", str(file)))
    assert done.exit == 1
    assert ".lock: file exists" in done.err
    assert "lock" in explain(TOOL, done.said)[0]


def test_without_a_login_the_error_of_az_is_on_stderr(program: Program):
    if program.is_real and program.call("version", tool="az", seconds=60).exit != 0:
        program.not_tried("there is no az next to it")
    done = program.call("get-token", "--login", "azurecli", "--server-id", SERVER_ID)
    assert (done.exit, done.out) == (1, "")
    assert "AzureCLICredential" in done.err
    assert explain(TOOL, done.said)[1] == "inv aks.login"


def test_a_token_is_an_exec_credential(program: Program):
    program.only_real_with("AZURE_CONFIG_DIR")
    if program.is_real:
        program.env["AZURE_CONFIG_DIR"] = program.cluster["AZURE_CONFIG_DIR"]
    else:
        program.call("login", "--use-device-code", tool="az")
    done = program.call("get-token", "--login", "azurecli", "--server-id", SERVER_ID)
    assert done.exit == 0
    found = json.loads(done.out)
    assert found["kind"] == "ExecCredential"
    assert found["status"]["token"]


def test_int128s_program_of_the_same_name_is_recognised(program: Program, suite: Settings):
    program.fault("kubelogin-wrong")
    found = versions.installed(suite, TOOL)
    assert found is not None
    assert "int128" in found.wrong
    done = program.call(*kubelogin.convert_args("dev", str(program.kubeconfig(CONFIG))))
    assert done.exit != 0
    assert "int128" in explain(TOOL, done.said)[0]
