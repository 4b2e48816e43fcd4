"""What the suite relies on in the Docker client."""

from __future__ import annotations

import json

import pytest

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.signatures import explain
from tasks.tools import docker, versions
from tests.contracts.programs import Program

TOOL = "docker"
pytestmark = pytest.mark.contract


def without_engine(program: Program) -> None:
    """Let no engine answer. A real client gets a closed port."""
    if program.is_real:
        program.env["DOCKER_HOST"] = "tcp://127.0.0.1:1"
    else:
        program.fault("docker-no-engine")


def test_its_version_is_read_without_an_engine(program: Program, suite: Settings):
    without_engine(program)
    done = program.call("--version")
    assert (done.exit, done.err) == (0, "")
    assert done.out.startswith("Docker version ")
    found = versions.installed(suite, TOOL)
    assert found is not None
    assert found.version in done.out


def test_without_an_engine_info_fails_although_it_prints(
    program: Program, suite: Settings, monkeypatch: pytest.MonkeyPatch
):
    without_engine(program)
    done = program.call("info", "--format", "{{.ServerVersion}}")
    assert (done.exit, done.out.strip()) == (1, "")
    assert "Cannot connect to the Docker daemon at " in done.err
    assert explain(TOOL, done.said)[0] == "no Docker engine answers"
    if "DOCKER_HOST" in program.env:
        monkeypatch.setenv("DOCKER_HOST", program.env["DOCKER_HOST"])
    with pytest.raises(ToolError):
        docker.engine(suite)


def test_the_engines_version_is_read(program: Program, suite: Settings):
    program.only_real_with("DOCKER_HOST")
    program.env.update({k: v for k, v in program.cluster.items() if k == "DOCKER_HOST"})
    done = program.call("info", "--format", "{{.ServerVersion}}")
    assert (done.exit, done.out.strip()[0].isdigit()) == (0, True)


def test_a_socket_without_permission_is_reported(program: Program, suite: Settings):
    program.fault("docker-forbidden")
    done = program.call("info")
    assert done.exit == 1
    assert "permission denied while trying to connect to the Docker daemon socket" in done.err
    assert "socket" in explain(TOOL, done.said)[0]


def test_its_login_is_read_from_its_file(program: Program, suite: Settings):
    """The client stores a login in plain text in ~/.docker/config.json under the registry's host."""
    program.only_real_with("REGISTRY", "REGISTRY_USER", "REGISTRY_PASSWORD", "DOCKER_HOST")
    host = program.cluster.get("REGISTRY", suite.registry.host)
    user = program.cluster.get("REGISTRY_USER", "00000000-0000-0000-0000-000000000000")
    password = program.cluster.get("REGISTRY_PASSWORD", "")
    if not program.is_real:
        assert program.call("login", "--use-device-code", tool="az").exit == 0
        password = program.call("acr", "login", "--name", host.split(".")[0], "--expose-token", tool="az").json[
            "accessToken"
        ]
    done = program.call("login", host, "--username", user, "--password-stdin", stdin=password)
    assert done.exit == 0, done.err
    kept = json.loads((program.home / ".docker/config.json").read_text())
    assert host in kept["auths"]
    assert docker.login(host).present
    assert not docker.login("other.example.com").present
