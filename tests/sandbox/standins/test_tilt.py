"""The stand-in for Tilt behaves as recorded from Tilt 0.37.6."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core import ports
from tests.world import until

UP = """
local_resource('ready', serve_cmd='echo ready TILT_PORT=$TILT_PORT TILT_HOST=$TILT_HOST; sleep 1000')
local_resource('probed', serve_cmd='sleep 0.3; touch probe-ok; sleep 1000', readiness_probe=probe(period_secs=1, exec=exec_action(['test', '-e', os.getcwd() + '/probe-ok'])))
local_resource('never-ready', serve_cmd='sleep 1000', readiness_probe=probe(period_secs=1, tcp_socket=tcp_socket_action(port=1)))
local_resource('cmd-ok', cmd='echo done', allow_parallel=True)
local_resource('cmd-fails', cmd='echo to-stdout; exit 3', allow_parallel=True)
local_resource('serve-exits-7', serve_cmd='exit 7', allow_parallel=True)
local_resource('waits-for-failed', serve_cmd='sleep 1000', resource_deps=['cmd-fails'])
local_resource('waits-for-missing', serve_cmd='sleep 1000', resource_deps=['no-such'])
local_resource('manual', cmd='echo manual-ran', auto_init=False, trigger_mode=TRIGGER_MODE_MANUAL)
local_resource('tree', serve_cmd='sleep 2001 & sleep 2002 & trap "echo got-TERM >> tree.log; exit 0" TERM; echo started >> tree.log; wait')
"""  # fmt: skip


class Project:
    """A folder with a Tiltfile, and the Tilt that runs in it."""

    def __init__(self, box: Box, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.env = box.environment(TILT_PORT=str(port), KUBECONFIG=str(folder / "none"), HOME=str(folder))
        self.started: list[subprocess.Popen[bytes]] = []

    def write(self, text: str) -> None:
        (self.folder / "Tiltfile").write_text(text)

    def tilt(self, *words: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["tilt", *words], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )  # fmt: skip

    def up(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            argv = ["tilt", "up", "--stream=true", *words]
            self.started.append(
                subprocess.Popen(argv, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            )
        return self.started[-1]

    @property
    def said(self) -> str:
        return (self.folder / "out").read_text()

    def statuses(self) -> dict[str, Any]:
        done = self.tilt("get", "uiresources", "-o", "json")
        return {i["metadata"]["name"]: i["status"] for i in json.loads(done.stdout or "{}").get("items", [])}

    def condition(self, name: str, kind: str = "Ready") -> dict[str, Any]:
        return next((c for c in self.statuses().get(name, {}).get("conditions", []) if c["type"] == kind), {})

    def ready(self, name: str) -> bool:
        return bool(until(lambda: self.condition(name).get("status") == "True", 20))


@pytest.fixture(scope="module")
def world() -> Iterator[Box]:
    box = control.up()
    yield box
    control.down(box)


@pytest.fixture
def project(world: Box, tmp_path: Path) -> Iterator[Project]:
    found = Project(world, tmp_path, ports.free())
    yield found
    for process in found.started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.fixture(scope="module")
def steady(world: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The recorded Tiltfile, running."""
    found = Project(world, tmp_path_factory.mktemp("steady"), ports.free())
    found.write(UP)
    process = found.up()
    assert found.ready("probed"), found.said
    yield found
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def test_versions_are_one_line(project: Project):
    assert project.tilt("version").stdout == project.tilt("--version").stdout == "v0.37.6, built 2026-07-29\n"


def test_help_names_the_flags_of_this_version(project: Project):
    assert "--output-snapshot-on-exit string" in project.tilt("up", "--help").stdout
    assert "Exit code 5: error when evaluating" in project.tilt("alpha", "tiltfile-result", "--help").stdout


@pytest.mark.parametrize(
    ("name", "update", "runtime", "ready", "reason"),
    [
        ("ready", "not_applicable", "ok", "True", None),
        ("probed", "not_applicable", "ok", "True", None),
        ("never-ready", "not_applicable", "pending", "False", "Unknown"),
        ("cmd-ok", "ok", "not_applicable", "True", None),
        ("cmd-fails", "error", "not_applicable", "False", "UpdateError"),
        ("serve-exits-7", "not_applicable", "error", "False", "RuntimeError"),
        ("waits-for-failed", "pending", "pending", "False", "UpdatePending"),
        ("waits-for-missing", "not_applicable", "ok", "True", None),
        ("manual", "none", "not_applicable", "False", "Unknown"),
        ("(Tiltfile)", "ok", "not_applicable", "True", None),
    ],
)
def test_each_resource_has_the_recorded_status(
    steady: Project, name: str, update: str, runtime: str, ready: str, reason: str | None
):
    status = steady.statuses()[name]
    assert (status["updateStatus"], status["runtimeStatus"]) == (update, runtime)
    condition = steady.condition(name)
    assert (condition["status"], condition.get("reason")) == (ready, reason)


