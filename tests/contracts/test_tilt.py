"""What the suite relies on in Tilt."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.core.config.settings import Settings
from tasks.tools import tilt, versions
from tests.contracts.kubeconfigs import config, frozen
from tests.contracts.programs import Program

TOOL = "tilt"
pytestmark = pytest.mark.contract
DECLARED = """
config.define_string_list('only', args=False)
chosen = config.parse().get('only', [])
local_resource('a', cmd='true')
local_resource('b', serve_cmd='sleep 600', allow_parallel=True)
config.set_enabled_resources(chosen)
"""


@pytest.fixture
def write(program: Program, suite: Settings) -> Callable[[str], Path]:
    """Write a Tiltfile and a kubeconfig for a closed port."""
    frozen(suite, config("https://127.0.0.1:1", "t", suite.cluster.context))
    place = program.home / "project"
    place.mkdir()

    def made(text: str) -> Path:
        (place / "Tiltfile").write_text(text)
        return place / "Tiltfile"

    return made


@pytest.fixture
def port() -> int:
    """A free port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_its_version_is_read(program: Program, suite: Settings):
    found = versions.installed(suite, TOOL)
    assert found is not None
    assert program.call("version").out.startswith(f"v{found.version}")


def test_a_tiltfiles_resources_are_listed_without_a_cluster(
    program: Program, suite: Settings, write: Callable[[str], Path]
):
    file = write(DECLARED)
    assert tilt.declared(suite, file, [], {}) == {"a": [], "b": []}
    assert tilt.declared(suite, file, ["--only=a"], {}) == {"a": []}


def test_the_objects_that_tilt_itself_applies_are_named(
    program: Program, suite: Settings, write: Callable[[str], Path]
):
    file = write(
        f"allow_k8s_contexts('{suite.cluster.context}')\n"
        "k8s_yaml(blob('apiVersion: v1\\nkind: Pod\\nmetadata: {name: a, namespace: b}\\n"
        "spec: {containers: [{name: c, image: d}]}\\n---\\napiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: e}\\n'))\n"
    )
    assert tilt.declared(suite, file, [], {}) == {
        "a": [tilt.Applied("Pod", "a", "b")],
        "uncategorized": [tilt.Applied("ConfigMap", "e", "")],
    }


def test_an_error_of_the_tiltfile_is_exit_code_5_with_its_text(
    program: Program, suite: Settings, write: Callable[[str], Path]
):
    file = write("fail('this is not a development cluster')\n")
    done = program.call("alpha", "tiltfile-result", "--file", str(file))
    assert (done.exit, done.out) == (5, "")
    with pytest.raises(tilt.Refusal) as why:
        tilt.declared(suite, file, [], {})
    assert why.value.what == "this is not a development cluster"


def test_an_unknown_tiltfile_argument_is_exit_code_5_and_an_unknown_flag_1(
    program: Program, suite: Settings, write: Callable[[str], Path]
):
    file = write(DECLARED)
    assert program.call("alpha", "tiltfile-result", "--file", str(file), "--", "--bar=1").exit == 5
    assert program.call("alpha", "tiltfile-result", "--no-such-flag").exit == 1


def test_a_missing_tilt_is_reported(program: Program, suite: Settings, port: int):
    with pytest.raises(tilt.NotRunning):
        tilt.resources(suite, port)


@pytest.fixture
def running(
    program: Program, suite: Settings, write: Callable[[str], Path], port: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A running `tilt up`, started as the suite does."""
    file = write(DECLARED)
    argv = tilt.up(suite, file, port=port, flags=[], args=[])
    process = subprocess.Popen(
        argv,
        env=program.env,
        cwd=file.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.terminate()
    process.wait(60)


def test_a_running_tilt_lists_its_resources(
    program: Program, suite: Settings, running: subprocess.Popen[bytes], port: int
):
    until = time.monotonic() + 60
    found: dict[str, tilt.Resource] = {}
    while time.monotonic() < until and not (found.get("b") and found["b"].ready and found["a"].ready):
        assert running.poll() is None
        try:
            found = {r.name: r for r in tilt.resources(suite, port)}
        except tilt.NotRunning:
            found = {}
        time.sleep(0.1)
    assert {tilt.TILTFILE, "a", "b"} <= set(found)
    assert found["b"].ready
    assert found["b"].pid
    assert found["a"].update == "ok"


def test_ci_exits_with_0_on_success_and_1_on_failure(
    program: Program, suite: Settings, write: Callable[[str], Path], port: int
):
    for text, code in (("local_resource('a', cmd='true')\n", 0), ("local_resource('a', cmd='exit 3')\n", 1)):
        argv = tilt.ci(suite, write(text), port=port, flags=[], args=[])
        assert program.call(*argv[1:], cwd=program.home / "project").exit == code


def test_serve_commands_end_with_tilt(program: Program, suite: Settings, running: subprocess.Popen[bytes], port: int):

    until = time.monotonic() + 60
    pid = 0
    while not pid and time.monotonic() < until:
        try:
            pid = next((r.pid for r in tilt.resources(suite, port) if r.name == "b"), 0)
        except tilt.NotRunning:
            time.sleep(0.1)
    assert pid
    running.terminate()
    running.wait(60)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}/stat").exists()
