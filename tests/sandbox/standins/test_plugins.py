"""Credential plug-ins that are real programs: who starts them, with what, and what happens to their answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import control
from tests.sandbox.shell import CONNECT, Shell, free_port, wait_until

VERSION = "client.authentication.k8s.io/v1beta1"


class Plugin:
    """A program in the place of kubelogin. It records each ask."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self.shell, self.folder = shell, folder
        self.path, self.answer, self.asks_file = folder / "plugin", folder / "answer", folder / "asks"
        self.extra = folder / "extra"
        self.extra.write_text("")
        self.path.write_text(
            f'#!/bin/sh\nprintf \'%s\\t%s\\n\' "$PPID" "$(printf %s "$KUBERNETES_EXEC_INFO" | tr -d \'\\n\')" >> {self.asks_file}\n'
            f". {self.extra}\ncat {self.answer}\n"
        )
        self.path.chmod(0o700)
        self.give(self.token())

    def token(self) -> str:
        """A token that the cluster accepts."""
        got = control.ask(self.shell.box, "credentials", user="developer", home=self.shell.env["HOME"])
        return str(got["token"])

    def give(self, token: str, expires: float | None = None) -> None:
        """Answer with this token from now on."""
        status = {"token": token}
        if expires is not None:
            status["expirationTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))
        self.answer.write_text(json.dumps({"kind": "ExecCredential", "apiVersion": VERSION, "status": status}))

    def used_by(self, command: str, **more: Any) -> None:
        """Name this command in the kubeconfig."""
        path = Path(self.shell.env["KUBECONFIG"])
        data = yaml.safe_load(path.read_text())
        data["users"][0]["user"] = {"exec": {"apiVersion": VERSION, "command": command, "args": ["a", "b"], **more}}
        path.write_text(yaml.safe_dump(data))

    @property
    def asks(self) -> list[tuple[int, str]]:
        """The parent and the information of each ask."""
        if not self.asks_file.exists():
            return []
        lines = self.asks_file.read_text().splitlines()
        return [(int(parent), info) for parent, _, info in (line.partition("\t") for line in lines)]


@pytest.fixture
def made(shell: Callable[..., Shell], tmp_path: Path) -> Callable[..., Plugin]:
    def make(version: str = "2.31.0") -> Plugin:
        plugin = Plugin(shell(version), tmp_path)
        plugin.used_by(str(plugin.path))
        return plugin

    return make


@pytest.fixture
def plugin(made: Callable[..., Plugin]) -> Plugin:
    return made()


def started(plugin: Plugin, *argv: str) -> tuple[int, subprocess.CompletedProcess[str]]:
    """Run kubectl. Returns its pid and how it ended."""
    process = subprocess.Popen(
        [f"{plugin.shell.box.path}/bin/kubectl", *argv],
        env=plugin.shell.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate(timeout=120)
    return process.pid, subprocess.CompletedProcess(argv, process.returncode, out, err)


def test_the_client_is_its_parent_and_says_what_it_wants(plugin: Plugin):
    plugin.used_by(
        str(plugin.path), env=[{"name": "GIVEN", "value": "yes"}, {"name": "PATH", "value": "/usr/bin:/bin"}]
    )
    plugin.extra.write_text('echo "$GIVEN $HOME" >&2\n')
    pid, done = started(plugin, "get", "--raw", "/version")
    assert (done.returncode, done.stderr) == (0, f"yes {plugin.shell.env['HOME']}\n")
    info = f'{{"kind":"ExecCredential","apiVersion":"{VERSION}","spec":{{"interactive":false}}}}'
    assert plugin.asks == [(pid, info)]


def test_a_program_on_path_is_found_by_name(plugin: Plugin):
    plugin.shell.env["PATH"] += f":{plugin.folder}"
    plugin.used_by("plugin")
    assert plugin.shell.kubectl("get", "pods").returncode == 0
    assert len(plugin.asks) == 1


def test_a_relative_path_starts_at_the_kubeconfigs_folder(plugin: Plugin):
    folder = Path(plugin.shell.env["KUBECONFIG"]).parent
    (folder / "helper").mkdir()
    (folder / "helper/plugin").symlink_to(plugin.path)
    plugin.used_by("helper/plugin")
    assert plugin.shell.kubectl("get", "pods").returncode == 0


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (None, 0o700, "exec: fork/exec PATH: no such file or directory"),
        ("#!/bin/sh\n", 0o600, "exec: fork/exec PATH: permission denied"),
        ("#!/no/such\n", 0o700, "exec: fork/exec PATH: no such file or directory"),
        ("nonsense", 0o700, "exec: fork/exec PATH: exec format error"),
        ("#!/bin/sh\nexit 7\n", 0o700, "exec: executable PATH failed with exit code 7"),
        ("#!/bin/sh\nkill -9 $$\n", 0o700, "exec: executable PATH failed with exit code -1"),
        ("#!/bin/sh\necho hello\n", 0o700, "decoding stdout: couldn't get version/kind; json parse error: "),
        (
            "#!/bin/sh\n",
            0o700,
            f"exec plugin is configured to use API version {VERSION}, plugin returned version "
            "client.authentication.k8s.io/__internal",
        ),
        (f'#!/bin/sh\necho \'{{"apiVersion":"{VERSION}"}}\'\n', 0o700, "exec plugin didn't return a status field"),
        (
            f'#!/bin/sh\necho \'{{"apiVersion":"{VERSION}","status":{{}}}}\'\n',
            0o700,
            "exec plugin didn't return a token or cert/key pair",
        ),
    ],
)
def test_what_kubectl_says_about_a_plugin_without_a_credential(
    plugin: Plugin, content: str | None, mode: int, text: str
):
    """The texts of kubectl 1.33.1."""
    plugin.path.unlink()
    if content is not None:
        plugin.path.write_text(content)
        plugin.path.chmod(mode)
    if os.geteuid() == 0 and mode == 0o600:
        assert not os.access(plugin.path, os.X_OK)
    done = plugin.shell.kubectl("get", "pods")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        f"Unable to connect to the server: getting credentials: {text.replace('PATH', str(plugin.path))}" in done.stderr
    )