def test_details_of_the_status_match_the_recording(steady: Project):
    found = steady.statuses()
    assert found["cmd-fails"]["buildHistory"][0]["error"] == 'Command "echo to-stdout; exit 3" failed: exit status 3'
    assert found["waits-for-failed"]["waiting"]["reason"] == "waiting-for-dep"
    assert found["manual"]["triggerMode"] == 2
    assert "triggerMode" not in found["ready"]
    assert found["ready"]["localResourceInfo"]["pid"] > 1
    assert found["(Tiltfile)"]["buildHistory"][0]["warnings"] == [
        "resource waits-for-missing specified a dependency on unknown resource no-such - dependency ignored\n"
    ]


def test_the_stream_shows_names_cut_to_twelve_characters(steady: Project):
    assert re.search(rf"^        ready │ ready TILT_PORT={steady.port} TILT_HOST=localhost$", steady.said, re.MULTILINE)
    assert "waits-for-mi… │ Running cmd: sleep 1000" in steady.said
    assert "ERROR: Build Failed: Command " in steady.said
    assert "ERROR: Server exited with exit code 7" in steady.said


def test_clients_answer_as_recorded(steady: Project):
    assert steady.tilt("trigger", "manual").stdout == 'Successfully triggered update for resource: "manual"\n'
    assert until(lambda: "manual-ran" in steady.said)
    assert steady.tilt("trigger", "nope").stderr == 'Error: (404): resource "nope" does not exist\n'
    assert steady.tilt("enable", "nope").stderr == 'Error: no such resource "nope"\n'
    unknown = steady.tilt("get", "uiresource", "nope", "-o", "json")
    assert unknown.stderr == 'Error from server (NotFound): uiresources.tilt.dev "nope" not found\n'
    assert json.loads(steady.tilt("get", "session", "-o", "json").stdout)["items"][0]["status"]["pid"] > 1
    assert steady.tilt("get", "uiresource", "-n", "x").returncode == 1


def test_a_resource_can_be_disabled_and_enabled(steady: Project):
    pid = steady.statuses()["tree"]["localResourceInfo"]["pid"]
    assert steady.tilt("disable", "tree").stdout == ""
    assert until(lambda: steady.condition("tree").get("reason") == "Disabled")
    assert until(lambda: not Path(f"/proc/{pid}").exists())
    assert "got-TERM" in (steady.folder / "tree.log").read_text()
    steady.tilt("enable", "tree")
    assert steady.ready("tree")


def test_each_client_command_reports_that_no_tilt_runs(project: Project):
    assert project.tilt("get", "uiresource").stderr == f"Error: No tilt apiserver found: tilt-{project.port}\n"
    assert project.tilt("get", "session", "--port", "10350").stderr == "Error: No tilt apiserver found: tilt-default\n"
    assert "Could not connect to Tilt at http://localhost:" in project.tilt("trigger", "a").stderr
    assert project.tilt("down").stderr.startswith("Error: No Tiltfile found at paths")


def test_a_tiltfile_error_ends_ci_and_down_but_not_up(project: Project):
    project.write("fail('boom')\n")
    process = project.up()
    assert until(lambda: "Error in fail: boom" in project.said)
    assert until(lambda: "boom" in str(project.statuses().get("(Tiltfile)", {}).get("buildHistory")))
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    for verb in ("ci", "down"):
        done = project.tilt(verb)
        assert done.returncode == 1
        assert (
            done.stderr
            == f"Error: Traceback (most recent call last):\n  {project.folder}/Tiltfile:1:5: in <toplevel>\nError in fail: boom\n"
        )


def test_a_port_in_use_is_reported_after_the_start_line(project: Project):
    project.write("local_resource('a', 'true')\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", project.port))
        taken.listen()
        done = project.tilt("up")
    assert done.returncode == 1
    assert done.stdout.startswith(f"Tilt started on http://localhost:{project.port}/\n")
    assert f"Error: Tilt cannot start because you already have another process on port {project.port}\n" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_its_serve_commands(project: Project, number: int):
    project.write("local_resource('a', serve_cmd='sleep 1000')\n")
    process = project.up()
    assert project.ready("a")
    pid = project.statuses()["a"]["localResourceInfo"]["pid"]
    process.send_signal(number)
    assert process.wait(60) == 0
    assert not Path(f"/proc/{pid}").exists()
    assert "No tilt apiserver found" in project.tilt("get", "session").stderr


def test_it_exits_after_two_seconds_even_if_children_run(project: Project):
    project.write("local_resource('a', serve_cmd='trap \"echo got >> got\" TERM; while true; do sleep 0.1; done')\n")
    process = project.up()
    assert project.ready("a")
    pid = project.statuses()["a"]["localResourceInfo"]["pid"]
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    assert time.monotonic() - began > 1.8
    assert Path(f"/proc/{pid}").exists()
    assert "was refused - did you specify the right host or port?" in project.tilt("get", "session").stderr
    os.killpg(pid, signal.SIGKILL)


