"""kubelogin, from recordings of 0.2.22: a conversion is proven by reading the file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tasks.core.errors import ToolError
from tasks.tools import kubeconfig, kubelogin
from tasks.tools.kubeconfig import Context
from tests.made import settings

SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"

FETCHED = f"""\
apiVersion: v1
kind: Config
clusters: [{{name: dev, cluster: {{server: "https://dev.example:443"}}}}]
contexts: [{{name: dev, context: {{cluster: dev, user: u}}}}]
current-context: dev
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args: [get-token, --environment, AzurePublicCloud, --server-id, {SERVER_ID}, --client-id, c, --tenant-id, t, --login, devicecode]
      command: kubelogin
      env: null
      installHint: "\\nkubelogin is not installed\\n"
      interactiveMode: IfAvailable
"""


def fetched(text: str = FETCHED) -> Context:
    context = kubeconfig.parse(text, "az").context("dev")
    assert context is not None
    return context


@pytest.fixture
def program(tmp_path: Path, monkeypatch):
    """A program named kubelogin that rewrites its file as told, and writes down how it was called."""

    def make(old: str, new: str, exit: int = 0, stderr: str = "") -> Path:
        script = tmp_path / "bin" / "kubelogin"
        script.parent.mkdir(exist_ok=True)
        script.write_text(
            f"#!{sys.executable}\nimport sys, os\nargv = sys.argv[1:]\npath = argv[argv.index('--kubeconfig') + 1]\n"
            f"mode = oct(os.stat(os.path.dirname(path)).st_mode & 0o777)\n"
            f"open({str(tmp_path / 'notes')!r}, 'w').write(repr((argv, mode)))\n"
            f"text = open(path).read()\nopen(path, 'w').write(text.replace({old!r}, {new!r}))\n"
            f"sys.stderr.write({stderr!r})\nsys.exit({exit})\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
        return tmp_path / "notes"

    return make


def test_an_unconverted_user_is_distinguished_from_a_converted_one():
    s = settings()
    assert "devicecode" in kubeconfig.wrong_plugin(s, fetched().plugin)
    after = kubeconfig.through_az(s, fetched())
    assert after.plugin is not None
    assert after.plugin.args == ("get-token", "--login", "azurecli", "--server-id", SERVER_ID)
    assert kubeconfig.wrong_plugin(s, after.plugin) == ""
    assert kubeconfig.through_az(s, after) is after
    assert "installHint" in kubeconfig.rendered(after)


def test_no_login_option_means_device_code():
    assert "devicecode" in kubeconfig.wrong_plugin(
        settings(), fetched(FETCHED.replace(", --login, devicecode", "")).plugin
    )


def test_a_token_of_another_server_is_wrong():
    converted = kubeconfig.through_az(settings(), fetched())
    other = settings(azure__server_id="other")
    assert "not of other" in kubeconfig.wrong_plugin(other, converted.plugin)


def test_it_is_converted_on_a_private_file_for_this_context_only(program):
    notes = program(f"--environment, AzurePublicCloud, --server-id, {SERVER_ID}, --client-id, c, --tenant-id, t, --login, devicecode",
                    f"--login, azurecli, --server-id, {SERVER_ID}")  # fmt: skip
    context = kubelogin.convert(settings(), fetched())
    assert context.plugin is not None
    assert context.plugin.option("--login") == "azurecli"
    argv, mode = eval(notes.read_text())
    assert [argv[0], argv[1], *argv[3:]] == [
        "convert-kubeconfig",
        "--kubeconfig",
        "--context",
        "dev",
        "--login",
        "azurecli",
    ]
    assert mode == "0o700"
    assert not Path(argv[2]).exists()


def test_exit_code_0_without_a_conversion_is_an_error(program):
    program("x", "x")
    with pytest.raises(ToolError, match="and yet"):
        kubelogin.convert(settings(), fetched())


def test_int128s_program_is_recognised_by_its_output(program):
    program("x", "x", exit=1, stderr='error: unknown command "convert-kubeconfig" for "kubelogin"\n')
    with pytest.raises(ToolError) as why:
        kubelogin.convert(settings(), fetched())
    assert "int128" in why.value.why


def test_a_cluster_with_a_certificate_needs_no_conversion():
    plain = fetched(FETCHED.split("    exec:")[0].replace("  user:\n", "  user: {token: abc}\n"))
    assert plain.plugin is None
    assert kubelogin.convert(settings(), plain) is plain
