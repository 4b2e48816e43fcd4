"""What the credential helper relies on in client-go: how kubectl starts a credential plug-in and what it does with answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tasks.core.config.settings import Settings
from tests.contracts import api_server
from tests.contracts.kubeconfigs import config
from tests.contracts.programs import Done, Program

TOOL = "kubectl"
pytestmark = pytest.mark.contract
VERSION = "client.authentication.k8s.io/v1beta1"
ASK = ("get", "--raw", "/version", "--request-timeout=5s")


class Plugin:
    """A plug-in that records who starts it and gives one token."""

    def __init__(self, program: Program, server: str) -> None:
        self.program, folder = program, program.home / "plugin-folder"
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.asks = folder / "plugin", folder / "asks"
        answer = json.dumps({"kind": "ExecCredential", "apiVersion": VERSION, "status": {"token": "not-a-token"}})
        (folder / "answer").write_text(answer)
        self.path.write_text(
            f'#!/bin/sh\necho "$PPID $GIVEN$KUBERNETES_EXEC_INFO" >> {self.asks}\ncat {folder}/answer\n'
        )
        self.path.chmod(0o700)
        self.server = server

    def ask(self, command: str = "", *words: str, env: dict[str, str] | None = None) -> Done:
        """Call kubectl with this command as the plug-in."""
        data = yaml.safe_load(config(self.server, ""))
        data["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
        entry = {"apiVersion": VERSION, "command": command or str(self.path), "provideClusterInfo": False}
        data["users"][0]["user"] = {"exec": {**entry, "env": [{"name": "GIVEN", "value": "given "}]}}
        self.program.kubeconfig(yaml.safe_dump(data))
        return self.program.call(*(words or ASK), env=env)

    @property
    def asked(self) -> list[str]:
        """The recorded lines, without the empty one with which client-go ends its JSON."""
        return [line for line in self.asks.read_text().splitlines() if line] if self.asks.exists() else []


@pytest.fixture
def plugin(program: Program) -> Plugin:
    """With a server that refuses connections: kubectl asks the plug-in first."""
    return Plugin(program, "https://127.0.0.1:1")


@pytest.fixture
def rejected(program: Program, suite: Settings, tmp_path: Path) -> Iterator[Plugin]:
    """With a server that rejects the token."""
    if not program.is_real:
        from sandbox import control

        assert program.box is not None
        given = control.ask(program.box, "credentials", user="developer", home=program.env["HOME"])
        yield Plugin(program, given["server"])
        return
    if not shutil.which("openssl"):
        program.not_tried("openssl is missing")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with api_server.serving((certificate, key)) as url:
        yield Plugin(program, f"{url}/nobody")


def test_it_starts_the_plugin_itself_and_says_what_it_wants(plugin: Plugin):
    command = ["kubectl", *ASK]
    plugin.ask()
    process = subprocess.Popen(command, env=plugin.program.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.wait(60) == 1
    info = {"kind": "ExecCredential", "apiVersion": VERSION, "spec": {"interactive": False}}
    parent, given, said = plugin.asked[-1].split(" ", 2)
    assert (int(parent), given, json.loads(said)) == (process.pid, "given", info)


def test_a_plugin_that_cannot_be_started_is_named_with_its_reason(plugin: Plugin):
    folder = plugin.path.parent
    (folder / "plain").write_text("#!/bin/sh\n")
    (folder / "nothing").write_text("#!/no/such\n")
    (folder / "nothing").chmod(0o700)
    for name, reason in (
        ("missing", "no such file or directory"),
        ("plain", "permission denied"),
        ("nothing", "no such file or directory"),
    ):
        done = plugin.ask(f"{folder}/{name}")
        said = f"Unable to connect to the server: getting credentials: exec: fork/exec {folder}/{name}: {reason}\n"
        assert (done.exit, done.out, done.err) == (1, "", said)


def test_a_plugin_that_a_signal_ended_has_the_code_minus_one(plugin: Plugin):
    plugin.path.write_text("#!/bin/sh\nkill -9 $$\n")
    assert f"exec: executable {plugin.path} failed with exit code -1\n" in plugin.ask().err


def test_after_a_401_the_same_process_asks_once_more_and_the_request_fails(rejected: Plugin):
    done = rejected.ask("", "get", "--raw", "/apis/apps/v1")
    assert (done.exit, done.out, done.err) == (1, "", "error: You must be logged in to the server (Unauthorized)\n")
    first, second = rejected.asked
    assert first == second


def test_its_policy_refuses_a_wrapper_in_its_own_words(plugin: Plugin):
    """kuberc of kubectl 1.35. An earlier one ignores it."""
    preferences = plugin.program.home / "preferences"
    allowed = [{"command": "kubelogin", "name": "kubelogin"}]
    for policy, more, said in (
        ("DenyAll", {}, f'plugin "{plugin.path}" not allowed: policy set to "DenyAll"'),
        (
            "Allowlist",
            {"credentialPluginAllowlist": allowed},
            f'plugin path "{plugin.path}" is not permitted by the credential plugin allowlist',
        ),
    ):
        content = {
            "apiVersion": "kubectl.config.k8s.io/v1beta1",
            "kind": "Preference",
            "credentialPluginPolicy": policy,
        }
        preferences.write_text(yaml.safe_dump({**content, **more}))
        done = plugin.ask(env={"KUBERC": str(preferences)})
        if plugin.asked and plugin.program.is_real:
            plugin.program.not_tried("this version has no policy for credential plug-ins")
        assert not plugin.asked
        assert done.exit == 1
        assert f"Unable to connect to the server: getting credentials: {said}\n" in done.err
