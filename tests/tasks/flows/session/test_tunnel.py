"""A session counts as open only when it resolves a name, where there is a reason to doubt it."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tasks.checks.devcontainer.machine import Machine
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.flows.session import tunnel
from tasks.tools import kubectl
from tests.made import settings


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names that resolve. The namespace has the Services api and web."""
    known: set[str] = set()

    def getaddrinfo(host: str, port: Any) -> list[Any]:
        if host in known:
            return [("10.96.89.206", 0)]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    services = [{"metadata": {"name": "web"}}, {"metadata": {"name": "api"}}]
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(kubectl, "get", lambda s, kinds: services)
    monkeypatch.setattr(tunnel, "_SECONDS", 0.1)
    return known


def root(monkeypatch: pytest.MonkeyPatch, place: Path, *, uid: int = 0, container: bool = True) -> None:
    """Run as this user, in a container or not."""
    if container:
        (place / ".dockerenv").touch()
    monkeypatch.setattr(Machine, "this", lambda: Machine(place, place, uid, "", {}))


def test_a_name_that_resolves_proves_the_session(
    names: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root(monkeypatch, tmp_path)
    names.add("web.team")
    monkeypatch.setattr(tunnel, "_SECONDS", 30)
    tunnel.must_carry(tunnel.hosts(settings()))
    assert capsys.readouterr().err == ""


def test_root_in_a_container_without_a_name_is_not_connected(
    names: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    root(monkeypatch, tmp_path)
    with pytest.raises(ToolError, match=r"api\.team does not resolve") as failed:
        tunnel.must_carry(tunnel.hosts(settings()))
    assert "root in a container" in failed.value.why
    assert "remoteUser" in failed.value.fix


@pytest.mark.parametrize(("uid", "container"), [(1000, True), (0, False), (1000, False)])
def test_anybody_else_is_warned(
    names: set[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    uid: int,
    container: bool,
):
    root(monkeypatch, tmp_path, uid=uid, container=container)
    tunnel.must_carry(tunnel.hosts(settings()))
    assert "api.team does not resolve" in capsys.readouterr().err


def test_a_resolver_that_never_answers_has_one_deadline_for_all_names(
    names: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    ended = threading.Event()
    root(monkeypatch, tmp_path, uid=1000)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: ended.wait(60))
    began = time.monotonic()
    tunnel.must_carry(tunnel.hosts(settings()))
    assert time.monotonic() - began < 30
    ended.set()
    assert "api.team does not resolve" in capsys.readouterr().err


@pytest.mark.parametrize("services", [[], ToolError("kubectl get: forbidden")])
def test_without_services_nothing_can_be_asked(
    names: set[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    services: list[Any] | ToolError,
):
    def get(s: Settings, kinds: str) -> list[Any]:
        if isinstance(services, ToolError):
            raise services
        return services

    root(monkeypatch, tmp_path)
    monkeypatch.setattr(kubectl, "get", get)
    tunnel.must_carry(tunnel.hosts(settings()))
    assert capsys.readouterr().err == ""