def test_after_a_401_it_is_asked_once_more_and_the_call_fails_nevertheless(plugin: Plugin):
    token = plugin.token()
    plugin.give(token)
    control.revoke(plugin.shell.box, token)
    pid, done = started(plugin, "get", "--raw", "/version")
    assert (done.returncode, done.stderr) == (1, "error: You must be logged in to the server (Unauthorized)\n")
    assert [parent for parent, _ in plugin.asks] == [pid, pid]
    plugin.give(plugin.token())
    assert started(plugin, "get", "--raw", "/version")[1].returncode == 0


def test_an_error_of_that_second_ask_is_printed_before(plugin: Plugin):
    plugin.give("not-a-token")
    plugin.extra.write_text(f'[ "$(wc -l < {plugin.asks_file})" -gt 1 ] && {{ echo words >&2; exit 3; }}\n')
    first, second, last = plugin.shell.kubectl("get", "--raw", "/version").stderr.splitlines()
    assert first == "words"
    assert second.endswith(f"] refreshing credentials: exec: executable {plugin.path} failed with exit code 3")
    assert last == "error: You must be logged in to the server (Unauthorized)"


def test_kubectl_waits_until_nobody_can_write_to_the_plugins_stdout(plugin: Plugin, tmp_path: Path):
    """A refresher that keeps stdout open holds up kubectl: Go reads it to its end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    plugin.extra.write_text(f"( read line < {fifo} ) &\n")
    process = subprocess.Popen(
        [f"{plugin.shell.box.path}/bin/kubectl", "get", "pods"], env=plugin.shell.env, stdout=subprocess.DEVNULL
    )
    assert wait_until(lambda: plugin.asks)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    fifo.write_text("go\n")
    assert process.wait(60) == 0


def test_a_killed_kubectl_leaves_the_plugin_in_its_process_group(plugin: Plugin, tmp_path: Path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    plugin.extra.write_text(f"echo $$ > {tmp_path}/pid\nread line < {fifo}\n")
    process = subprocess.Popen(
        [f"{plugin.shell.box.path}/bin/kubectl", "get", "pods"], env=plugin.shell.env, start_new_session=True
    )
    assert wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    process.kill()
    process.wait()
    pid = int((tmp_path / "pid").read_text())
    assert os.getpgid(pid) == process.pid
    os.killpg(process.pid, signal.SIGKILL)


def test_the_client_needs_only_built_in_modules_for_it(plugin: Plugin):
    """It stays as fast as a call without a plug-in."""
    source = Path(control.__file__).parent / "server"
    code = (
        f"import sys; sys.path.insert(0, {str(source)!r}); before = set(sys.modules); import client, _socket; "
        "a, b = _socket.socketpair(); "
        "client.plugin(a, b'/bin/true', [b'true'], {}, b''); print(client.receive(b)); "
        "print(sorted(set(sys.modules) - before - {'client', '_socket', 'marshal'}))"
    )
    done = subprocess.run([sys.executable, "-SEs", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["('ended', 0, b'')", "[]"]


@pytest.mark.parametrize(("version", "informed"), [("2.19.1", [1, 0]), ("2.25.1", [1, 0]), ("2.31.0", [1, 0, 0, 0])])
def test_the_user_daemon_asks_for_all_processes_of_telepresence(
    made: Callable[..., Plugin], version: str, informed: list[int]
):
    plugin = made(version)
    plugin.extra.write_text("echo words of the plugin >&2\n")
    plugin.shell.connected()
    assert [bool(info) for _, info in plugin.asks] == [bool(i) for i in informed]
    (parent,) = {parent for parent, _ in plugin.asks}
    words = Path(f"/proc/{parent}/cmdline").read_text()
    assert "userd" in words or "connector-foreground" in words
    log = Path(plugin.shell.env["HOME"], ".cache/telepresence/logs/connector.log").read_text()
    assert log.count("words of the plugin") == len(informed)


@pytest.mark.slow
def test_a_session_asks_again_before_its_token_is_dead(plugin: Plugin):
    plugin.give(plugin.token(), expires=time.time() + 30)
    plugin.shell.connected()
    asked = len(plugin.asks)
    plugin.give(plugin.token(), expires=time.time() + 3600)
    assert wait_until(lambda: len(plugin.asks) >= asked + 2)
    assert len({parent for parent, _ in plugin.asks}) == 1


@pytest.mark.slow
def test_a_new_intercept_asks_again_when_the_token_has_expired(plugin: Plugin):
    expires = time.time() + 1
    plugin.give(plugin.token(), expires=expires)
    plugin.shell.connected()
    informed = [info for _, info in plugin.asks if info]
    assert wait_until(lambda: time.time() > expires + 1)  # the timestamp has whole seconds
    plugin.give(plugin.token(), expires=time.time() + 3600)
    plugin.shell.intercept(free_port())
    assert len([info for _, info in plugin.asks if info]) == len(informed) + 1


def test_a_refused_token_fails_a_connect(plugin: Plugin):
    plugin.give("not-a-token")
    done = plugin.shell.tp(*CONNECT)
    assert "authentication was rejected; your cluster credentials may have expired" in done.stderr
    assert len(plugin.asks) == 2


@pytest.mark.slow
def test_a_hanging_plugin_ends_a_connect_of_2_19_and_lives_on(made: Callable[..., Plugin], tmp_path: Path):
    plugin = made("2.19.1")
    plugin.extra.write_text(f"echo $$ > {tmp_path}/pid\nexec sleep 100\n")
    done = plugin.shell.tp(*CONNECT)
    assert "the cluster connect timed out.  The current timeout 20s" in done.stderr
    assert plugin.shell.tp("quit", "-s").returncode == 0
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_an_answer_that_came_too_late_is_not_that_of_the_next_ask(made: Callable[..., Plugin], tmp_path: Path):
    plugin = made("2.19.1")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    plugin.give("not-a-token")
    plugin.answer.rename(tmp_path / "late")
    plugin.extra.write_text(f"read line < {fifo}\ncat {tmp_path}/late\nexit\n")
    assert "timed out" in plugin.shell.tp(*CONNECT).stderr
    later = subprocess.Popen([f"{plugin.shell.box.path}/bin/telepresence", *CONNECT], env=plugin.shell.env)
    plugin.extra.write_text("")
    plugin.give(plugin.token())
    fifo.write_text("go\n")
    assert later.wait(60) == 0
