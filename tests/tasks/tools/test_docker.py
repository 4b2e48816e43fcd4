"""Whether a registry login still works is read from Docker's own files."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import Blocked, ToolError
from tasks.tools import docker
from tests.made import settings

HOST = "dev.azurecr.io"
NO_ENGINE = b"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"


def token(exp: float) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"exp": exp}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2ln"


def config(content: dict[str, Any] | str) -> Path:
    path = Path(os.environ["HOME"]) / ".docker" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture(autouse=True)
def no_docker_config(monkeypatch):
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.delenv("DOCKER_COMMAND", raising=False)


def test_without_a_file_there_is_no_login():
    assert docker.login(HOST) == docker.Login(False)


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}", f"https://{HOST}/v1/"])
def test_the_expiry_of_an_identity_token_is_read_from_it(key: str):
    end = time.time() + 3 * 3600
    config({"auths": {key: {"auth": "eA==", "identitytoken": token(end)}}})
    found = docker.login(HOST)
    assert found.alive
    assert found.expires == pytest.approx(end)


def test_a_token_as_the_password_is_read_too():
    auth = base64.b64encode(f"00000000-0000-0000-0000-000000000000:{token(time.time() + 7200)}".encode()).decode()
    config({"auths": {HOST: {"auth": auth}}})
    assert docker.login(HOST).alive


def test_a_login_that_expires_soon_does_not_count():
    config({"auths": {HOST: {"identitytoken": token(time.time() + 60)}}})
    assert not docker.login(HOST).alive


def test_with_a_helper_the_expiry_is_unknown():
    config({"auths": {HOST: {}}, "credsStore": "desktop"})
    assert docker.login(HOST) == docker.Login(True, 0.0, "desktop")
    config({"credHelpers": {HOST: "acr"}})
    assert docker.login(HOST) == docker.Login(False, 0.0, "acr")


def test_a_broken_file_is_named():
    path = config("{")
    with pytest.raises(Blocked, match=str(path)):
        docker.login(HOST)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["auths", "credsStore", "credHelpers", HOST, "auth", "identitytoken", "x"]), x
            )
        ),
    )
)
def test_any_json_is_a_login_or_none(content: Any):
    config(json.dumps(content))
    assert isinstance(docker.login(HOST), docker.Login)


def test_a_missing_engine_is_reported_in_dockers_words(fp):
    fp.register(["docker", fp.any()], stdout=b"\n", stderr=NO_ENGINE, returncode=1)
    with pytest.raises(ToolError) as why:
        docker.engine(settings())
    assert "Is the docker daemon running?" in why.value.what
    assert "start Docker" in why.value.fix


def test_the_command_of_docker_command_is_asked(fp, monkeypatch):
    monkeypatch.setenv("DOCKER_COMMAND", "podman")
    fp.register(["podman", fp.any()], stdout=b"5.2.0\n")
    assert docker.engine(settings()) == "5.2.0"