def test_a_kill_leaves_its_children(project: Project):
    project.write("local_resource('a', serve_cmd='sleep 1000')\n")
    process = project.up()
    assert project.ready("a")
    pid = project.statuses()["a"]["localResourceInfo"]["pid"]
    process.kill()
    process.wait(60)
    assert Path(f"/proc/{pid}").exists()
    os.killpg(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("local_resource('a', cmd='echo hi')", 0, ""),
        ("local_resource('s', serve_cmd='sleep 1000', readiness_probe=probe(period_secs=1, exec=exec_action(['true'])))", 0, ""),
        ("local_resource('a', cmd='exit 3')", 1, 'Error: Command "exit 3" failed: exit status 3\n'),
        ("local_resource('a', serve_cmd='exit 7')", 1, "exited with non-zero status\n"),
        ("local_resource('s', serve_cmd='sleep 1000', readiness_probe=probe(period_secs=1, tcp_socket=tcp_socket_action(port=1)))", 1, "Error: Timeout after 1s: 1 resources not ready (s:serve)\n"),
        ("k8s_custom_deploy('x', apply_cmd=['true'], delete_cmd=['true'], deps=['.'])", 1, "Error: cluster connection failed\n"),
    ],
)  # fmt: skip
def test_ci_ends_as_recorded(project: Project, text: str, code: int, said: str):
    project.write(text)
    done = project.tilt("ci", "--timeout", "1s")
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.endswith(said)
    assert ("SUCCESS. All workloads are healthy." in done.stdout) == (code == 0)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("docker build -q -t $EXPECTED_REF .", ""),
        ("echo no such base image >&2; exit 4", "exit status 4"),
        ("true", "Did your custom_build script properly tag the image?"),
    ],
)
def test_an_image_is_built_by_the_teams_own_command(world: Box, project: Project, command: str, said: str):
    project.env |= {"KUBECONFIG": str(control.give_kubeconfig(world)), "HOME": world.env["HOME"]}
    subprocess.run(["az", "acr", "login", "--name", "ameidedev"], env=project.env, check=True, capture_output=True)
    (project.folder / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
    (project.folder / "object.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    image = f"x-{project.port}"  # unique: Tilt's own tag only contains the second
    project.write(
        "allow_k8s_contexts(k8s_context())\ndefault_registry('ameidedev.azurecr.io')\n"
        f"custom_build('{image}', {command!r}, deps=['Dockerfile'])\n"
        "k8s_custom_deploy('x', apply_cmd='cat object.yaml; echo \"data: {image: $TILT_IMAGE_0}\"', "
        f"delete_cmd='true', deps=['.'], image_deps=['{image}'])\n"
    )
    done = project.tilt("ci", "--timeout", "20s")
    assert "EXPECTED_REF=" in done.stdout
    assert said in done.stderr
    assert ("Pushing with Docker client" in done.stdout) == (not said)
    assert (done.returncode == 0) == (not said), done.stderr


def test_other_args_enable_other_resources(project: Project):
    project.write(
        "config.define_string_list('only')\nonly = config.parse().get('only', [])\n"
        "local_resource('a', serve_cmd='sleep 1000')\nlocal_resource('b', serve_cmd='sleep 1000')\nconfig.set_enabled_resources(only)\n"
    )
    project.up("--", "--only=a")
    assert project.ready("a")
    assert project.condition("b")["reason"] == "Disabled"
    same = project.tilt("args", "--", "--only=a")
    assert same.stderr == "Tilt is already running with those args -- no action taken\n"
    other = project.tilt("args", "--", "--only=b")
    assert other.stderr == f"Changed config args for Tilt running at localhost:{project.port} to [--only=b]\n"
    assert project.ready("b")
    assert until(lambda: project.condition("a")["reason"] == "Disabled")


def test_a_result_has_the_names_and_the_registry(project: Project):
    project.write(
        "default_registry('r.io')\nlocal_resource('a', 'true')\nlocal_resource('b', serve_cmd=['x', 'y'], serve_env={'K': 'v'})\nprint('printed')\n"
    )
    done = project.tilt("alpha", "tiltfile-result")
    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert [m["Name"] for m in found["Manifests"]] == found["EnabledManifests"] == ["a", "b"]
    assert found["DefaultRegistry"] == {"host": "r.io"}
    assert found["Manifests"][1]["DeployTarget"]["ServeCmd"]["Argv"] == ["x", "y"]
    assert found["Manifests"][1]["DeployTarget"]["ServeCmd"]["Env"] == ["K=v"]
    assert "printed" in project.tilt("-v", "alpha", "tiltfile-result").stderr


@pytest.mark.parametrize(("words", "code"), [(("--", "--bar=1"), 5), (("--only=a",), 1), (("-f", "none/Tiltfile"), 5)])
def test_a_result_ends_with_the_recorded_code(project: Project, words: tuple[str, ...], code: int):
    project.write("config.define_string_list('only')\nconfig.parse()\n")
    done = project.tilt("alpha", "tiltfile-result", *words)
    # A flag that Tilt itself does not know is reported on both streams.
    assert (done.returncode, done.stdout) == (code, "unknown flag: --only\n" if code == 1 else "")
